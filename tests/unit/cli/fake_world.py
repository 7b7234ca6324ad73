"""A desk that answers from records, for the command line's tests."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from cluster.cli.world import World
from cluster.lifecycle import Step
from cluster.settings import Settings
from cluster.state import DeskState, NotRunningError, Pid
from core.errors import DeskError, InputError, UnknownName
from core.records import (
    ActorStatus,
    Alert,
    Chain,
    DeskStatus,
    Intent,
    Kill,
    LimitUse,
    Margin,
    Order,
    PlanStatus,
    PlanWord,
    Position,
    Terms,
)
from core.schemas import CONTRACTS, EXPIRIES
from tests.fakes_moves import FakeMoves

NOW = int(dt.datetime(2026, 11, 20, 9, 45, tzinfo=dt.UTC).timestamp()) * 10**9  # 15:15 IST

STATE = DeskState(
    desk=0, session_id="simulated-1", phase="READY", step="ready", mode="SIMULATED", host=Pid(1, 1.0),
    address="127.0.0.1:24000", client_url="ray://127.0.0.1:10001", dashboard_url="http://127.0.0.1:8265",
    page_url="http://127.0.0.1:8000", token_path="/desk/to ken", log_path="/desk/host.log",
)  # fmt: skip

STATUS = DeskStatus(
    desk=0, mode="SIMULATED", market_ns=NOW, market_says="simulated session of 2026-11-20, seed 7", phase="open",
    wall_ns=NOW, oms_state="ACTIVE", ledger_ok=True,
    actors=(
        ActorStatus(name="shard.NIFTY", state="READY", pid=41, incarnation=1, rss_mb=120, last_progress_ns=NOW - 10**9,
                    handled=7, gaps=0, dropped=0, refused=0),
        ActorStatus(name="oms", state="DEAD", pid=42, incarnation=2, rss_mb=90, last_progress_ns=0, handled=0, gaps=1,
                    dropped=2, refused=3, why="killed"),
    ),
    alerts=(Alert(at_wall_ns=NOW, severity="alarm", subject="oms", message="[dead] again"),),
)  # fmt: skip


def rows_of(schema: pa.Schema, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Rows of `schema`, what a row does not say being 0, NaN or empty."""
    blank = {f.name: {"string": "", "double": float("nan")}.get(str(f.type), 0) for f in schema}
    return pa.RecordBatch.from_pylist([blank | row for row in rows], schema=schema)


def chain() -> Chain:
    near, far = dt.date(2026, 12, 1), dt.date(2026, 12, 8)
    contracts = [
        {"index": "NIFTY", "symbol": f"NIFTY26D01{strike}{side}", "kind": kind, "expiry": near,
         "strike_paise": strike * 100, "last_paise": 12_345, "oi": 750, "prev_oi": 300, "iv": 0.12}
        for strike in (24_450, 24_500, 24_550)
        for kind, side in ((2, "CE"), (3, "PE"))
    ]  # fmt: skip
    expiries = [
        {"index": "NIFTY", "expiry": day, "as_of_ns": NOW - 2 * 10**9, "sequence": 9, "lot": 65, "forward": 24_512.5,
         "forward_source": "parity", "atm_forward_paise": 2_450_000, "spot_paise": 2_449_000, "atm_iv": 0.125,
         "pcr_oi": 0.9}
        for day in (near, far)
    ]  # fmt: skip
    return Chain(contracts=rows_of(CONTRACTS, contracts), expiries=rows_of(EXPIRIES, expiries))


