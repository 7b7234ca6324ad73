"""The order manager, risk and the paper broker on a real PostgreSQL: nothing lost, nothing doubled, whatever dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from actors.oms.oms import OmsActor, OmsConfig
from actors.risk.risk import RiskActor, RiskConfig
from brokers.paper import PaperBroker
from core.errors import LedgerDown, LedgerFenced
from core.records import Order
from storage.broker_store import PostgresBrokerStore
from storage.ledger import PostgresLedger, migrate
from storage.postgres import PostgresServer
from tests.fakes_orders import INDEX, LOT, NOON, SECOND, SYMBOL, HandClock, ListBus, intent, ticks
from tests.unit.storage.conftest import free_port
from tests.unit.test_risk_actor import chain
from tests.world_oms import WIDE

BOOK = {"bids": [(34_900, 400)], "asks": [(35_000, 3 * LOT)]}


class Desk:
    """One session on one database: `process` makes an order manager with its broker, as a new process would."""

    def __init__(self, dsn: str, session: str) -> None:
        self.dsn, self.session, self.clock = dsn, session, HandClock()
        self.links: list[PostgresLedger | PostgresBrokerStore] = []
        self.risk = RiskActor(RiskConfig(), bus=ListBus(), clock=self.clock, ledger=self.ledger())
        self.risk.open()
        self.risk.on_marks(chain())

    def ledger(self) -> PostgresLedger:
        self.links.append(PostgresLedger(self.dsn, self.session, timeout_s=3))
        return self.links[-1]

    def process(self, *, quoted: bool = True) -> OmsActor:
        store = PostgresBrokerStore(self.dsn, self.session, timeout_s=3)
        self.links.append(store)
        oms = OmsActor(
            OmsConfig(indices=(INDEX,), budget=WIDE),
            bus=ListBus(),
            clock=self.clock,
            ledger=self.ledger(),
            broker=PaperBroker(store, self.clock),
            risk=self.risk,
        )
        oms.open()
        if quoted:
            oms.on_ticks(ticks(**BOOK))
        return oms

    def close(self) -> None:
        for link in self.links:
            link.close()


@pytest.fixture
def desks() -> Iterator[Callable[[str, str], Desk]]:
    made: list[Desk] = []

    def make(dsn: str, session: str) -> Desk:
        made.append(Desk(dsn, session))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def own_server(place: Path) -> Iterator[PostgresServer]:
    """A server of this test's own, to be killed."""
    server = PostgresServer(place / "data", place / "run", free_port())
    server.start()
    migrate(server.dsn)
    yield server
    server.stop()


def told(orders: object) -> dict[str, tuple[str, int]]:
    assert isinstance(orders, list)
    return {o.intent.tag: (o.state, o.filled_quantity) for o in orders if isinstance(o, Order)}


def test_a_second_order_manager_knows_every_fill_and_stops_the_first(
    dsn: str, desks: Callable[[str, str], Desk]
) -> None:
    desk = desks(dsn, "oms-two")
    first = desk.process()
    first.submit(intent("FILLED", quantity=2 * LOT))
    desk.clock.sleep(3)  # the same order at once is a duplicate
    first.submit(intent("PARTLY", quantity=2 * LOT))
    second = desk.process(quoted=False)
    late = first.submit(intent("LATE"))

    assert told(second.orders()) == {"FILLED": ("COMPLETE", 2 * LOT), "PARTLY": ("OPEN", LOT)}
    assert [replace(p, last_paise=0, unrealised_paise=0) for p in first.positions()] == second.positions()
    assert second.positions()[0].quantity == 3 * LOT
    assert (late.state, first.state(), second.state()) == ("REFUSED", "HALTED", "ACTIVE")
    assert set(told(desk.ledger().orders())) == {"FILLED", "PARTLY"}
    assert [fill.quantity for fill in desk.ledger().fills()] == [2 * LOT, LOT]
    assert {use.limit: use.used for use in desk.risk.limits()}["position"] == 3


def test_the_rest_fills_after_a_restart_once_and_risk_hears_of_it(dsn: str, desks: Callable[[str, str], Desk]) -> None:
    desk = desks(dsn, "oms-rest")
    desk.process().submit(intent("A", quantity=4 * LOT))
    again = desk.process()
    desk.clock.sleep(1)
    again.on_ticks(ticks(asks=[(34_950, 400)], at_ns=NOON + SECOND))
    again.on_ticks(ticks(asks=[(34_950, 400)], at_ns=NOON + 2 * SECOND))
    third = desk.process()

    assert told(third.orders()) == {"A": ("COMPLETE", 4 * LOT)}
    assert [(fill.quantity, fill.price_paise) for fill in desk.ledger().fills()] == [(3 * LOT, 35_000), (LOT, 35_000)]
    assert (third.positions()[0].symbol, third.positions()[0].quantity) == (SYMBOL, 4 * LOT)


def test_a_killed_server_stops_entries_and_loses_no_order(
    own_server: PostgresServer, desks: Callable[[str, str], Desk]
) -> None:
    desk = desks(own_server.dsn, "oms-killed")
    oms = desk.process()
    oms.submit(intent("FILLED", quantity=LOT))
    oms.submit(intent("RESTS", limit_paise=34_000))
    before = told(oms.orders())
    backends = psutil.Process(own_server.pid).children()
    os.kill(own_server.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(backends, timeout=10)  # one that has not noticed yet still takes a refusal
    assert (alive, own_server.alive) == ([], False)

    refused = oms.submit(intent("WHILEDOWN"))
    assert (refused.state, oms.state()) == ("REFUSED", "HALTED")
    assert "nothing was sent" in refused.message
    with pytest.raises(LedgerDown):
        desk.ledger().orders()

    own_server.start()
    wait(lambda: oms.on_timer() or oms.state() == "ACTIVE")  # type: ignore[func-returns-value]
    desk.clock.sleep(3)  # the same order at once is a duplicate
    oms.on_ticks(ticks(**BOOK, at_ns=NOON + 4 * SECOND))
    assert told(oms.orders()) == before == {"FILLED": ("COMPLETE", LOT), "RESTS": ("OPEN", 0)}
    assert told(PostgresBrokerStore(desk.dsn, desk.session).load()[0]) == before
    assert oms.submit(intent("WHILEDOWN")).state == "COMPLETE"
    assert told(desk.process().orders()) == before | {"WHILEDOWN": ("COMPLETE", LOT)}


def test_what_a_person_wants_of_the_order_manager_is_kept_under_its_epoch(
    make_ledger: Callable[..., PostgresLedger],
) -> None:
    ledger = make_ledger()
    epoch = ledger.take_epoch()
    before = ledger.standing()
    ledger.record_standing(epoch, "HALTED", "kill switch")
    newer = make_ledger()
    newer.take_epoch()

    assert (before, newer.standing()) == (None, ("HALTED", "kill switch"))
    with pytest.raises(LedgerFenced):
        ledger.record_standing(epoch, "ACTIVE", "an old one")
    assert newer.standing() == ("HALTED", "kill switch")


def wait(happened: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
