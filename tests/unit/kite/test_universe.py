"""The universe that follows the money, and how it lies on the links."""

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, InputError
from core.market.symbols import VIX, Contract
from core.market.universe import Band, Catalogue, Watch
from core.schemas import Kind

ON = dt.date(2026, 11, 20)
DAYS = (dt.date(2026, 11, 23), dt.date(2026, 12, 1), dt.date(2026, 12, 29))
# Strikes as exchanges list them: close near the money, coarse in the wings.
STRIKES = [*range(20_000, 24_000, 500), *range(24_000, 28_000, 50), *range(28_000, 32_001, 500)]


def option(index: str, day: dt.date, strike: int, kind: Kind) -> Contract:
    return Contract(index, kind, day, strike * 100, f"{index} {day} {strike} {kind.name}")


def listed(index: str) -> list[Contract]:
    out = [Contract(index, Kind.INDEX, None, 0, index)]
    out += [Contract("NIFTY", Kind.INDEX, None, 0, VIX)] if index == "NIFTY" else []
    out += [Contract(index, Kind.FUTURE, day, 0, f"{index} {day} FUT") for day in DAYS]
    return out + [option(index, day, s, k) for day in DAYS for s in STRIKES for k in (Kind.CALL, Kind.PUT)]


CONTRACTS = [*listed("NIFTY"), *listed("SENSEX")]
CATALOGUE = Catalogue(CONTRACTS, ON)
SYMBOLS = [one.symbol for one in CONTRACTS]
NARROW = {"NIFTY": Band(strikes=3, slack=2, expiries=2)}
LEVELS = st.floats(15_000_00, 40_000_00) | st.sampled_from([0.0, math.nan, 24_000_00, 25_975_00])
HELD = st.lists(st.sampled_from(SYMBOLS), max_size=12)
BANDS = st.builds(Band, st.integers(0, 12), st.integers(0, 5), st.integers(0, 3))
ALL = 9_000


def names(watch: Watch) -> set[str]:
    return {one.symbol for one in watch.contracts}


