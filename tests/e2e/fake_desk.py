"""The real gateway on an invented desk: python -m tests.e2e.fake_desk PORT TOKEN [--every MS] [--paper]. Ends with its
stdin.

Orders at or above 100 lots are refused; a BUY below 1 rupee stays open; everything else fills at once. The word `down`
on stdin makes the supervisor unreachable, `up` brings it back; `crash` shows shard.NIFTY restarting, `well` ends that;
`worn` shows every actor with restarts and gaps behind it, `fresh` ends that; `warn` and `old` raise an alert, now and
two minutes ago, `alarm` one that stays, `quiet` forgets them; `mute` takes the next order without an answer; `settle`
settles NIFTY's nearest expiry, `unsettle` ends that. With --paper its market is the live one, of which nothing comes
before `login`: until then it has a tape of NIFTY that ends twenty hours ago.
"""

import argparse
import dataclasses
import itertools
import math
import sys
import threading
import time
from typing import Literal

import msgspec

from core.errors import DeskError, UnknownName
from core.ports import Payload
from core.records import ActorStatus, Alert, Chain, DeskStatus, Intent, LimitUse, Margin, Order, Position
from gateway.actor import GatewayActor, GatewayConfig
from tests.e2e import synthetic

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


class FakeBus:
    def publish(self, topic: str, payload: Payload, *, index: str = "") -> None:
        raise AssertionError("the gateway publishes nothing")


class FakeClock:
    def __init__(self) -> None:
        self._now = synthetic.OPEN_NS

    def now_ns(self) -> int:
        return self._now

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None:
        self._now = max(self._now, to_ns)


@dataclasses.dataclass
class FakeDesk:
    clock: FakeClock
    book: dict[str, Order] = dataclasses.field(default_factory=dict)
    held: dict[str, Position] = dataclasses.field(default_factory=dict)
    down: bool = False
    crashed: bool = False
    alerts: tuple[Alert, ...] = ()
    worn: bool = False
    mute: bool = False
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
            oms_state="ACTIVE",
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

    def submit(self, intent: Intent) -> Order:
        if intent.tag in self.book:
            return self.book[intent.tag]
        self._take(intent)
        if self.mute:
            self.mute = False
            raise DeskError("oms did not answer within 5 s; see `vikalp status`")
        return self.book[intent.tag]

    def _take(self, intent: Intent) -> None:
        order = Order(intent=intent, state="OPEN", updated_ns=self.clock.now_ns())
        if intent.quantity >= 100 * synthetic.LOTS[intent.index]:
            said = f"order_size: an order may be 20 lots (asked {intent.quantity} units, allowed 20 lots)"
            order = msgspec.structs.replace(order, state="REFUSED", message=said)
        elif not (intent.side == "BUY" and intent.limit_paise < 100):
            order = self._filled(order)
        self.book[intent.tag] = order

    def _filled(self, order: Order) -> Order:
        intent = order.intent
        signed = intent.quantity if intent.side == "BUY" else -intent.quantity
        old = self.held.get(intent.symbol)
        self.held[intent.symbol] = Position(
            symbol=intent.symbol,
            index=intent.index,
            quantity=signed + (old.quantity if old else 0),
            average_paise=float(intent.limit_paise),
            last_paise=intent.limit_paise + intent.limit_paise // 10,
            realised_paise=0,
            unrealised_paise=signed * (intent.limit_paise // 10),
            charges_paise=2_360 + (old.charges_paise if old else 0),
        )
        return msgspec.structs.replace(
            order, state="COMPLETE", filled_quantity=intent.quantity, average_paise=float(intent.limit_paise)
        )

    def cancel(self, tag: str) -> Order:
        if tag not in self.book:
            raise UnknownName(f"no order {tag}; `vikalp orders` lists them")
        self.book[tag] = msgspec.structs.replace(self.book[tag], state="CANCELLED", message="cancelled by a person")
        return self.book[tag]

    def halt(self, why: str) -> str:
        return "HALTED"

    def reduce(self, why: str) -> str:
        return "REDUCING"

    def resume(self) -> str:
        return "ACTIVE"

    def exit_all(self, why: str) -> list[Order]:
        for tag, order in list(self.book.items()):
            if order.state == "OPEN":
                self.cancel(tag)
        done = [position for position in self.held.values() if position.quantity]
        for position in done:
            self.held[position.symbol] = msgspec.structs.replace(
                position, quantity=0, realised_paise=position.unrealised_paise, unrealised_paise=0
            )
        return list(self.book.values())[: len(done)]

    def orders(self) -> list[Order]:
        return list(self.book.values())

    def positions(self) -> list[Position]:
        return list(self.held.values())

    def limits(self) -> list[LimitUse]:
        entries = sum(order.state not in {"REFUSED", "CANCELLED"} for order in self.book.values())
        return [
            LimitUse(limit="market_hours", used=0, allowed=1, unit="session"),
            LimitUse(limit="stale_quote", used=0, allowed=10_000, unit="ms"),
            LimitUse(limit="order_size", used=0, allowed=20, unit="lots"),
            LimitUse(limit="position", used=31, allowed=40, unit="lots"),
            LimitUse(limit="trades_per_day", used=entries, allowed=100, unit="trades"),
            LimitUse(limit="consecutive_stops", used=0, allowed=2, unit="stops in a row"),
            LimitUse(limit="daily_loss", used=8_250.5, allowed=25_000, unit="rupees"),
        ]

    def margin(self, intent: Intent) -> Margin:
        premium = intent.quantity * intent.limit_paise if intent.side == "BUY" else 0
        span = 0 if intent.side == "BUY" else intent.quantity * 220_000
        return Margin(
            premium_paise=premium, span_paise=span, exposure_paise=span // 5, charges_paise=2_360, estimate=True
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
