"""The paper broker's stops, IOC and after-market orders, modifications and funds."""

import datetime as dt

import pyarrow as pa
import pytest

from brokers.paper import PaperBroker
from brokers.paper_rules import MOST_MODIFICATIONS
from core.market import to_ns
from core.orders.machine import terms
from core.orders.plans.plan import GttLeg, PlaceGtt
from core.records import Order, Terms
from tests.fakes_ledger import MemoryStore
from tests.fakes_orders import IST, LOT, NOON, SECOND, SYMBOL, HandClock, intent, ticks

BID, ASK = 34_900, 35_000
STOP: dict[str, object] = {"order_type": "SL", "trigger_paise": 35_200, "limit_paise": 35_400}


def at(text: str) -> int:
    return to_ns(dt.datetime.fromisoformat(text).replace(tzinfo=IST))


class Bench:
    """A book of a bid and an ask, last traded at the ask; the volume goes on with `trade`."""

    def __init__(self) -> None:
        self.store, self.clock, self.volume = MemoryStore(), HandClock(), 1_000
        self.broker = PaperBroker(self.store, self.clock)
        self.show()

    def restart(self) -> None:
        self.broker = PaperBroker(self.store, self.clock)

    def show(self, bid: int = BID, ask: int = ASK, *, last: int = ASK, size: int = 100, traded: int = 0) -> bool:
        self.volume += traded
        batch = ticks(bids=[(bid, size)], asks=[(ask, size)], last=last, at_ns=self.clock.now)
        place = batch.schema.get_field_index("volume")
        return self.broker.on_ticks(batch.set_column(place, batch.schema.field(place), pa.array([self.volume])))

    def place(self, tag: str = "A", **changes: object) -> Order:
        answer = self.broker.place(intent(tag, **changes))
        assert answer.kind == "ACK", answer.message
        return self[tag]

    def refused(self, **changes: object) -> str:
        answer = self.broker.place(intent("R", **changes))
        assert (answer.kind, self.broker.find("R")) == ("REFUSED", None)
        return answer.message

    def modify(self, tag: str = "A", **changes: object) -> str:
        asked = Terms(**({"order_type": "LIMIT", "limit_paise": BID} | changes))
        answer = self.broker.modify(self[tag].broker_id, asked)
        return "" if answer.kind == "ACK" else f"{answer.kind}: {answer.message}"

    def fills(self) -> list[tuple[str, int, int]]:
        return [(fill.tag, fill.quantity, fill.price_paise) for fill in self.broker.trades()]

    def __getitem__(self, tag: str) -> Order:
        order = self.broker.find(tag)
        assert order is not None
        return order


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_stop_waits_for_the_last_price_and_then_takes_the_book_up_to_its_limit(bench: Bench) -> None:
    bench.place(**STOP, quantity=10 * LOT)
    waiting = bench.show(bid=35_100, ask=35_150, last=35_195)
    reached = bench.show(bid=35_190, ask=35_350, last=35_200)

    assert (waiting, reached, bench.fills()) == (False, True, [("A", 100, 35_350)])
    bench.show(bid=35_100, ask=35_150, last=35_150)  # it rests at its limit now, whatever the last price is
    assert (bench["A"].state, bench.fills()[1:]) == ("COMPLETE", [("A", 100, 35_400)])


def test_a_stop_that_triggered_stays_so_after_a_restart(bench: Bench) -> None:
    bench.place(**STOP)
    bench.show(bid=35_250, ask=35_500, last=35_200)
    bench.restart()
    bench.show(bid=35_000, ask=35_300, last=35_000)

    assert (bench["A"].state, bench.fills()) == ("COMPLETE", [("A", LOT, 35_400)])


