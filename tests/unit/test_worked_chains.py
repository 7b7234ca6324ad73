"""The three worked chains of docs/analytics.md, with the numbers that stand there."""

import math

import pytest

from core.chain import Book, analyse
from core.pricing import price
from core.schemas import Kind
from tests.fakes_numbers import NOW_NS, option, row, ticks

C, P = Kind.CALL, Kind.PUT


def expiry_of(*rows: dict[str, object], rate: float = 0.0) -> dict[str, object]:
    chain = analyse(
        Book.empty("NIFTY").updated(ticks(*rows)), as_of_ns=NOW_NS, sequence=1, rate=rate, max_age_ns=3 * 10**9
    )
    (found,) = chain.expiries.to_pylist()
    return found


def test_chain_one_positions() -> None:
    found = expiry_of(
        option(C, 100, last=12, volume=100, oi=10, prev_oi=10),
        option(C, 110, last=5, volume=200, oi=20, prev_oi=10),
        option(C, 120, last=1, volume=100, oi=40, prev_oi=50),
        option(P, 100, last=1, volume=50, oi=30, prev_oi=20),
        option(P, 110, last=4, volume=100, oi=20, prev_oi=20),
        option(P, 120, last=11, volume=150, oi=10, prev_oi=5),
    )

    assert found["max_pain_paise"] == 110_00
    assert (found["call_oi"], found["put_oi"]) == (70, 60)
    assert (found["call_volume"], found["put_volume"]) == (400, 300)
    assert found["pcr_oi"] == pytest.approx(60 / 70)
    assert found["pcr_volume"] == pytest.approx(0.75)
    assert found["pcr_premium"] == pytest.approx(2100 / 2300)
    assert found["sentiment_pcr"] == pytest.approx(-1 / 13)
    assert found["sentiment_oi_change"] == pytest.approx(3 / 7)


def test_chain_two_forward() -> None:
    rows = [
        option(kind, strike, bid=mid - 0.05, ask=mid + 0.05)
        for kind, strike, mid in [
            (C, 95, 7.0),
            (P, 95, 1.0),
            (C, 100, 3.5),
            (P, 100, 2.5),
            (C, 105, 1.2),
            (P, 105, 5.2),
        ]
    ]
    found = expiry_of(row("NIFTY", last_paise=97_00), *rows)

    assert found["forward"] == pytest.approx(101)
    assert found["forward_source"] == "parity"
    assert found["forward_error"] == pytest.approx(math.sqrt(1 / 600))
    assert (found["atm_spot_paise"], found["atm_forward_paise"]) == (95_00, 100_00)
    assert found["atm_straddle"] == pytest.approx(6.0)
    assert found["years"] == pytest.approx((39 - 5 / 1440) / 365)  # to the end of the closing auction, 15:35
    assert found["atm_iv"] == pytest.approx(0.227, abs=0.0005)
    assert price(1, 101, 100, found["years"], found["atm_iv"], 1.0) == pytest.approx(3.5)
    assert found["expected_move"] == pytest.approx(101 * found["atm_iv"] * math.sqrt(found["years"]))

    stale = option(P, 105, bid=9.15, ask=9.25)
    found = expiry_of(*rows[:5], stale)
    assert found["forward"] == pytest.approx(101)


def test_chain_three_quality() -> None:
    found = expiry_of(
        option(C, 100, bid=4.9, ask=5.1),
        option(P, 100, bid=4.9, ask=5.1),
        option(C, 110, last=1.5, volume=50, exchange_ns=NOW_NS - 10 * 10**9),
        option(P, 110),
    )

    assert (found["contracts"], found["quoted"], found["iv_count"]) == (4, 3, 3)
    assert found["forward"] == pytest.approx(100)
    assert found["quality_fresh"] == pytest.approx(2 / 3)
    assert found["quality_two_sided"] == pytest.approx(1 / 2)
    assert found["quality_spread"] == pytest.approx(0.35)
    assert found["quality_iv"] == pytest.approx(1)
    assert found["quality_forward"] == pytest.approx(0.1239, abs=0.0001)
    assert found["quality"] == pytest.approx(0.5741, abs=0.0001)
