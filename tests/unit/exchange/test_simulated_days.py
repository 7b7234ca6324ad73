"""From one simulated day into the next: the closing auction, the last price, and what somebody holds."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.market import (
    INDICES,
    IST,
    Contract,
    SettlementSource,
    next_session,
    settlement,
    settlement_price,
    to_ns,
)
from core.schemas import Kind
from exchange.listing import Instrument
from exchange.orders.order import Status
from exchange.simulated_day import SimulatedDay
from exchange.simulator import SimulatedSource
from exchange.universe import VIX
from tests.unit.exchange.test_days import FRIDAY, Run

EXPIRY = dt.date(2026, 11, 23)
JULY = dt.date(2026, 7, 31)  # the last session without an auction
SECOND = 1_000_000_000


def source(index: str = "NIFTY", date: dt.date = FRIDAY, **other: object) -> SimulatedSource:
    made = SimulatedSource(**{"index": index, "seed": 7, "session_date": date, **other})  # type: ignore[arg-type]
    made.open()
    return made


def moment(date: dt.date, hour: int, minute: int, second: int = 0) -> int:
    return to_ns(dt.datetime.combine(date, dt.time(hour, minute, second), IST))


def levels(made: SimulatedSource, symbol: str, first_ns: int, last_ns: int, every_s: int = 1) -> np.ndarray:
    """Last prices of a contract, every so many seconds of [first, last]."""
    market = made.market
    row = market.universe.contracts["symbol"].to_pylist().index(symbol)
    moments = np.arange(first_ns, last_ns + 1, every_s * SECOND)
    batches = (moments - made._open_ns) // (made.batch_ms * 1_000_000)
    return market.ticks(np.full(moments.size, row), batches)["last_paise"].to_numpy()


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from(INDICES), st.sampled_from((FRIDAY, EXPIRY, dt.date(2026, 8, 3))))
def test_the_index_stands_still_in_the_auction_and_prints_its_close_once(seed: int, index: str, date: dt.date) -> None:
    made = source(index, date, seed=seed)
    found = levels(made, index, moment(date, 15, 15), moment(date, 15, 40))
    changes = np.flatnonzero(np.diff(found)) + 1
    assert changes.size == 1
    assert 13 * 60 <= changes[0] <= 15 * 60  # seconds since 15:15
    before = levels(made, index, moment(date, 15, 0), moment(date, 15, 15))
    assert np.unique(before).size > 100
    assert before[-1] == found[0]


def test_options_and_futures_go_on_while_the_index_stands_still() -> None:
    made = source()
    rows = made.market.universe.contracts.to_pylist()
    for kind in (Kind.FUTURE, Kind.CALL, Kind.PUT):
        own = [row for row in rows if row["kind"] == kind]
        symbol = own[len(own) // 2 if kind != Kind.FUTURE else 0]["symbol"]
        found = levels(made, symbol, moment(FRIDAY, 15, 16), moment(FRIDAY, 15, 27), every_s=10)
        assert np.unique(found).size > 5, symbol
    assert np.unique(levels(made, VIX, moment(FRIDAY, 15, 16), moment(FRIDAY, 15, 27))).size > 1


def test_until_july_2026_there_is_no_auction() -> None:
    found = levels(source(date=JULY), "NIFTY", moment(JULY, 15, 15), moment(JULY, 15, 30))
    assert np.unique(found).size > 100


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_what_expires_ends_at_the_value_its_settlement_gives_it(seed: int) -> None:
    day = SimulatedDay(EXPIRY, seed=seed, indices=("NIFTY",))
    bars = day.minutes(day.index_of("NIFTY"), day.close_ns)
    settled = settlement_price(
        settlement("NIFTY", EXPIRY), published_paise=None, start_ns=bars.start_ns, seconds=60, open_paise=bars.open,
        close_paise=bars.close,
    )  # fmt: skip
    assert settled.source == SettlementSource.PRINT
    threes = slice(0, None, 3), slice(2, None, 3)
    wider = settlement_price(
        settlement("NIFTY", EXPIRY), published_paise=None, start_ns=bars.start_ns[:384][threes[0]], seconds=180,
        open_paise=bars.open[:384][threes[0]], close_paise=bars.close[:384][threes[1]],
    )  # fmt: skip
    assert wider == settled, "bars of three minutes give what those of one give"
    day.step(day.close_ns)
    for one in day.listing.instruments:
        if one.kind in {Kind.CALL, Kind.PUT} and one.expiry_date == EXPIRY:
            sign = 1 if one.kind == Kind.CALL else -1
            worth = max(0, sign * (settled.paise - one.strike_paise))
            bid, ask = (day.quotes.book[f"{side}_paise"][one.place][0] for side in ("bid", "ask"))
            assert bid <= worth <= ask, one.symbol


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from(INDICES), st.sampled_from((FRIDAY, EXPIRY, JULY, dt.date(2024, 6, 3))))
def test_the_last_price_of_a_day_is_the_next_days_previous_close(seed: int, index: str, date: dt.date) -> None:
    days = [SimulatedDay(on, seed=seed, indices=(index,)) for on in (date, next_session("NSE", date))]
    for before in range(30, -1, -1):  # step by step: each contract had its last turn at another moment
        days[0].step(days[0].close_ns - before * 100_000_000)
    days[1].step(days[1].open_ns)
    old, new = days
    both = old.listing.by_name.keys() & new.listing.by_name.keys()
    assert len(both) > 50
    for name in both:
        last = old.quotes.last[old.listing.by_name[name].place]
        assert new.quotes.close[new.listing.by_name[name].place] == last, name


def test_a_night_moves_the_index_less_than_a_day() -> None:
    gaps = []
    for seed in range(40):
        day = SimulatedDay(EXPIRY, seed=seed, indices=("NIFTY",))
        day.step(day.open_ns)
        place = day.index_of("NIFTY").place
        gaps.append(day.quotes.last[place] / day.quotes.close[place] - 1)
    assert 0.001 < np.std(gaps) < 0.005


def test_what_is_held_takes_nothing_from_the_others() -> None:
    plain = source()
    far = Contract("NIFTY", Kind.CALL, EXPIRY, 40_000_00, "NIFTY26N2340000CE")
    gone = Contract("NIFTY", Kind.CALL, FRIDAY - dt.timedelta(days=3), 25_000_00, "NIFTY26N1725000CE")
    listed = Contract("NIFTY", Kind.INDEX, None, 0, "NIFTY")
    beside = source(held=[far, gone, listed, far])
    many = len(plain.market.universe)
    assert beside.market.universe.contracts.slice(0, many).equals(plain.market.universe.contracts)
    assert beside.market.universe.contracts["symbol"].to_pylist()[many:] == [far.symbol]
    for due in (plain._open_ns, *(plain._open_ns + n * 100_000_000 for n in range(1, 40))):
        (one,), (two,) = plain.poll(due), beside.poll(due)
        assert two.slice(0, one.num_rows).equals(one)
        assert two["symbol"].to_pylist()[one.num_rows :] == [far.symbol]


def worth(run: Run, one: Instrument, date: dt.date) -> int:
    """What a contract is worth at the open of a day that may not list it, paise."""
    day = run.world.day.following(date, [one])
    assert day is not None
    return int(day.minutes(day.listing.by_name[one.exchange, one.symbol], day.open_ns + SECOND).open[0])


@pytest.mark.parametrize("how", ["position", "order", "trigger"])
def test_what_somebody_has_to_do_with_stays_listed_and_tradable(how: str) -> None:
    run = Run(strikes_each_side=1)
    one = max(
        (o for o in run.world.day.listing.instruments if o.kind == Kind.CALL and o.expiry_date > EXPIRY),
        key=lambda o: (o.expiry, o.strike_paise),
    )
    before = {o.token for o in run.world.day.listing.instruments}
    dates = [dt.date(2026, 11, day) for day in (23, 25, 26, 27)]
    away = next(on for on in dates if (one.exchange, one.symbol) not in run.fresh(on).listing.by_name)
    if how == "position":
        assert run.place(one).status == Status.COMPLETE
    elif how == "order":
        run.go(dt.time(16, 0))
        waiting = run.place(one, variety="amo", price=round(worth(run, one, away) * 1.1 / 100, 1))
    else:
        run.trigger(one)
    run.go(dt.time(9, 15), away)
    run.wait()
    day = run.world.day
    listed = day.listing.by_name[one.exchange, one.symbol]
    assert listed.token == one.token
    assert listed.token in before
    assert {o.symbol for o in day.listing.instruments} - {one.symbol} == {
        o.symbol for o in run.fresh(away).listing.instruments
    }
    if how == "position":
        closing = run.place(listed, "SELL")
        assert (closing.status, run.held()[one.symbol]) == (Status.COMPLETE, ("NRML", 0))
    elif how == "order":
        assert waiting.one is listed
        assert waiting.status in {Status.COMPLETE, Status.OPEN}, waiting.message
