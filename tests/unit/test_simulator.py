"""The simulated market: the same for everyone who asks, and quoted as an exchange quotes."""

import datetime as dt
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, InputError, UnknownDate, UnknownName
from core.market import INDICES, expiries, lot, parse_symbol, session, to_ns
from core.schemas import DEPTH, Kind, check
from exchange.simulator import SimulatedSource
from exchange.universe import build

DAY = dt.date(2026, 11, 20)
EXPIRY = dt.date(2026, 11, 23)  # of every NSE index: prices run down to what they settle at
HOURS = session("NSE", DAY)
assert HOURS is not None
OPEN, CLOSE = to_ns(HOURS.open), to_ns(HOURS.close)
BATCH = 100_000_000


def source(index: str = "NIFTY", **other: Any) -> SimulatedSource:
    made = SimulatedSource(**{"index": index, "seed": 7, "session_date": DAY, **other})
    made.open()
    return made


def polled(from_source: SimulatedSource, now_ns: int) -> pa.RecordBatch:
    (batch,) = from_source.poll(now_ns)
    return batch


def levels(batch: pa.RecordBatch, name: str) -> Any:
    return batch[name].flatten().to_numpy().reshape(-1, DEPTH)


@pytest.mark.parametrize("index", INDICES)
def test_every_index_opens_with_a_full_book_of_the_exchange_s_own_contracts(index: str) -> None:
    book = check("ticks", polled(source(index), OPEN))

    options = [row for row in book.to_pylist() if row["kind"] >= Kind.CALL]
    days = expiries(index, DAY)[: 4 if index == "NIFTY" else 3]
    assert len(options) == len(days) * 41 * 2
    assert len({row["symbol"] for row in options}) == len(options)
    for row in options[::17]:
        contract = parse_symbol(row["symbol"])
        assert (contract.index, contract.kind, contract.strike_paise) == (index, row["kind"], row["strike_paise"])
        assert contract.expiry == row["expiry"]
        assert row["oi"] % lot(index, row["expiry"], DAY) == 0
    assert book["symbol"][0].as_py() == index
    assert ("INDIA VIX" in book["symbol"].to_pylist()) == (index == "NIFTY")
    assert any(row["kind"] == Kind.FUTURE for row in book.to_pylist())


def test_a_source_started_again_in_the_middle_goes_on_without_a_jump() -> None:
    moment = OPEN + 3_600 * 10**9
    first = source()
    polled(first, moment - 50 * BATCH)
    for _ in range(50):
        last = polled(first, first.next_ns() or 0)

    again = pickle.loads(pickle.dumps(first))
    again.open()
    book = polled(again, moment)

    known = {row["symbol"]: row for row in book.to_pylist()}
    assert all(known[row["symbol"]] == row for row in last.to_pylist())
    for _ in range(30):
        due = first.next_ns() or 0
        assert again.next_ns() == due
        assert polled(first, due).equals(polled(again, due))


def test_another_seed_or_day_is_another_market_and_indices_of_one_seed_move_together() -> None:
    paths = {i: np.diff(np.log(source(i).market.path.spot)) for i in INDICES}

    assert not np.array_equal(source(seed=8).market.path.spot, source().market.path.spot)
    other = source(session_date=dt.date(2026, 11, 19)).market.path.spot
    assert not np.array_equal(other, source().market.path.spot)
    for index in INDICES[1:]:
        assert 0.5 < np.corrcoef(paths["NIFTY"], paths[index])[0, 1] < 0.99


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from(INDICES),
    st.integers(0, (CLOSE - OPEN) // BATCH) | st.just((CLOSE - OPEN) // BATCH),
    st.sampled_from((DAY, EXPIRY)),
)  # fmt: skip
def test_quotes_are_on_ticks_sorted_and_never_crossed(seed: int, index: str, n: int, day: dt.date) -> None:
    later = (day - DAY).days * 86_400 * 10**9
    book = polled(source(index, seed=seed, session_date=day), OPEN + later + n * BATCH)
    kind = book["kind"].to_numpy()
    bid, ask, last = levels(book, "bid_paise"), levels(book, "ask_paise"), book["last_paise"].to_numpy()
    priced = np.array([s != "INDIA VIX" for s in book["symbol"].to_pylist()])

    assert (bid % 5 == 0).all()
    assert (ask % 5 == 0).all()
    assert (last[priced] % 5 == 0).all()
    assert (last > 0).all()
    traded = kind != Kind.INDEX
    assert (ask[traded, 0] > bid[traded, 0]).all()
    assert (np.diff(ask[traded], axis=1) > 0).all()
    assert ((np.diff(bid[traded], axis=1) < 0) | (bid[traded, 1:] == 0)).all()
    for side, price in (("bid", bid), ("ask", ask)):
        quantity, orders = levels(book, f"{side}_qty"), levels(book, f"{side}_orders")
        assert ((quantity > 0) == (price > 0)).all()
        assert ((orders > 0) == (price > 0)).all()
    assert (bid[~traded] == 0).all()
    assert (ask[~traded] == 0).all()
    assert (book["oi"].to_numpy() >= 0).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_volume_only_grows_and_is_largest_near_the_money(seed: int, one: float, other: float) -> None:
    market = source(seed=seed).market
    rows, last = np.arange(len(market.universe)), (CLOSE - OPEN) // BATCH
    early, late = (market.ticks(rows, round(last * share)) for share in sorted((one, other)))
    end = market.ticks(rows, last)

    assert (late["volume"].to_numpy() >= early["volume"].to_numpy()).all()
    near = market.universe.expiry_days[0]
    front = [row for row in end.to_pylist() if row["kind"] == Kind.CALL and row["expiry"] == near]
    busiest = max(front, key=lambda row: row["volume"])["strike_paise"]
    assert abs(busiest / 100 - market.path.spot[0]) < 500


