"""The paper broker: durable before it answers, fills as the book allows, says no in the broker's words."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import pytest

from brokers.paper import PaperBroker
from core.errors import LedgerDown
from core.market import to_ns
from core.matching.queue import Place
from core.records import Fill, Order
from tests.fakes_ledger import MemoryStore
from tests.fakes_orders import IST, LOT, NOON, SECOND, SYMBOL, HandClock, intent, ticks

BOOK = ticks(bids=[(34_900, 100)], asks=[(35_000, 30), (35_100, 100)])


class Bench:
    def __init__(self, *, latency_ms: int = 0) -> None:
        self.store, self.clock, self.latency_ms = MemoryStore(), HandClock(), latency_ms
        self.broker = self.restart()
        self.broker.on_ticks(BOOK)

    def restart(self) -> PaperBroker:
        self.broker = PaperBroker(self.store, self.clock, latency_ms=self.latency_ms)
        return self.broker


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_marketable_limit_walks_the_depth_and_the_rest_waits(bench: Bench) -> None:
    answer = bench.broker.place(intent(quantity=2 * LOT))
    order = bench.broker.find("A")

    assert answer.kind == "ACK"
    assert (order.state, order.filled_quantity, order.average_paise) == ("OPEN", 30, 35_000)
    assert [(f.quantity, f.price_paise) for f in bench.broker.trades()] == [(30, 35_000)]
    assert bench.broker.on_ticks(ticks(asks=[(35_050, 500)])) is False  # beyond its limit
    assert bench.broker.on_ticks(ticks(asks=[(34_950, 500)])) is True
    assert (bench.broker.find("A").state, bench.broker.trades()[1].price_paise) == ("COMPLETE", 35_000)


def test_what_one_order_took_the_next_does_not_find(bench: Bench) -> None:
    bench.broker.place(intent("A"))
    bench.broker.place(intent("B"))

    assert bench.broker.find("A").filled_quantity == LOT
    assert bench.broker.find("B").filled_quantity == 10


def test_a_market_order_becomes_a_protected_limit_in_the_book(bench: Bench) -> None:
    bench.broker.place(intent(order_type="MARKET", limit_paise=0, quantity=10 * LOT))
    order = bench.broker.find("A")

    assert (order.intent.order_type, order.intent.limit_paise) == ("LIMIT", 35_700)
    assert (order.state, order.filled_quantity) == ("OPEN", 130)


def test_a_killed_broker_knows_its_book_again(bench: Bench) -> None:
    bench.broker.place(intent(quantity=2 * LOT))
    before = bench.broker.book(), bench.broker.trades()
    broker = bench.restart()

    assert (broker.book(), broker.trades()) == before
    broker.on_ticks(ticks(asks=[(34_950, 500)]))
    assert [fill.trade_id for fill in broker.trades()] == ["PAPERA-1", "PAPERA-2"]
    assert broker.find("A").state == "COMPLETE"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"symbol": "SENSEX2591180600PE"}, "No quote"),
        ({"quantity": LOT + 1}, "multiple of 20"),
        ({"quantity": 1000 * LOT}, "freeze"),
        ({"limit_paise": 35_001}, "Tick size"),
        ({"symbol": "NOSUCH"}, "NOSUCH"),
    ],
)
def test_it_refuses_in_words_and_keeps_nothing(bench: Bench, changes: dict[str, object], words: str) -> None:
    answer = bench.broker.place(intent(**changes))

    assert (answer.kind, bench.broker.book(), bench.store.orders) == ("REFUSED", [], {})
    assert words in answer.message


def test_its_positions_are_its_trades_by_contract_and_product_also_after_a_restart(bench: Bench) -> None:
    bench.broker.place(intent("A", quantity=LOT))
    bench.broker.place(intent("B", quantity=LOT, product="MIS"))
    bench.broker.place(intent("C", quantity=LOT, side="SELL", limit_paise=30_000))
    before = bench.broker.positions()

    assert dict(before) == {(SYMBOL, "NRML"): 0, (SYMBOL, "MIS"): 10}  # 30 were for sale
    assert bench.restart().positions() == before


def test_it_refuses_outside_the_session_and_after_expiry(bench: Bench) -> None:
    bench.clock.now = to_ns(dt.datetime(2025, 9, 5, 18, 0, tzinfo=IST))
    closed = bench.broker.place(intent())
    bench.clock.now = to_ns(dt.datetime(2025, 9, 12, 12, 0, tzinfo=IST))
    expired = bench.broker.place(intent())

    assert "closed" in closed.message
    assert "expired" in expired.message


def test_a_second_order_with_a_tag_is_refused(bench: Bench) -> None:
    bench.broker.place(intent())

    assert "already exists" in bench.broker.place(intent()).message
    assert len(bench.broker.book()) == 1


def test_a_commit_that_fails_is_unknown_and_the_store_decides(bench: Bench) -> None:
    bench.store.down = True
    never = bench.broker.place(intent("A"))
    bench.store.down, bench.store.lost = False, True
    done = bench.broker.place(intent("B"))
    bench.store.lost = False

    assert (never.kind, done.kind) == ("UNKNOWN", "UNKNOWN")
    assert bench.broker.find("A") is None
    assert bench.broker.find("B").filled_quantity == LOT


def test_a_fill_that_cannot_be_committed_did_not_happen(bench: Bench) -> None:
    bench.broker.place(intent(limit_paise=34_500))
    bench.store.down = True
    with pytest.raises(LedgerDown):
        bench.broker.on_ticks(ticks(asks=[(34_000, 100)]))
    bench.store.down = False
    unfilled = bench.broker.find("A")
    bench.broker.on_ticks(ticks(asks=[(34_000, 100)]))

    assert unfilled.filled_quantity == 0
    assert bench.broker.find("A").state == "COMPLETE"
    assert len(bench.broker.trades()) == 1


def test_cancel_takes_the_rest_out_of_the_book(bench: Bench) -> None:
    answer = bench.broker.place(intent(quantity=2 * LOT))
    first = bench.broker.cancel(answer.broker_id)
    bench.broker.on_ticks(ticks(asks=[(100, 500)]))

    assert (first.kind, bench.broker.find("A").state, bench.broker.find("A").filled_quantity) == (
        "ACK",
        "CANCELLED",
        30,
    )
    assert bench.broker.cancel(answer.broker_id).kind == "REFUSED"
    assert "does not exist" in bench.broker.cancel("NOSUCH").message


def test_latency_is_market_time_until_the_order_meets_a_book() -> None:
    bench = Bench(latency_ms=200)
    bench.broker.place(intent())
    at_once = bench.broker.find("A").filled_quantity
    bench.clock.now = NOON + SECOND // 10
    bench.broker.on_ticks(BOOK)
    early = bench.broker.find("A").filled_quantity
    bench.clock.now = NOON + SECOND // 5
    bench.broker.on_ticks(ticks(asks=[(34_950, 500)]))

    assert (at_once, early) == (0, 0)
    assert (bench.broker.find("A").state, bench.broker.trades()[0].price_paise) == ("COMPLETE", 34_950)


def test_it_fills_the_same_for_the_same_day() -> None:
    runs = []
    for _ in range(2):
        bench = Bench()
        for number in range(5):
            bench.broker.place(intent(f"O{number}", quantity=2 * LOT, limit_paise=34_950 + 50 * number))
            bench.broker.on_ticks(ticks(bids=[(34_800, 50)], asks=[(34_900 + 50 * number, 25)]))
        runs.append(msgspec.json.encode((bench.broker.book(), bench.broker.trades())))

    assert runs[0] == runs[1]
    assert SYMBOL.encode() in runs[0]


def test_an_order_ends_with_its_day(bench: Bench) -> None:
    """Risk counts nothing of yesterday as working, so nothing of yesterday may fill."""
    bench.broker.place(intent(limit_paise=34_000, created_ns=NOON))
    bench.clock.now = NOON + 3 * 24 * 3600 * SECOND
    bench.restart().on_ticks(ticks(asks=[(33_000, 500)], at_ns=bench.clock.now))
    order = bench.broker.book()[0]

    assert (order.state, order.filled_quantity, bench.broker.trades()) == ("CANCELLED", 0, [])
    assert "day" in order.message


class LateStore(MemoryStore):
    """Its first save is not answered, and lands only after the book was read anew."""

    late: tuple[Order, Sequence[Fill], Place] | None = None

    def save(self, order: Order, fills: Sequence[Fill], place: Place) -> None:
        if self.late is None:
            self.late = (order, fills, place)
            raise LedgerDown("no answer, but the commit is on its way")
        super().save(order, fills, place)


def test_two_orders_never_share_an_id_whatever_became_of_the_first_ones_commit(bench: Bench) -> None:
    store = bench.store = LateStore()
    broker = bench.restart()
    broker.on_ticks(BOOK)
    answers = [broker.place(intent("A")), broker.place(intent("B"))]
    assert store.late is not None
    MemoryStore.save(store, *store.late)

    assert [answer.kind for answer in answers] == ["UNKNOWN", "ACK"]
    assert len({order.broker_id for order in store.orders.values()}) == 2
    assert len({fill.trade_id for fill in store.fills}) == len(store.fills) == 2