class FakeDesk(FakeMoves):
    """core.ports.DeskClient that remembers what was sent; `refuses` is risk's answer to the next order."""

    def __init__(self, *, refuses: str = "", chain_made: bool = True) -> None:
        self.sent: list[Intent] = []
        self.refuses, self.chain_made = refuses, chain_made
        self.switch: Kill | None = None
        self.begun: dict[str, PlanStatus] = {}
        self.modified: list[tuple[str, Terms]] = []
        self.changed: list[tuple[Mapping[str, object], str, str]] = []

    def chain(self, index: str) -> Chain | None:
        return chain() if self.chain_made else None

    def status(self) -> DeskStatus:
        return STATUS

    def submit(self, intent: Intent) -> Order:
        self.sent.append(intent)
        return Order(intent=intent, state="REFUSED" if self.refuses else "OPEN", message=self.refuses)

    def modify(self, tag: str, terms: Terms) -> Order:
        self.modified.append((tag, terms))
        order = next(order for order in self.orders() if order.intent.tag == tag)
        return msgspec.structs.replace(
            order, resting_type=terms.order_type, resting_limit_paise=terms.limit_paise,
            resting_trigger_paise=terms.trigger_paise, modifications=1,
        )  # fmt: skip

    def kill(self, why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001
        self.switch = Kill(pulled=True, who=who, why=why, square_off=square_off, at_ns=NOW)
        return self.switch

    def killed(self) -> Kill | None:
        return self.switch

    def release(self, why: str, who: str) -> str:
        if self.switch is None:
            raise InputError("the kill switch is not pulled")
        self.switch = None
        return "HALTED"

    def start_plan(self, body: str) -> PlanStatus:
        made = msgspec.json.decode(body)
        said = PlanWord(plan_id=made["plan_id"], key="begun", severity="info", message="it waits", at_ns=NOW)
        begun = PlanStatus(
            plan_id=made["plan_id"], kind=made["type"], strategy=made["strategy"], index=made["index"], running=True,
            body=body, words=(said,), created_ns=made["created_ns"],
        )  # fmt: skip
        self.begun[begun.plan_id] = begun
        return begun

    def plans(self) -> Sequence[PlanStatus]:
        return list(self.begun.values())

    all_plans = plans

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        if plan_id not in self.begun:
            raise UnknownName(f"no plan {plan_id}")
        return msgspec.structs.replace(self.begun[plan_id], running=False)

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> None:
        self.changed.append((changes, who, why))

    def cancel(self, tag: str) -> Order:
        if not self.sent:
            raise DeskError(f"no order {tag} in this session")
        return Order(intent=self.sent[-1], state="CANCELLED")

    def halt(self, why: str) -> str:
        return "HALTED"

    def reduce(self, why: str) -> str:
        return "REDUCING" if self.switch is None else "HALTED"

    def resume(self) -> str:
        return "ACTIVE" if self.switch is None else "HALTED"

    def exit_all(self, why: str) -> Sequence[Order]:
        intent = Intent(tag="X", strategy="manual", index="NIFTY", symbol="NIFTY26D0124500CE", side="SELL", quantity=65,
                        order_type="MARKET", purpose="exit", reason=why)  # fmt: skip
        return [self.submit(intent)]

    def orders(self) -> Sequence[Order]:
        return [Order(intent=intent, state="OPEN") for intent in self.sent]

    def all_orders(self) -> Sequence[Order]:
        before = [msgspec.structs.replace(intent, tag=f"OLD{intent.tag}"[:20]) for intent in self.sent]
        return [*(Order(intent=intent, state="COMPLETE") for intent in before), *self.orders()]

    def positions(self) -> Sequence[Position]:
        held = Position(
            symbol="NIFTY26D0124500CE", index="NIFTY", quantity=65, average_paise=12_000.0, last_paise=12_345,
            realised_paise=0, unrealised_paise=22_425, charges_paise=2_500,
        )  # fmt: skip
        return [held]

    def budget(self) -> Sequence[LimitUse]:
        return [LimitUse(limit="orders_a_day", used=12, allowed=1_000, unit="orders a day")]

    def limits(self) -> Sequence[LimitUse]:
        return []

    def margin(self, intent: Intent) -> Margin:
        return Margin(premium_paise=80_242_500, span_paise=0, exposure_paise=0, charges_paise=2_734, estimate=True)


class Place:
    """Where desks run: records what `up` and `down` were asked."""

    def __init__(self, client: FakeDesk | None = None, *, runs: bool = True, folder: Path | None = None) -> None:
        self.client, self.runs, self.folder = client or FakeDesk(), runs, folder
        self.started: list[int] = []
        self.ended: list[int | None] = []

    def world(self) -> World:
        return World(connect=self.connect, up=self.up, down=self.down, load=self.load, state=self.state, find=self.find,
                     kill_file=self.kill_file)  # fmt: skip

    @contextmanager
    def connect(self, desk: int | None) -> Iterator[FakeDesk]:
        self.state(desk)
        yield self.client

    def up(self, settings: object, desk: int) -> Iterator[Step]:
        if self.runs:
            raise DeskError(f"desk {desk} is already up (pid 1); end it: vikalp down --desk {desk}")
        self.started.append(desk)
        self.runs = True
        yield Step("desk is ready", 1.5, done=True, session_id=STATE.session_id)

    def down(self, desk: int | None) -> Iterator[Step]:
        if not self.runs:
            raise NotRunningError("no desk is running; nothing to end")
        self.ended.append(desk)
        self.runs = False
        yield Step("desk is down", 0.5, done=True)

    def load(self, path: Path | None) -> Settings:
        return Settings()

    def kill_file(self, desk: int) -> Path:
        assert self.folder is not None, "this test touches no kill file"
        return self.folder / f"desk-{desk}" / "KILL"

    def state(self, desk: int | None) -> DeskState:
        if not self.runs:
            raise DeskError("no desk is running; start one: vikalp up")
        return msgspec.structs.replace(STATE, desk=desk or 0)

    def find(self, desk: int) -> DeskState | None:
        return msgspec.structs.replace(STATE, desk=desk) if self.runs else None