def test_the_day_is_busiest_at_its_ends() -> None:
    market = source().market
    row = np.array([int(np.argmax(market.ticks(np.arange(len(market.universe)), 1000)["volume"].to_numpy()))])
    hours = np.linspace(0, (CLOSE - OPEN) // BATCH, 11).astype(np.int64)
    volume = market.ticks(np.repeat(row, 11), hours)["volume"].to_numpy()

    traded = np.diff(volume)
    assert traded[0] > 1.5 * traded[4]
    assert traded[-1] > 1.5 * traded[5]


def test_before_the_open_and_after_the_close_there_are_no_ticks() -> None:
    made = source()
    assert list(made.poll(OPEN - 1)) == []
    assert polled(made, CLOSE + 10**12)["exchange_ns"].to_numpy().max() == CLOSE
    assert list(made.poll(CLOSE + 10**13)) == []
    assert made.next_ns() is None


def test_a_late_poll_gives_the_book_now_and_says_what_it_left_out() -> None:
    made = source()
    polled(made, OPEN)
    assert len(list(made.poll(OPEN + 3 * BATCH))) == 3

    late = polled(made, OPEN + 103 * BATCH)

    assert late.num_rows == len(made.market.universe)
    assert made.counts()["skipped_batches"] == 99


def test_the_rate_is_the_configured_one_and_every_contract_has_its_turn() -> None:
    made = source(ticks_per_second=400)
    polled(made, OPEN)
    batches = [polled(made, made.next_ns() or 0) for _ in range(50)]

    assert {batch.num_rows for batch in batches} == {40}
    assert len({s for batch in batches for s in batch["symbol"].to_pylist()}) == len(made.market.universe)


def test_the_past_is_what_was_shown() -> None:
    made = source()
    shown = {row["symbol"]: row for row in polled(made, OPEN + 50 * BATCH).to_pylist()}

    past = [row for batch in made.past(OPEN - 10**12, OPEN + 51 * BATCH) for row in batch.to_pylist()]

    assert {row["exchange_ns"] for row in past} == {OPEN, OPEN + 50 * BATCH}
    assert all(row == shown[row["symbol"]] for row in past if row["exchange_ns"] == OPEN + 50 * BATCH)
    assert list(made.past(OPEN - 10**12, OPEN)) == []


def test_what_cannot_be_simulated_is_refused_with_the_reason() -> None:
    with pytest.raises(UnknownName, match="NIFTY"):
        source("NIFTYX")
    with pytest.raises(InputError, match=r"2026-11-24.*trading day"):
        source(session_date=dt.date(2026, 11, 24))
    with pytest.raises(UnknownDate):
        source(session_date=dt.date(2041, 1, 1))
    with pytest.raises(ConfigError, match="at least"):
        source(ticks_per_second=0)
    with pytest.raises(ConfigError, match="open"):
        list(SimulatedSource(index="NIFTY", seed=1, session_date=DAY).market.universe.kind)


@pytest.mark.parametrize(
    ("index", "day", "futures"),
    [
        # The weekly of Thursday 1 May 2025 expired on 30 April, after April's monthly: it is no future.
        ("NIFTY", dt.date(2025, 4, 23), ["2025-04-24", "2025-05-29", "2025-06-26"]),
        ("SENSEX", dt.date(2026, 12, 30), ["2026-12-31", "2027-01-28", "2027-02-25"]),
    ],
)
def test_futures_are_the_monthlies_of_the_next_three_months(index: str, day: dt.date, futures: list[str]) -> None:
    made = build(index, day, open_paise=2_500_000, expiry_count=4, strikes_each_side=1)
    rows = made.contracts.to_pylist()

    assert [str(row["expiry"]) for row in rows if row["kind"] == Kind.FUTURE] == futures
    assert len({row["expiry"] for row in rows if row["kind"] == Kind.CALL}) == 4
