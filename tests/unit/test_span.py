"""Risk arrays against published ones, and what must hold of any."""

import datetime as dt
import doctest
import math
from statistics import NormalDist

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 the short name of its own documents
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StaleDataError
from core.market.margins import COMPOSITE_WEIGHTS, SCENARIOS
from core.risk import span
from core.risk.span import SpanModel, Spread, spread_charge
from core.risk.span_legs import Expiry, Market, Quote, Underlying
from tests.fakes_risk import SPOT, VOL, leg, market

# The NIFTY future of 30 June 2026 in the exchange's first file of 25 June 2026: spot 24050.35, price scan 2234.01.
PUBLISHED = [8.72, 8.72, -736.49, -736.49, 753.93, 753.93, -1481.70, -1481.70,
             1499.14, 1499.14, -2226.91, -2226.91, 2244.36, 2244.36, -1561.89, 1568.00]  # fmt: skip


def test_the_published_array_of_a_future_comes_out_to_a_quarter_of_a_percent_of_the_range() -> None:
    day, expiry, close = dt.date(2026, 6, 25), dt.date(2026, 6, 30), 2234.01 / 0.093
    index = Underlying(close=close, spot=24_050.35, expiries={expiry: Expiry(24_051.80, 0.016438, 0.99885)})
    source = SpanModel(market=Market(on=day, underlyings={"NIFTY": index}, quotes={"NIFTY26JUNFUT": Quote(24_051.80)}))
    ours = source.arrays([leg("NIFTY26JUNFUT", 1)]).losses[0]

    print(f"worst difference {np.abs(ours - PUBLISHED).max():.2f} rupees of 2234.01")
    assert np.abs(ours - PUBLISHED).max() < 0.0025 * 2234.01
    assert len(SCENARIOS) == 16
    assert sum(weight for _, weight in COMPOSITE_WEIGHTS) == pytest.approx(1.0)


def test_extremes_count_a_third_and_a_bit_of_a_move_of_twice_the_range() -> None:
    """The published array itself: 35 % of (its own carry ∓ twice its own range)."""
    carry, span_up = PUBLISHED[0], PUBLISHED[0] - PUBLISHED[10]

    assert 0.35 * (carry - 2 * span_up) == pytest.approx(PUBLISHED[14], abs=0.01)
    assert 0.35 * (carry + 2 * span_up) == pytest.approx(PUBLISHED[15], abs=0.01)


@settings(max_examples=40)
@given(st.sampled_from([22_000, 23_500, 24_400, 25_300, 27_000]), st.sampled_from(["CE", "PE"]), st.floats(0.06, 0.6))
def test_a_long_option_loses_at_most_its_price_and_a_call_loses_when_the_index_falls(
    strike: int, right: str, vol: float
) -> None:
    symbol = f"NIFTY26JUL{strike}{right}"
    found = SpanModel(market=market(symbol, vol=vol)).arrays([leg(symbol, 1)])
    losses, sign = found.losses[0], 1 if right == "CE" else -1

    assert (losses <= found.prices[0] + 1e-9).all()
    ups = losses[[12, 8, 4, 0, 2, 6, 10]] * sign  # vol up, from −1 to +1 scan range
    assert (np.diff(ups) <= 1e-9).all()
    assert (losses[0:14:2] <= losses[1:14:2] + 1e-9).all()  # a long gains by vol