def test_a_stop_that_did_not_trigger_waits_on_after_a_restart(bench: Bench) -> None:
    bench.place(**STOP)
    bench.restart()
    bench.show()

    assert (bench["A"].state, bench.fills()) == ("OPEN", [])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (STOP | {"trigger_paise": ASK}, "buy orders should be higher than the last traded price (350.00)"),
        (STOP | {"side": "SELL", "trigger_paise": ASK, "limit_paise": 34_000}, "sell orders should be lower than"),
        (STOP | {"limit_paise": 35_100}, "Trigger price can't be higher than price"),
        (STOP | {"trigger_paise": 35_201}, "Tick size"),
        ({"symbol": "NIFTY2590924500CE", "index": "NIFTY", "quantity": 75, "order_type": "SL", "trigger_paise": 10_000,
          "limit_paise": 12_005}, "16448"),
    ],
)  # fmt: skip
def test_a_stop_that_is_none_is_refused_in_kites_words(bench: Bench, changes: dict[str, object], says: str) -> None:
    assert says in bench.refused(**changes)


def test_an_ioc_order_takes_what_is_there_and_its_rest_is_cancelled(bench: Bench) -> None:
    bench.place("A", validity="IOC", quantity=10 * LOT)
    bench.place("B", validity="IOC", limit_paise=BID)
    bench.show(ask=BID)

    assert (bench["A"].state, bench["A"].filled_quantity) == ("CANCELLED", 100)
    assert (bench["B"].state, bench["B"].filled_quantity) == ("CANCELLED", 0)


def test_an_order_that_rests_fills_by_what_trades_at_its_price_behind_what_was_there(bench: Bench) -> None:
    bench.place(limit_paise=BID, quantity=2 * LOT)
    assert bench.show(last=BID, traded=99) is False
    assert bench.show(last=BID, traded=1 + LOT) is True
    assert bench.show(last=ASK, traded=500) is False  # above its limit
    bench.show(last=BID, traded=LOT)
    assert (bench.fills(), bench["A"].state) == ([("A", LOT, BID)] * 2, "COMPLETE")


def test_an_order_modified_to_another_price_joins_the_queue_anew_and_at_the_same_price_keeps_its_place(
    bench: Bench,
) -> None:
    bench.place("A", limit_paise=BID)
    bench.place("B", limit_paise=BID)
    assert bench.modify("A", limit_paise=BID - 5) == bench.modify("A", limit_paise=BID) == ""
    assert (bench["A"].modifications, terms(bench["A"]).limit_paise) == (2, BID)
    bench.show(last=BID, traded=100 + LOT)
    assert bench.fills() == [("B", LOT, BID)]


def test_a_modified_order_takes_what_it_now_reaches(bench: Bench) -> None:
    bench.place(limit_paise=BID)
    assert bench.modify(limit_paise=ASK) == ""
    assert (bench["A"].state, bench.fills()) == ("COMPLETE", [("A", LOT, ASK)])


def test_a_resting_stop_is_modified_into_the_target_and_back(bench: Bench) -> None:
    """One order rests: the bracket's way."""
    sell = {"side": "SELL", "order_type": "SL", "trigger_paise": 34_000, "limit_paise": 33_500}
    bench.place(**sell)
    assert bench.modify(order_type="LIMIT", limit_paise=36_000) == ""
    bench.show(last=33_900)
    assert (bench["A"].state, terms(bench["A"])) == ("OPEN", Terms(order_type="LIMIT", limit_paise=36_000))
    bench.show()
    stop = Terms(order_type="SL", limit_paise=33_900, trigger_paise=34_100)
    assert bench.modify(**{name: getattr(stop, name) for name in stop.__struct_fields__}) == ""
    assert (terms(bench["A"]), bench.fills()) == (stop, [])
    bench.show(bid=34_000, ask=34_200, last=34_100)
    assert bench.fills() == [("A", LOT, 34_000)]


def test_a_limit_order_becomes_a_protected_market_order(bench: Bench) -> None:
    bench.place(limit_paise=BID, quantity=10 * LOT)
    assert bench.modify(order_type="MARKET", limit_paise=0) == ""
    assert (terms(bench["A"]), bench["A"].filled_quantity) == (Terms(order_type="LIMIT", limit_paise=35_700), 100)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limit_paise": BID + 1}, "Tick size"),
        ({"limit_paise": 0}, "Tick size"),
        ({"order_type": "SL", "limit_paise": 35_500, "trigger_paise": ASK}, "higher than the last traded price"),
        ({"order_type": "SL", "limit_paise": 35_100, "trigger_paise": 35_200}, "can't be higher than price"),
    ],
)
def test_what_is_no_order_is_no_modification(bench: Bench, changes: dict[str, object], says: str) -> None:
    before = bench.place(limit_paise=BID - 100)
    assert says in bench.modify(**changes)
    assert bench["A"] == before


