"""The order's states, tags and validity: rules that hold whatever news comes, in whatever order."""

import datetime as dt
import itertools
import re
import uuid
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, UnknownName
from core.market import to_ns
from core.orders import validity
from core.orders.machine import TRANSITIONS, Tally, advance, born, event_of, noted, refused, remaining, with_fill
from core.orders.tag import check_tag, make_tag
from core.records import LIVE, Fill, Order, OrderEvent, OrderState
from tests.fakes_orders import IST, LOT, NOON, intent

EVERY: tuple[OrderState, ...] = get_args(OrderState)
STATES = ("JOURNALLED", "UNKNOWN", "OPEN", "COMPLETE", "CANCELLED", "REJECTED")
ORDER = born(intent(quantity=5 * LOT), NOON)
EVENTS = st.builds(
    OrderEvent,
    tag=st.just("A"),
    state=st.sampled_from(STATES),
    at_ns=st.integers(NOON, NOON + 1_000),
    filled_quantity=st.integers(0, 6 * LOT),
    message=st.sampled_from(("", "words")),
)
FILLS = st.builds(
    Fill,
    trade_id=st.uuids().map(str),
    tag=st.just("A"),
    strategy=st.just("s"),
    index=st.just("SENSEX"),
    symbol=st.just(ORDER.intent.symbol),
    side=st.just("BUY"),
    quantity=st.just(LOT),
    price_paise=st.integers(1, 100_000).map(lambda price: price * 5),
    at_ns=st.integers(NOON, NOON + 1_000),
)


def in_state(state: OrderState, filled: int = 0) -> Order:
    return msgspec.structs.replace(ORDER, state=state, filled_quantity=filled, updated_ns=NOON + 5)


def heard(state: OrderState, filled: int = 0) -> OrderEvent:
    return OrderEvent(tag="A", state=state, at_ns=NOON + 7, filled_quantity=filled, message="heard")


def test_the_table_has_every_pair_of_states_and_no_other() -> None:
    assert set(TRANSITIONS) == set(itertools.product(EVERY, EVERY))
    assert set(TRANSITIONS.values()) == set(EVERY)


@pytest.mark.parametrize(("now", "told"), list(itertools.product(EVERY, EVERY)))
def test_of_every_pair_an_end_stays_and_nothing_goes_back(now: OrderState, told: OrderState) -> None:
    after = TRANSITIONS[now, told]
    order = advance(in_state(now), heard(told))

    assert order.state == after
    assert TRANSITIONS[after, told] == after, "told twice"
    if now not in LIVE or told == "REFUSED":
        assert after == now
        assert order == in_state(now), "an end is final in every field, and a refusal is of an order never sent"
    elif told not in LIVE:
        assert after == told
    else:
        assert after == max(now, told, key=EVERY.index), "of two states of a life the later one, whichever came first"
    assert (order.message, order.updated_ns) == (("heard", NOON + 7) if after != now else ("", NOON + 5))


@pytest.mark.parametrize(("now", "told"), list(itertools.product(EVERY, sorted(LIVE))))
def test_what_fills_the_last_of_an_order_completes_it_if_it_has_not_ended(now: OrderState, told: OrderState) -> None:
    whole = advance(in_state(now), heard(told, filled=9 * LOT))

    assert whole.state == ("COMPLETE" if now in LIVE else now)
    assert (whole.filled_quantity, remaining(whole)) == (5 * LOT, 0), "never beyond what was asked"


@pytest.mark.parametrize(("now", "filled"), list(itertools.product(EVERY, range(0, 5 * LOT, LOT))))
def test_what_remains_is_what_was_asked_less_what_filled_until_the_end(now: OrderState, filled: int) -> None:
    order = in_state(now, filled)

    assert remaining(order) == (5 * LOT - filled if now in LIVE else 0)
    assert (noted(order, "words", NOON) == order) == (now not in LIVE)


def test_the_first_id_a_broker_gave_stays_and_another_one_is_no_news() -> None:
    first = advance(ORDER, heard("OPEN"), broker_id="B1")

    assert advance(first, heard("OPEN"), broker_id="B2") == first


@given(st.lists(EVENTS | FILLS, max_size=12))
def test_whatever_comes_an_end_is_final_and_fills_only_grow(news: list[OrderEvent | Fill]) -> None:
    order, tally = ORDER, Tally()
    for item in news:
        before = order
        if isinstance(item, Fill):
            tally = tally.add(item)
            order = with_fill(order, item, tally)
            assert order.state not in {"JOURNALLED", "UNKNOWN"}
        else:
            order = advance(order, item)
        assert before.filled_quantity <= order.filled_quantity <= order.intent.quantity
        assert before.state in LIVE or order.state == before.state
        assert order.updated_ns >= before.updated_ns
        if order.state in LIVE:
            assert STATES.index(order.state) >= STATES.index(before.state)
            assert order.filled_quantity < order.intent.quantity
        assert advance(order, event_of(order)) == order


@given(st.lists(EVENTS, max_size=8))
def test_hearing_it_all_again_changes_nothing_once_it_has_ended(news: list[OrderEvent]) -> None:
    order = ORDER
    for event in news:
        order = advance(order, event)
    again = order
    for event in news:
        again = advance(again, event)

    if order.state not in LIVE:
        assert (again.state, again.filled_quantity) == (order.state, order.filled_quantity)