def strikes(watch: Watch, day: dt.date = DAYS[0], index: str = "NIFTY") -> list[int]:
    found = {one.strike_paise // 100 for one in watch.contracts if (one.index, one.expiry) == (index, day)}
    return sorted(found - {0})


def place(level: float) -> int:
    """By brute force: the lowest of the nearest strikes."""
    return min(range(len(STRIKES)), key=lambda i: (abs(STRIKES[i] * 100 - level), i))


def test_it_is_the_level_the_futures_and_the_strikes_about_the_money() -> None:
    watch = CATALOGUE.choose(Watch(), levels={"NIFTY": 26_012_00}, bands=NARROW, most=ALL)

    assert strikes(watch) == strikes(watch, DAYS[1]) == list(range(25_750, 26_300, 50))
    assert not strikes(watch, DAYS[2])
    assert {"NIFTY", VIX, *(f"NIFTY {day} FUT" for day in DAYS)} <= names(watch)
    assert len(watch.contracts) == 5 + 2 * 2 * 11
    assert not any(one.index == "SENSEX" for one in watch.contracts)
    assert watch.left_out == 0


def test_the_money_of_an_expiry_is_at_its_forward_where_it_is_known() -> None:
    forwards = {("NIFTY", DAYS[0]): math.nan, ("NIFTY", DAYS[1]): 26_500_00.0}
    watch = CATALOGUE.choose(Watch(), levels={"NIFTY": 26_000_00}, forwards=forwards, bands=NARROW, most=ALL)
    middles = [watch.middles["NIFTY", day] for day in DAYS[:2]]
    assert middles == [26_000_00, 26_500_00]


def test_no_band_is_about_an_expiry_beyond_the_last_listed_future_but_what_is_held_of_it_is_watched() -> None:
    near = [one for one in CONTRACTS if one.kind != Kind.FUTURE or one.expiry != DAYS[2]]
    held = f"NIFTY {DAYS[2]} 26000 CALL"
    wide = {"NIFTY": Band(strikes=1, slack=0, expiries=4)}
    watch = Catalogue(near, ON).choose(Watch(), levels={"NIFTY": 26_000_00}, bands=wide, most=ALL, held=[held])
    assert {one.expiry for one in watch.contracts if one.strike_paise and one.symbol != held} == set(DAYS[:2])
    assert held in names(watch)


def test_an_expired_contract_is_not_watched_and_a_held_one_nobody_lists_is_said() -> None:
    later = Catalogue(CONTRACTS, DAYS[0] + dt.timedelta(days=1))
    gone = f"NIFTY {DAYS[0]} 26000 CALL"
    watch = later.choose(Watch(), levels={"NIFTY": 26_000_00}, bands=NARROW, most=ALL, held=[gone, gone])
    assert watch.unlisted == (gone,)
    assert {one.expiry for one in watch.contracts if one.strike_paise} == set(DAYS[1:])


@given(st.lists(st.floats(25_950_00, 26_049_00), max_size=20))
def test_a_level_that_swings_within_the_slack_changes_nothing(swings: list[float]) -> None:
    watch = first = CATALOGUE.choose(Watch(), levels={"NIFTY": 26_000_00}, bands=NARROW, most=ALL)
    for level in swings:
        watch = CATALOGUE.choose(watch, levels={"NIFTY": level}, bands=NARROW, most=ALL)
        assert watch == first


@given(st.lists(LEVELS, min_size=1, max_size=12), BANDS)
def test_the_band_has_the_money_in_it_and_has_moved_no_farther_than_it_must(path: list[float], band: Band) -> None:
    watch, reach = Watch(), band.strikes + band.slack
    day, before = DAYS[0], None
    for level in path:
        watch = CATALOGUE.choose(watch, levels={"NIFTY": level}, bands={"NIFTY": band}, most=ALL)
        now = strikes(watch)
        if band.expiries == 0 or (not level > 0 and before is None):
            assert not now
            continue
        if not level > 0:
            assert now == before
            continue
        money = place(level)
        assert set(STRIKES[max(money - band.strikes, 0) : money + band.strikes + 1]) <= set(now)
        bands = [
            STRIKES[max(middle - reach, 0) : middle + reach + 1]
            for middle in range(max(money - band.slack, 0), min(money + band.slack, len(STRIKES) - 1) + 1)
        ]
        assert now in bands
        if before is not None:
            assert len({*now} & {*before}) == max(len({*one} & {*before}) for one in bands)
            if {len(one) for one in bands} == {2 * reach + 1}:  # none is cut off by the end of the listing
                assert len({*now} ^ {*before}) == min(len({*one} ^ {*before}) for one in bands)
        before = now
        assert watch.middles["NIFTY", day] // 100 in now


@given(st.lists(st.tuples(LEVELS, LEVELS, HELD), min_size=1, max_size=6), BANDS, st.integers(12, 400))
def test_the_limit_is_kept_nothing_held_is_dropped_and_the_farthest_go_first(
    path: list[tuple[float, float, list[str]]], band: Band, most: int
) -> None:
    watch = Watch()
    for nifty, sensex, held in path:
        levels, bands = {"NIFTY": nifty, "SENSEX": sensex}, {"NIFTY": band, "SENSEX": band}
        free = CATALOGUE.choose(watch, levels=levels, bands=bands, held=held, most=ALL)
        watch = CATALOGUE.choose(watch, levels=levels, bands=bands, held=held, most=most)

        assert len(names(watch)) == len(watch.contracts) <= most
        assert set(held) <= names(watch)
        assert len(watch.contracts) + watch.left_out == len(free.contracts)
        assert names(watch) <= names(free)
        assert watch.middles == free.middles
        optional = [one for one in free.contracts if one.strike_paise and one.symbol not in held]
        far = {one.symbol: _distance(one, free) for one in optional}
        kept = [far[name] for name in far if name in names(watch)]
        left = [far[name] for name in far if name not in names(watch)]
        assert max(kept, default=0) <= min(left, default=99)
        assert free.left_out == 0


def _distance(one: Contract, watch: Watch) -> int:
    assert one.expiry is not None
    middle = watch.middles[one.index, one.expiry] // 100
    return abs(STRIKES.index(one.strike_paise // 100) - STRIKES.index(middle))


def test_more_held_than_can_be_watched_is_an_error() -> None:
    with pytest.raises(InputError, match="3 contracts are held"):
        CATALOGUE.choose(Watch(), levels={}, bands={}, most=2, held=SYMBOLS[:3])
    with pytest.raises(ConfigError, match="negative"):
        Band(strikes=-1)


@given(st.lists(LEVELS, min_size=1, max_size=12), BANDS, HELD)
def test_while_the_middles_stay_so_does_what_is_chosen(path: list[float], band: Band, held: list[str]) -> None:
    watch, bands = Watch(), {"NIFTY": band}
    for level in path:
        middles = CATALOGUE.middles(watch, levels={"NIFTY": level}, bands=bands)
        after = CATALOGUE.choose(watch, levels={"NIFTY": level}, bands=bands, most=200, held=held)
        assert after.middles == middles
        again = CATALOGUE.choose(after, levels={"NIFTY": level}, bands=bands, most=200, held=held)
        assert again == after
        assert after == watch or middles != watch.middles or watch == Watch()
        watch = after