@pytest.mark.parametrize("symbol", ["NIFTY26JUL24400CE", "NIFTY26JUL23000PE", "BANKNIFTY26JUL59000CE"])
def test_every_scenario_is_the_one_quantlib_prices(symbol: str) -> None:
    held, one = market(symbol), leg(symbol, 1)
    index, strike = held.underlyings[one.contract.index], one.contract.strike_paise / 100
    expiry, kind = index.expiries[one.contract.expiry], ql.Option.Call if symbol.endswith("CE") else ql.Option.Put
    left, now = expiry.years - 1 / 365, held.quotes[symbol].price
    expected = []
    for move, shift, share in SCENARIOS:
        spot = index.spot + move * 0.093 * index.close
        spread = (VOL + 0.04 * shift) * math.sqrt(left)
        worth = ql.blackFormula(kind, strike, spot * math.exp(0.07 * left), spread, math.exp(-0.07 * left))
        expected.append(share * (now - worth))

    assert SpanModel(market=held).arrays([one]).losses[0] == pytest.approx(expected, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize(("on", "share"), [(dt.date(2025, 9, 29), 0.177), (dt.date(2025, 9, 30), 0.093)])
def test_an_option_of_nine_months_and_a_day_has_the_range_of_long_dated_ones(on: dt.date, share: float) -> None:
    """The day after nine months are left to the day, and the range is the common one; a future's always is."""
    put, future = "NIFTY26JUN24400PE", "NIFTY26JUNFUT"
    held = market(put, future, on=on)
    found = SpanModel(market=held, look_ahead_years=0.0).arrays([leg(put, 1), leg(future, 1)]).losses
    years = held.underlyings["NIFTY"].expiries[dt.date(2026, 6, 30)].years
    spread, discount = (VOL + 0.04) * math.sqrt(years), math.exp(-0.07 * years)
    up = ql.blackFormula(ql.Option.Put, 24_400, SPOT * (1 + share) / discount, spread, discount)

    assert found[0, 10] == pytest.approx(held.quotes[put].price - up, rel=1e-9)
    assert found[1, 12] == pytest.approx(0.093 * SPOT / discount, rel=1e-9)


def test_deltas_are_averages_over_the_scan_range() -> None:
    symbols = ["NIFTY26JUL24400CE", "NIFTY26JUL24400PE", "NIFTY26AUGFUT"]
    call, put, future = SpanModel(market=market(*symbols)).arrays([leg(s, 1) for s in symbols]).deltas

    left, expected = 27 / 365 - 1 / 365, 0.0
    for move, weight in COMPOSITE_WEIGHTS:  # a day ahead, as the losses are
        spot = SPOT * (1 + 0.093 * move)
        d1 = (math.log(spot / SPOT) + 0.07 * left) / (VOL * math.sqrt(left)) + VOL * math.sqrt(left) / 2
        expected += weight * NormalDist().cdf(d1)

    assert future == 1.0
    assert call - put == pytest.approx(1.0, abs=1e-12)
    assert call == pytest.approx(expected, abs=1e-12)


def test_the_forward_is_shifted_where_no_spot_carries_it() -> None:
    future, call = "NIFTY26JULFUT", "NIFTY26JUL24400CE"
    source = SpanModel(market=market(future, call), carry="forward")
    found = source.arrays([leg(future, 1), leg(call, 1)])

    assert found.losses[0, 12] == pytest.approx(0.093 * SPOT)
    assert 0.95 * found.prices[1] < found.losses[1, 12] <= found.prices[1]


def test_spreads_match_each_unit_once_in_order() -> None:
    a, b, c = dt.date(2026, 7, 28), dt.date(2026, 8, 25), dt.date(2026, 9, 29)
    spreads = [Spread(a, b, 400.0), Spread(a, c, 410.0), Spread(b, c, 420.0)]

    assert spread_charge({a: 50.0, b: -30.0, c: -30.0}, spreads) == 30 * 400 + 20 * 410
    assert spread_charge({a: 50.0, b: 30.0}, spreads) == 0.0
    assert spread_charge({}, spreads) == 0.0


def test_a_leg_nobody_can_value_is_refused_by_name() -> None:
    symbol = "NIFTY26JUL24400CE"
    good = market(symbol)
    for quote, words in ((Quote(math.nan, 0.1), "no price"), (Quote(10.0, math.nan), "implied vol")):
        broken = Market(on=good.on, underlyings=good.underlyings, quotes={symbol: quote})
        with pytest.raises(StaleDataError, match=f"{symbol}.*{words}"):
            SpanModel(market=broken).arrays([leg(symbol, 1)])
    with pytest.raises(StaleDataError, match="no published volatility"):
        SpanModel(market=good, vols="ewma").arrays([leg(symbol, 1)])
    with pytest.raises(StaleDataError, match="no level or forward"):
        SpanModel(market=good).arrays([leg("NIFTY26AUG24400CE", 1)])


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(span).failed == 0
