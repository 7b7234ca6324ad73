"""What a chain believes: which prices, and which forward with what error."""

import datetime as dt
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pricing import Reason
from core.schemas import Kind
from tests.fakes_numbers import EXPIRY, NOW_NS, SECOND, chain_of, future_of, option, row, smile

C, P = Kind.CALL, Kind.PUT
WEEK = dt.date(2026, 11, 30)
HOUR = 3600 * SECOND


def test_the_last_price_of_an_earlier_day_is_no_price() -> None:
    yesterday = [option(kind, 25_000, last=last, volume=0) for kind, last in ((C, 45.0), (P, 793.0))]
    chain = chain_of(future_of(25_000, 25_001), *yesterday)
    (month,) = chain.expiries.to_pylist()

    assert chain.contracts.column("iv_reason").to_pylist() == [Reason.NO_PRICE] * 2
    assert all(math.isnan(month[name]) for name in ("atm_iv", "atm_straddle", "expected_move"))
    assert (month["quoted"], month["quality_iv"], month["quality_fresh"]) == (0, 0, 0)


@settings(max_examples=100, deadline=None)
@given(*[st.sampled_from([0, 5, 2000, 4000, 4005, 9000]) | st.integers(0, 20_000)] * 3, st.integers(0, 1))
def test_a_price_lies_within_whatever_is_quoted(bid: int, ask: int, last: int, volume: int) -> None:
    quote = dict(
        option(C, 25_000, volume=volume), last_paise=last, bid_paise=[bid] + [0] * 4, ask_paise=[ask] + [0] * 4
    )
    found = chain_of(future_of(), quote).contracts.to_pylist()[0]["price"] * 100

    if math.isnan(found):
        assert last == 0 or not volume or last < bid or 0 < ask < last
    else:
        assert bid - 1e-9 <= found <= (ask or math.inf) + 1e-9
        assert volume or bid


def test_a_last_price_that_the_standing_quote_contradicts_is_no_price() -> None:
    sold = option(C, 25_000, ask=40, last=60, volume=10)
    bought = option(C, 25_100, bid=90, last=30, volume=10)
    inside = option(C, 25_200, bid=20, last=30, volume=10)
    chain = chain_of(future_of(25_000, 25_001), sold, bought, inside)

    assert chain.contracts.column("iv_reason").to_pylist() == [Reason.NO_PRICE, Reason.NO_PRICE, Reason.OK]


def aged(rows: list[dict[str, object]], seconds: int) -> list[dict[str, object]]:
    return [dict(r, exchange_ns=NOW_NS - seconds * SECOND) for r in rows]


@pytest.mark.parametrize("seconds", [4, 600])
@pytest.mark.parametrize("fresh_strikes", [3, 10, 18])
def test_the_forward_is_that_of_the_pairs_that_are_fresh(fresh_strikes: int, seconds: int) -> None:
    """21 strikes, two rows each; the market has moved by fifty points since the older were quoted."""
    cut = 2 * (21 - fresh_strikes)
    chain = chain_of(*aged(smile(WEEK, 25_000)[:cut], seconds), *smile(WEEK, 25_050)[cut:])
    (week,) = chain.expiries.to_pylist()

    assert week["forward"] == pytest.approx(25_050, abs=0.1)
    assert week["forward_error"] < 0.2


def test_pairs_that_are_all_old_say_how_far_the_market_may_have_moved() -> None:
    errors = []
    for seconds in (0, 10, 3600, 86_400):
        rows = [row("NIFTY", last_paise=25_500_00), *aged(smile(WEEK, 25_000), seconds)]
        at = NOW_NS - 2 * HOUR
        (week,) = chain_of(
            *[dict(r, exchange_ns=int(str(r["exchange_ns"])) - 2 * HOUR) for r in rows], as_of_ns=at
        ).expiries.to_pylist()
        errors.append((week["forward_source"], week["forward_error"], week["quality_forward"]))

    assert [source for source, _, _ in errors] == ["parity", "parity", "parity", "spot"]
    # An index at 15 % a year of 252 sessions, at the lowest of the ten strikes.
    assert [error for _, error, _ in errors[1:3]] == pytest.approx(
        [24_800 * 0.15 * math.sqrt(s / (252 * 22_500)) for s in (10, 3600)], rel=0.01
    )
    assert errors[0][1] < 0.1
    assert [quality for _, _, quality in errors[:3]] == sorted((q for _, _, q in errors[:3]), reverse=True)


def test_a_future_is_not_held_to_what_options_said_a_minute_ago() -> None:
    errors = {}
    for seconds in (0, 60):
        chain = chain_of(future_of(25_104, 25_106), *aged(smile(EXPIRY, 25_100), seconds))
        errors[seconds] = chain.expiries.to_pylist()[0]["forward_error"]

    assert errors == {0: pytest.approx(5, abs=0.1), 60: 1}  # in a minute an index at 15 % a year moves by 12