def test_an_order_is_modified_so_often_and_while_it_stands(bench: Bench) -> None:
    bench.place(limit_paise=BID)
    said = [bench.modify(limit_paise=BID - 5 * (n % 2)) for n in range(1, MOST_MODIFICATIONS + 2)]
    assert said == [""] * 25 + ["REFUSED: Maximum allowed order modifications exceeded."]
    bench.broker.cancel(bench["A"].broker_id)
    assert "cannot be changed as it is cancelled" in bench.modify()
    assert "does not exist" in bench.broker.modify("NOSUCH", Terms(order_type="LIMIT", limit_paise=BID)).message
    bench.place("B", limit_paise=BID)
    bench.clock.now = at("2025-09-05 15:31")
    assert "closed" in bench.modify("B", limit_paise=BID - 5)


def test_a_modification_whose_commit_fails_is_unknown_and_the_store_decides(bench: Bench) -> None:
    bench.place(limit_paise=BID)
    bench.store.down = True
    never = bench.broker.modify("PAPERA", Terms(order_type="LIMIT", limit_paise=BID - 5))
    bench.store.down, bench.store.lost = False, True
    done = bench.broker.modify("PAPERA", Terms(order_type="LIMIT", limit_paise=BID - 10))
    bench.store.lost = False

    assert (never.kind, done.kind) == ("UNKNOWN", "UNKNOWN")
    assert (terms(bench["A"]).limit_paise, bench["A"].modifications) == (BID - 10, 1)


def test_an_after_market_order_is_taken_in_its_windows_and_arrives_at_the_open(bench: Bench) -> None:
    assert "not taken at this time" in bench.refused(variety="amo")
    bench.clock.now = at("2025-09-05 16:00")
    assert "closed" in bench.refused()
    assert "blocked" in bench.refused(variety="amo", order_type="MARKET", limit_paise=0)
    bench.place(variety="amo", created_ns=bench.clock.now)
    bench.clock.now = at("2025-09-08 09:14:59")
    bench.restart()
    bench.show()
    assert (bench["A"].state, bench.fills()) == ("OPEN", [])
    bench.clock.now = at("2025-09-08 09:15")
    bench.show()
    assert (bench["A"].state, bench.fills()) == ("COMPLETE", [("A", LOT, ASK)])


def test_an_after_market_order_is_modified_and_cancelled_in_the_night_and_over_with_its_day(bench: Bench) -> None:
    bench.clock.now = at("2025-09-05 16:00")
    for tag in ("A", "B"):
        bench.place(tag, variety="amo", created_ns=bench.clock.now)
    assert bench.modify("A", limit_paise=BID) == ""
    assert "blocked" in bench.modify("A", order_type="MARKET", limit_paise=0)
    assert bench.broker.cancel(bench["B"].broker_id).kind == "ACK"
    bench.clock.now = at("2025-09-08 09:12")
    assert "not taken" in bench.modify("A", limit_paise=BID - 5)
    bench.clock.now = at("2025-09-08 12:00")
    bench.show()
    assert (bench["A"].state, bench["B"].state, bench.fills()) == ("OPEN", "CANCELLED", [])
    bench.clock.now = at("2025-09-09 09:16")
    bench.show(ask=BID)
    assert (bench["A"].state, bench.fills()) == ("CANCELLED", [])


