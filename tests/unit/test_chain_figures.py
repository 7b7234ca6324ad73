"""The figures of an expiry, each by itself: small cases by hand, and which way each one moves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain.atm import nearest
from core.chain.expiry import average_vol
from core.chain.max_pain import max_pain, payout
from core.chain.pcr import ratio
from core.chain.quality import forward_part, quality, share, spread_part
from core.chain.quotes import believed, sane, traded
from core.chain.sentiment import (
    max_pain_part,
    oi_change_part,
    pcr_part,
    risk_reversal,
    sentiment,
    skew_part,
)

OI = st.lists(st.integers(0, 10_000_000), min_size=9, max_size=9)
CHANGE = st.lists(st.integers(-100_000, 100_000), min_size=4, max_size=4)
PART = st.floats(-1, 1)
SHARE = st.floats(0, 1)
STRIKES = np.array([22000, 22500, 22800, 23000, 23050, 23100, 23500, 24000, 26000]) * 100


def test_the_nearest_strike_is_a_listed_one_and_a_tie_goes_down() -> None:
    strikes = np.array([24000_00, 24300_00, 24350_00])

    assert nearest(strikes, 24100_00) == 0  # a grid of 50 would say 24100
    assert nearest(strikes, 24325_00) == 1
    assert nearest(strikes, 99999_00) == 2
    assert [nearest(strikes, level) for level in (0, math.nan, math.inf, -5)] == [-1] * 4
    assert nearest(np.empty(0, np.int64), 100) == -1


@settings(max_examples=60)
@given(OI, OI)
def test_max_pain_is_a_listed_strike_that_pays_least(calls: list[int], puts: list[int]) -> None:
    call_oi, put_oi = np.array(calls), np.array(puts)
    found = max_pain(STRIKES, call_oi, put_oi)
    if not any(calls + puts):
        assert found == 0
        return
    by_hand = [
        sum(c * max(at - k, 0) + p * max(k - at, 0) for k, c, p in zip(STRIKES.tolist(), calls, puts, strict=True))
        for at in STRIKES.tolist()
    ]

    assert payout(STRIKES, call_oi, put_oi).tolist() == by_hand
    assert found == STRIKES[by_hand.index(min(by_hand))]


@settings(max_examples=60)
@given(OI, OI, st.integers(1, 100_000))
def test_pcr_rises_with_a_put_and_falls_with_a_call(calls: list[int], puts: list[int], more: int) -> None:
    put, call = sum(puts), sum(calls) + 1
    assert ratio(put + more, call) > ratio(put, call)
    assert ratio(put, call + more) <= ratio(put, call)
    assert pcr_part(put + more, call) > pcr_part(put, call)
    assert pcr_part(put, call + more) <= pcr_part(put, call)
    assert -1 <= pcr_part(put, call) <= 1


def test_a_ratio_to_nothing_is_nan() -> None:
    assert math.isnan(ratio(5, 0))
    assert math.isnan(pcr_part(0, 0))


@settings(max_examples=100)
@given(CHANGE, CHANGE, st.integers(0, 3), st.integers(1, 50_000))
def test_the_oi_part_never_falls_when_a_put_is_written(puts: list[int], calls: list[int], at: int, more: int) -> None:
    before = oi_change_part(np.array(puts), np.array(calls))
    raised, sold = list(puts), list(calls)
    raised[at] += more
    sold[at] += more
    bullish, bearish = oi_change_part(np.array(raised), np.array(calls)), oi_change_part(np.array(puts), np.array(sold))

    assert not any(part < -1 or part > 1 for part in (before, bullish, bearish))
    if not math.isnan(before):
        assert math.isnan(bullish) or bullish >= before - 1e-12
        assert math.isnan(bearish) or bearish <= before + 1e-12


@given(st.tuples(PART, PART, PART, PART), st.integers(0, 3), st.floats(0, 1))
def test_sentiment_rises_with_each_part_and_stays_in_range(parts: tuple[float, ...], at: int, share_up: float) -> None:
    raised = list(parts)
    raised[at] += share_up * (1 - raised[at])

    assert sentiment(*raised).score >= sentiment(*parts).score - 1e-12
    assert -1 - 1e-12 <= sentiment(*parts).score <= 1 + 1e-12


def test_an_unknown_part_of_sentiment_leans_nowhere() -> None:
    assert sentiment(1.0, math.nan, math.nan, 0.0).score == pytest.approx(0.35)
    assert math.isnan(sentiment(*[math.nan] * 4).score)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.05, 1))
def test_the_skew_and_max_pain_parts_rise_with_their_figures(low: float, high: float, vol: float) -> None:
    low, high = sorted((low, high))

    assert -1 <= skew_part(low, vol) <= skew_part(high, vol) <= 1
    assert max_pain_part(100 + low, 100, 100 * vol) <= max_pain_part(100 + high, 100, 100 * vol)
    assert math.isnan(skew_part(low, math.nan))
    assert math.isnan(max_pain_part(0, 100, 10))


def test_the_risk_reversal_reads_both_wings_at_25_delta() -> None:
    call_delta, call_vol = np.array([0.4, 0.2, math.nan]), np.array([0.10, 0.12, 0.5])
    put_delta, put_vol = np.array([-0.1, -0.3]), np.array([0.20, 0.16])

    assert risk_reversal(call_delta, call_vol, put_delta, put_vol) == pytest.approx(0.115 - 0.17)
    assert math.isnan(risk_reversal(call_delta[:1], call_vol[:1], put_delta, put_vol))


@given(st.tuples(SHARE, SHARE, SHARE, SHARE, SHARE), st.integers(0, 4), SHARE)
def test_quality_rises_with_each_part_and_stays_in_range(parts: tuple[float, ...], at: int, share_up: float) -> None:
    raised = list(parts)
    raised[at] += share_up * (1 - raised[at])

    assert quality(*raised).score >= quality(*parts).score - 1e-12
    assert -1e-12 <= quality(*parts).score <= 1 + 1e-12


@given(st.floats(1, 500), st.floats(0.05, 50), st.floats(0, 50))
def test_a_wider_spread_and_a_larger_error_are_worse(mid: float, spread: float, more: float) -> None:
    both = np.array([True])
    tight = spread_part(np.array([mid - spread / 2]), np.array([mid + spread / 2]), both)
    wide = spread_part(np.array([mid - spread / 2 - more]), np.array([mid + spread / 2 + more]), both)

    assert 0 <= wide <= tight + 1e-9
    assert tight <= 1
    assert forward_part(spread + more, 25_000) <= forward_part(spread, 25_000) <= 1


def test_quality_of_nothing_is_nothing() -> None:
    nothing = np.empty(0)

    assert share(np.empty(0, bool)) == 0
    assert spread_part(nothing, nothing, np.empty(0, bool)) == 0
    assert forward_part(math.nan, 25_000) == 0
    assert quality(0, 0, 0, 0, 0).score == 0
    assert quality(1, 1, 1, 1, 1).score == pytest.approx(1)


def test_the_price_is_the_middle_of_a_sane_quote_else_the_last_trade_else_nothing() -> None:
    bid = np.array([10.0, 10.0, 0.0, 12.0, 0.05, 11475.5, 0.0, 0.0, 0.0, 9.5, 9.0])
    ask = np.array([10.2, 30.0, 10.2, 10.0, 0.15, 12123.9, 0.0, 0.0, 8.5, 0.0, 9.0])
    last = np.array([9.0, 11.0, 9.0, 11.0, 9.0, 11900.0, 0.0, 9.0, 9.0, 9.0, 9.0])
    volume = np.array([5, 5, 5, 5, 5, 5, 5, 0, 5, 5, 0])
    two_sided = sane(bid, ask, np.full(11, 31_500.0))
    found = believed(bid, ask, traded(bid, ask, last, volume), two_sided)

    assert np.flatnonzero(two_sided).tolist() == [0, 4, 10]
    assert found[[0, 1, 2, 4, 5, 10]].tolist() == pytest.approx([10.1, 11, 9, 0.1, 11900, 9])
    assert np.isnan(found[[3, 6, 7, 8, 9]]).all()  # crossed, nothing, not today, above the ask, below the bid


def test_the_average_vol_is_weighted_by_vega() -> None:
    vol, vega = np.array([0.1, 0.2, math.nan]), np.array([3.0, 1.0, math.nan])

    assert average_vol(vol, vega) == pytest.approx(0.125)
    assert math.isnan(average_vol(vol[2:], vega[2:]))
