"""The real gateway on an invented desk: python -m tests.e2e.fake_desk PORT TOKEN [--every MS] [--paper]. Ends with its
stdin.

Orders at or above 100 lots are refused; a BUY below 1 rupee stays open; everything else fills at once. The word `down`
on stdin makes the supervisor unreachable, `up` brings it back; `crash` shows shard.NIFTY restarting, `well` ends that;
`worn` shows every actor with restarts and gaps behind it, `fresh` ends that; `warn` and `old` raise an alert, now and
two minutes ago, `alarm` one that stays, `quiet` forgets them; `mute` takes the next order without an answer; `settle`
settles NIFTY's nearest expiry, `unsettle` ends that. With --paper its market is the live one, of which nothing comes
before `login`: until then it has a tape of NIFTY that ends twenty hours ago. `plan` starts one, `halt` and `resume`
are a person's; an SL order rests until it is modified, to 666 rupees it cannot be.
"""

import argparse
import dataclasses
import itertools
import math
import sys
import threading
import time
from typing import Literal

from core.errors import DeskError
from core.ports import Payload
from core.records import ActorStatus, Alert, Chain, DeskStatus
from gateway.actor import GatewayActor, GatewayConfig
from tests.e2e import synthetic
from tests.e2e.fake_account import FakeAccount, FakeClock

NAMES = (
    *(f"feed.{name}" for name in synthetic.SPOTS),
    *(f"shard.{name}" for name in synthetic.SPOTS),
    "risk",
    "oms",
    "recorder",
    "gateway",
    "strategy.ema_channel",
)


LONG = "started again, incarnation 2, pid 4242: the process before it did not answer for 12 s and was ended by its id"


PLAN = '{"type": "bracket", "plan_id": "PLAN23", "strategy": "manual", "index": "NIFTY", "created_ns": 1}'


class FakeBus:
    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        raise AssertionError("the gateway publishes nothing")


@dataclasses.dataclass
class FakeDesk(FakeAccount):
    down: bool = False
    crashed: bool = False
    alerts: tuple[Alert, ...] = ()
    worn: bool = False
    settled: bool = False
    mode: Literal["SIMULATED", "PAPER"] = "SIMULATED"
    logged_in: bool = True

    def chain(self, index: str) -> Chain | None:
        return synthetic.chain(index, 1)

    def status(self) -> DeskStatus:
        if self.down:
            raise DeskError("supervisor did not answer within 5 s")
        now = time.time_ns()
        return DeskStatus(
            desk=0,
            mode=self.mode,
            market_ns=self.clock.now_ns(),
            market_says="simulated session of 2026-11-20, seed 7",
            phase="open",
            wall_ns=now,
            oms_state="HALTED" if self.halted or self.switch else "ACTIVE",
            ledger_ok=True,
            actors=tuple(self._actor(name, now) for name in NAMES),
            alerts=self.alerts,
        )

    def _actor(self, name: str, now: int) -> ActorStatus:
        hit = self.crashed and name == "shard.NIFTY"
        return ActorStatus(
            name=name,
            state="RESTARTING" if hit else "READY",
            pid=4242,
            incarnation=14 if self.worn else 2 if hit else 1,
            rss_mb=105,
            last_progress_ns=now - (4_200_000_000 if hit else 120_000_000),
            handled=100,
            gaps=13 if self.worn else 3 if hit else 0,
            dropped=0,
            refused=0,
            counts={"ticks": 100, "refused_crossed": 2} if name == "feed.NIFTY" else {},
        )


def alerts(word: str, before: tuple[Alert, ...]) -> tuple[Alert, ...]:
    """The desk's alerts after `word`, newest last."""
    if word == "quiet":
        return ()
    if word not in ("warn", "old", "alarm"):
        return before
    at = time.time_ns() - (0 if word == "warn" else 120_000_000_000)
    severity: Literal["warning", "alarm"] = "alarm" if word == "alarm" else "warning"
    return (*before, Alert(at_wall_ns=at, severity=severity, subject="shard.SENSEX", message=LONG))


def listen(desk: FakeDesk, ended: threading.Event) -> None:
    for line in sys.stdin:
        word = line.strip()
        desk.down = {"down": True, "up": False}.get(word, desk.down)
        desk.crashed = {"crash": True, "well": False}.get(word, desk.crashed)
        desk.alerts = alerts(word, desk.alerts)
        desk.mute = desk.mute or word == "mute"
        desk.logged_in = desk.logged_in or word == "login"
        desk.settled = {"settle": True, "unsettle": False}.get(word, desk.settled)
        desk.halted = {"halt": True, "resume": False}.get(word, desk.halted)
        if word == "plan":
            desk.start_plan(PLAN)
        desk.worn = {"worn": True, "fresh": False}.get(word, desk.worn)
    ended.set()


class Tape:
    """core.ports.LastChains of a live market that was last heard of twenty hours ago."""

    def last(self, index: str) -> Chain | None:
        if index != "NIFTY":
            return None
        as_of_ns = time.time_ns() - 20 * 3_600 * 10**9
        return synthetic.figured(synthetic.chain(index, 1), {"as_of_ns": as_of_ns})


def next_chain(desk: FakeDesk, name: str, n: int) -> Chain:
    made = synthetic.chain(name, n)
    if not (desk.settled and name == "NIFTY"):
        return made
    near = synthetic.EXPIRY_DAYS[0]
    return synthetic.figured(made, {"years": 0.0}, near, {"iv": math.nan, "iv_reason": 2})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("token_path")
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--paper", action="store_true")
    given = parser.parse_args()
    clock = FakeClock()
    desk = FakeDesk(clock, mode="PAPER", logged_in=False) if given.paper else FakeDesk(clock)
    config = GatewayConfig(port=given.port, token_path=given.token_path, indices=tuple(synthetic.SPOTS))
    actor = GatewayActor(config, bus=FakeBus(), clock=clock, desk=desk, last=Tape() if given.paper else None)
    actor.open()
    print("READY", flush=True)
    ended = threading.Event()
    threading.Thread(target=listen, args=(desk, ended), daemon=True).start()
    chains = [{name: synthetic.chain(name, n) for name in synthetic.SPOTS} for n in range(1, 4)]
    for n in itertools.count(4):
        if ended.wait(given.every / 1000):
            break
        chains = [*chains[1:], {name: next_chain(desk, name, n) for name in synthetic.SPOTS}]
        for name, chain in chains[-1].items():
            if desk.logged_in and not (desk.crashed and name == "NIFTY"):
                actor.on_marks(chain)
        actor.on_timer()
    actor.close()


if __name__ == "__main__":
    main()