def test_an_after_market_order_for_another_day_than_the_books_is_refused_in_words(bench: Bench) -> None:
    friday, monday = dt.date(2025, 9, 5), dt.date(2025, 9, 8)
    bench.clock.now = at("2025-09-05 16:00")
    bench.broker = PaperBroker(bench.store, bench.clock, day=friday)
    words = bench.refused(variety="amo")
    assert "the paper book of 2025-09-05" in words
    assert "for 2025-09-08 would not be in that day's" in words
    bench.broker = PaperBroker(bench.store, bench.clock, day=monday)
    bench.place(variety="amo", created_ns=bench.clock.now)


def test_a_modification_is_refused_in_a_closed_market_though_its_order_is_still_on_its_way() -> None:
    bench = Bench()
    bench.broker = PaperBroker(bench.store, bench.clock, latency_ms=200)
    bench.show()
    bench.place(limit_paise=BID)
    bench.clock.now = at("2025-09-05 15:31")
    assert "Markets are closed" in bench.modify(limit_paise=BID - 5)


def test_after_the_end_of_its_turn_nothing_is_placed_or_modified_and_a_cancel_still_is(bench: Bench) -> None:
    bench.place(limit_paise=BID)
    bench.broker.begin(2 * SECOND)
    bench.clock.sleep(3)
    assert "the time for it is over" in bench.refused()
    assert "the time for it is over" in bench.modify(limit_paise=BID - 5)
    assert bench["A"].modifications == 0
    assert bench.broker.cancel(bench["A"].broker_id).kind == "ACK"


def test_an_after_market_stop_whose_trigger_the_open_has_passed_is_rejected(bench: Bench) -> None:
    bench.clock.now = at("2025-09-05 16:00")
    bench.place(**STOP, variety="amo", created_ns=bench.clock.now)
    bench.clock.now = at("2025-09-08 09:15:01")
    bench.show(last=35_300)
    assert (bench["A"].state, bench.fills()) == ("REJECTED", [])
    assert "higher than the last traded price" in bench["A"].message


def test_funds_are_the_cash_less_what_the_trades_have_cost(bench: Bench) -> None:
    before = bench.broker.margins()
    bench.place("A")
    bought = bench.broker.margins()
    bench.place("B", side="SELL", limit_paise=BID, quantity=2 * LOT)
    short = bench.broker.margins()

    assert (before.available_paise, before.used_paise, before.at_ns) == (10_00_000_00, 0, NOON)
    assert bought.used_paise == LOT * ASK
    assert short.used_paise == LOT * (ASK - BID), "what the short has brought stays blocked"
    assert short.available_paise + short.used_paise == 10_00_000_00


def test_an_order_on_its_way_arrives_after_a_restart_too() -> None:
    bench = Bench()
    bench.broker = PaperBroker(bench.store, bench.clock, latency_ms=200)
    bench.show()
    bench.place()
    bench.restart()
    bench.clock.now = NOON + SECOND // 5
    bench.show(ask=34_950)
    assert bench.fills() == [("A", LOT, 34_950)], "at the book's price, not at its own"


def test_among_our_own_an_order_modified_away_and_back_comes_last(bench: Bench) -> None:
    inside = (BID + ASK) // 2
    bench.place("A", limit_paise=inside)
    bench.place("B", limit_paise=inside)
    assert bench.modify("A", limit_paise=inside - 5) == bench.modify("A", limit_paise=inside) == ""
    bench.show(last=inside, traded=LOT)
    assert bench.fills() == [("B", LOT, inside)]


def test_on_paper_there_are_no_conversions_and_no_triggers(bench: Bench) -> None:
    legs = (GttLeg(trigger_paise=BID, limit_paise=BID), GttLeg(trigger_paise=36_000, limit_paise=36_000))
    asked = PlaceGtt(name="G", symbol=SYMBOL, side="SELL", quantity=LOT, last_paise=ASK, legs=legs)
    said = (bench.broker.convert(SYMBOL, "NRML", "MIS", LOT), bench.broker.place_gtt(asked),
            bench.broker.cancel_gtt("1"))  # fmt: skip
    assert [answer.kind for answer in said] == ["REFUSED"] * 3
    assert "on paper" in said[0].message
    assert "on paper" in said[1].message
    assert bench.broker.gtts() == []
