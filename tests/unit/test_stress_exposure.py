"""Stress tables, the auction's jump, rupee Greeks and concentration."""

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.errors import InputError
from core.risk.concentration import concentrations
from core.risk.exposure import exposures, future_equivalents
from core.risk.span_legs import Leg
from core.risk.stress import AUCTION_JUMPS, GAPS, VOL_SHOCKS, auction_jump, stress_table
from core.risk.var_book import Positions, pnl, positions, value
from tests.fakes_risk import DAY, LOT, NEAR, SPOT, leg, market
from tests.fakes_risk import FAR as LAST

CALL, PUT, HIGH_CALL, LOW_PUT = "NIFTY26JUL24400CE", "NIFTY26JUL24400PE", "NIFTY26JUL25200CE", "NIFTY26JUL23600PE"
FUTURE, FAR, FAR_PUT, LATER = "NIFTY26JULFUT", "NIFTY26AUG24400CE", "NIFTY26AUG24400PE", "NIFTY26SEP24400CE"
ALL = (CALL, PUT, HIGH_CALL, LOW_PUT, FUTURE, FAR, FAR_PUT, LATER)
BARS = Path(__file__).parents[3] / "shared/data/market/bars/NIFTY_3m_2025-07_2026-04_and_2026-08-03.parquet"
CONDOR = (leg(CALL, -1), leg(PUT, -1), leg(HIGH_CALL, 1), leg(LOW_PUT, 1))


def book(*legs: Leg, **changes: object) -> Positions:
    return positions(legs, market(*ALL, **changes))


def test_a_future_earns_its_gap_and_no_vol_shock() -> None:
    found = stress_table(book(leg(FUTURE, 1)))
    worth = LOT * float(book(leg(FUTURE, 1)).forward[0])

    assert found.profits.shape == (len(GAPS), len(VOL_SHOCKS))
    assert np.allclose(found.profits, worth * np.array(GAPS)[:, None])
    assert found.worst == (-0.2, -0.05, pytest.approx(-0.2 * worth))