def test_the_average_is_of_the_fills() -> None:
    fills = [Fill(trade_id=str(n), tag="A", strategy="s", index="SENSEX", symbol=ORDER.intent.symbol, side="BUY",
                  quantity=LOT * n, price_paise=100 * n, at_ns=NOON) for n in (1, 2)]  # fmt: skip
    one = with_fill(ORDER, fills[0], Tally().add(fills[0]))
    two = with_fill(one, fills[1], Tally().add(fills[0]).add(fills[1]))

    assert (two.filled_quantity, remaining(two)) == (3 * LOT, 2 * LOT)
    assert two.average_paise == pytest.approx((100 + 2 * 200) / 3)


def test_news_of_another_order_is_an_error() -> None:
    with pytest.raises(InputError, match="B"):
        advance(ORDER, OrderEvent(tag="B", state="OPEN", at_ns=NOON))


def test_a_refused_order_is_ended() -> None:
    order = refused(intent(), NOON, "too many")

    assert advance(order, OrderEvent(tag="A", state="OPEN", at_ns=NOON)) == order
    assert remaining(order) == 0


@given(st.text(max_size=40))
def test_a_tag_is_twenty_of_base32_and_the_same_for_the_same_seed(seed: str) -> None:
    tag = make_tag(seed)

    assert re.fullmatch("[A-Z2-7]{20}", tag)
    assert tag == make_tag(seed) == check_tag(tag)


def test_fresh_seeds_give_different_tags() -> None:
    assert len({make_tag(uuid.UUID(int=number).bytes) for number in range(1_000)}) == 1_000


@pytest.mark.parametrize("tag", ["", "a", "A B", "A" * 21, "Ä", "A\n"])
def test_what_is_no_tag_is_refused_with_the_remedy(tag: str) -> None:
    with pytest.raises(InputError, match="without one a new tag is made"):
        check_tag(tag)


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ({}, []),
        ({"order_type": "MARKET", "limit_paise": 0}, []),
        ({"quantity": LOT + 1}, ["lot"]),
        ({"quantity": 0}, ["lot"]),
        ({"quantity": -LOT}, ["lot"]),
        ({"quantity": 1000 * LOT}, ["freeze"]),
        ({"limit_paise": 35_001}, ["tick"]),
        ({"limit_paise": 0}, ["price"]),
        ({"limit_paise": -5}, ["price"]),
        ({"order_type": "MARKET"}, ["price"]),
        ({"quantity": 7, "limit_paise": 3}, ["lot", "tick"]),
        ({"created_ns": NOON - 86_400 * 10**9}, ["day"]),
    ],
)
def test_every_broken_rule_is_named(changes: dict[str, object], limits: list[str]) -> None:
    assert [refusal.limit for refusal in validity.check(intent(**changes), NOON)] == limits


def test_an_expired_contract_is_refused() -> None:
    later = to_ns(dt.datetime(2025, 9, 12, 10, 0, tzinfo=IST))

    assert [refusal.limit for refusal in validity.check(intent(), later)] == ["expiry"]


@pytest.mark.parametrize(
    "symbol",
    [
        "NIFTY2690324350CE",  # a Thursday
        "NIFTY26O0224350CE",  # a holiday
        "BANKNIFTY2690652000CE",  # a Sunday, and no weeklies since 2024
        "BANKNIFTY2690152000CE",  # a Tuesday
        "NIFTY31MAR24350CE",  # farther than anything is listed
    ],
)
def test_a_contract_that_nobody_lists_is_refused(symbol: str) -> None:
    index = "BANKNIFTY" if symbol.startswith("BANK") else "NIFTY"
    now = to_ns(dt.datetime(2026, 8, 20, 12, 0, tzinfo=IST))
    units = {"NIFTY": 65, "BANKNIFTY": 30}[index]
    refusals = validity.check(intent(symbol=symbol, index=index, side="SELL", quantity=units), now)

    assert [refusal.limit for refusal in refusals] == ["expiry"]
    assert "does not exist" in refusals[0].why
    assert validity.check(intent(symbol=symbol, index=index, purpose="exit", quantity=units), now) == ()
    assert validity.check(intent(symbol="NIFTY2690124350CE", index="NIFTY", quantity=65), now) == ()


@pytest.mark.parametrize(("time", "limits"), [("15:39:59", []), ("15:40:00", ["expiry"]), ("15:45:00", ["expiry"])])
def test_after_its_last_trade_a_contract_takes_no_order(time: str, limits: list[str]) -> None:
    now = to_ns(dt.datetime.combine(dt.date(2026, 9, 1), dt.time.fromisoformat(time), IST))
    order = intent(symbol="NIFTY2690124350CE", index="NIFTY", quantity=65)

    assert [refusal.limit for refusal in validity.check(order, now)] == limits


def test_a_monthly_symbol_means_the_contract_listed_that_day() -> None:
    """In November 2025 March's SENSEX monthly was listed for the 26th, a holiday announced later moved it."""
    order = intent(symbol="SENSEX26MAR80000CE")

    assert validity.check(order, to_ns(dt.datetime(2025, 11, 20, 12, 0, tzinfo=IST))) == ()
    assert validity.check(order, to_ns(dt.datetime(2026, 3, 20, 12, 0, tzinfo=IST))) == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"symbol": "NOSUCH"}, UnknownName),
        ({"index": "NOSUCH"}, UnknownName),
        ({"index": "NIFTY"}, UnknownName),
        ({"symbol": "SENSEX25SEPFUT"}, InputError),
        ({"side": "LONG"}, InputError),
        ({"order_type": "SL-M"}, InputError),
        ({"purpose": "fun"}, InputError),
        ({"product": "CNC"}, InputError),
    ],
)
def test_what_is_no_order_at_all_raises(changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        validity.check(intent(**changes), NOON)