def test_a_condor_never_loses_more_than_its_wing_and_a_short_call_gains_from_calm() -> None:
    condor, short = stress_table(book(*CONDOR)), stress_table(book(leg(CALL, -1)))

    assert -condor.worst[2] < 800 * LOT
    assert short.worst[0] == 0.20
    assert (np.diff(short.profits, axis=1) <= 1e-6).all()  # vol up is a loss of a short
    assert short.profits[GAPS.index(0.0), VOL_SHOCKS.index(0.0)] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("shocks", "words"),
    [
        ({"gaps": [-1.0]}, "-100%"),
        ({"gaps": []}, "gaps are one or more"),
        ({"gaps": [math.nan]}, "gaps are one or more"),
        ({"gaps": [math.inf]}, "gaps are one or more"),
        ({"vol_shocks": []}, "vol shocks are one or more"),
        ({"vol_shocks": [0.0, math.nan]}, "vol shocks are one or more"),
        ({"elapsed_days": -1.0}, "elapsed years"),
        ({"elapsed_days": math.nan}, "elapsed years"),
    ],
)
def test_a_stress_that_is_none_is_refused(shocks: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stress_table(book(leg(FUTURE, 1)), **shocks)


def test_before_there_was_a_closing_auction_there_is_no_jump_to_it() -> None:
    first = dt.date(2026, 8, 3)

    assert auction_jump(book(leg(FAR, -1)), first).worst[0] == 0.02
    with pytest.raises(InputError, match="NIFTY has no closing auction on 2026-07-31"):
        auction_jump(book(leg(FAR, -1)), dt.date(2026, 7, 31))


def test_the_auction_settles_what_expires_and_moves_the_rest() -> None:
    day, short, later = LAST, leg(FAR, -1), leg(LATER, 1)
    held = book(short, later, on=day)  # no time left: the forward is the spot
    found = auction_jump(held, day)
    up = AUCTION_JUMPS.index(0.0082)
    settled = -LOT * 0.0082 * SPOT  # at the money: every point of the jump is the seller's
    moved = float(pnl(book(later, on=day), [[math.log1p(0.0082)]])[0])

    assert found.profits[up, 0] == pytest.approx(settled + moved, rel=1e-9)
    assert found.profits[AUCTION_JUMPS.index(0.0), 0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.skipif(not BARS.exists(), reason=f"{BARS} is not on this machine")
def test_the_jumps_are_those_of_the_first_two_days_of_the_closing_auction() -> None:
    table = pq.read_table(BARS).select(["datetime", "close"]).to_pylist()
    seen = []
    for day in (3, 4):
        rows = [row for row in table if row["datetime"].date() == dt.date(2026, 8, day)]
        frozen = next(row["close"] for row in rows if row["datetime"].time() >= dt.time(15, 15))
        seen.append(round(rows[-1]["close"] / frozen - 1, 4))

    assert seen == [0.0082, 0.0062]
    assert {*seen, *(-jump for jump in seen)} <= set(AUCTION_JUMPS)


def test_what_the_auction_takes_from_a_straddle_is_its_time_value_first() -> None:
    held = book(leg(FAR, -1), leg(FAR_PUT, -1), on=DAY)
    quiet = auction_jump(held, LAST, jumps=[0.0]).profits[0, 0]
    forward = float(held.forward[0])

    assert quiet == pytest.approx(
        -value(held).sum() - LOT * float(held.discount[0] ** 0) * abs(forward - SPOT), rel=0.02
    )


def test_rupee_greeks_predict_small_profits() -> None:
    held = book(*CONDOR, leg(FAR, 2), leg(FUTURE, -1))
    found = exposures(held).total
    move, point = 0.001, 0.0001
    by_move = float(pnl(held, [[math.log1p(move)]])[0])
    by_vol = float(pnl(held, [[0.0]], [[point]])[0])
    by_day = float(pnl(held, [[0.0]], elapsed_years=0.01 / 365)[0])

    assert by_move == pytest.approx(found.delta * 100 * move + found.gamma * (100 * move) ** 2 / 2, rel=1e-3)
    assert by_vol == pytest.approx(found.vega * point * 100, rel=1e-3)
    assert by_day == pytest.approx(found.theta * 0.01, rel=1e-3)


def test_exposures_add_up_by_index_and_by_expiry() -> None:
    found = exposures(book(*CONDOR, leg(FAR, 2), leg(FUTURE, -1)))

    assert found.by_index["NIFTY"] == pytest.approx(found.total)
    assert np.allclose(np.sum(list(found.by_expiry.values()), axis=0), found.total)
    assert len(found.by_expiry) == 2
    assert exposures(book()).total == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("measure", ["notional", "premium", "vega", "gamma"])
def test_shares_add_up_to_one_and_the_largest_is_named(measure: str) -> None:
    found = concentrations(book(leg(CALL, -3), leg(PUT, -1), leg(FAR, 1)), measure)

    for part in (found.by_index, found.by_expiry, found.by_side, found.by_leg):
        assert sum(part.shares.values()) == pytest.approx(1.0)
        assert part.largest_share == max(part.shares.values()) == part.shares[part.largest]
        assert 1 / len(part.shares) <= part.hhi + 1e-12 <= 1.0 + 1e-9
    assert found.by_leg.largest == CALL
    assert found.by_index.shares == {"NIFTY": 1.0}
    assert found.by_expiry.largest == ("NIFTY", NEAR)


def test_vega_and_gamma_are_each_their_own_share() -> None:
    """The near leg has the gamma, the far one the vega; both told by revaluation, bumped up and down."""
    held = book(leg(CALL, -2), leg(FAR, 2))
    step, point = 1e-3, 1e-4
    up, down = (pnl(held, [[math.log1p(move)]], by_leg=True)[:, 0] for move in (step, -step))
    gamma = np.abs(up + down)
    vega = np.abs(pnl(held, [[0.0]], [[point]], by_leg=True)[:, 0])

    for measure, weights in (("gamma", gamma), ("vega", vega)):
        found = concentrations(held, measure).by_leg.shares
        assert found[CALL] == pytest.approx(weights[0] / weights.sum(), rel=1e-3)
    assert gamma[0] / gamma[1] > 1.4
    assert vega[0] / vega[1] < 0.75


def test_a_leg_that_cannot_be_measured_is_no_book_without_concentration() -> None:
    held = book(leg(CALL, -1), leg(PUT, -1))
    broken = held._replace(years=np.array([held.years[0], math.nan]))

    for measure in ("premium", "vega", "gamma"):
        with pytest.raises(InputError, match=f"the {measure} of {PUT} is no number"):
            concentrations(broken, measure)


def test_sides_are_told_by_the_forward_and_opposites_do_not_cancel() -> None:
    found = concentrations(book(leg(HIGH_CALL, 1), leg(LOW_PUT, -1), leg(FUTURE, 2)))

    assert found.by_side.shares == pytest.approx({"future": 0.5, "call above": 0.25, "put below": 0.25})
    assert concentrations(book()).by_leg.largest is None


def test_a_call_less_its_put_is_one_future_to_the_position_limits() -> None:
    held = book(leg(CALL, 2), leg(PUT, -2), leg(FUTURE, -1))
    found = future_equivalents(held)["NIFTY"]
    forward = float(held.forward[0])

    assert found.long == pytest.approx(2 * LOT * forward)  # a short put is long, as the call is
    assert found.short == pytest.approx(LOT * forward)
    assert found.net == pytest.approx(LOT * forward)
