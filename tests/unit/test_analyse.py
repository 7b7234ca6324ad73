"""A whole book to a whole chain."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest

from core import schemas
from core.chain import Book, analyse
from core.errors import SchemaError
from core.market import IST, to_ns
from core.pricing import Reason, greeks
from core.records import Chain
from core.schemas import Kind
from tests.fakes_numbers import EXPIRY, NOW_NS, RATE, SECOND, chain_of, future_of, option, row, smile, ticks

C, P = Kind.CALL, Kind.PUT
WEEK, FAR = dt.date(2026, 11, 30), dt.date(2030, 12, 24)
HOUR = 3600 * SECOND


def test_contracts_come_sorted_with_their_vols_and_greeks() -> None:
    rows = smile(EXPIRY, 25_100) + smile(WEEK, 25_020)
    chain = chain_of(row("NIFTY", last_paise=25_000_00), *reversed(rows))
    table = chain.contracts.to_pylist()

    schemas.check("contracts", chain.contracts)
    schemas.check("expiries", chain.expiries)
    assert len(table) == len(rows)
    assert table == sorted(table, key=lambda r: (r["expiry"], r["strike_paise"], r["kind"]))
    assert all(r["iv_reason"] == Reason.OK for r in table)
    assert max(abs(r["iv"] - 0.13) for r in table) < 0.003  # quotes are rounded to the paisa
    first = chain.expiries.to_pylist()[0]
    one = table[20]
    found = greeks(
        1 if one["kind"] == C else -1,
        first["forward"],
        one["strike_paise"] / 100,
        first["years"],
        one["iv"],
        first["discount"],
    )
    assert [one[name] for name in found._fields] == pytest.approx(list(found))
    assert [r["expiry"] for r in chain.expiries.to_pylist()] == [WEEK, EXPIRY]
    assert {r["sequence"] for r in chain.expiries.to_pylist()} == {7}


def test_the_forward_is_the_future_then_parity_then_the_spot_carried() -> None:
    spot = row("NIFTY", last_paise=25_000_00, prev_close_paise=24_900_00)
    chain = chain_of(
        spot,
        row("INDIA VIX", last_paise=13_20),
        future_of(),
        *smile(EXPIRY, 25_100),
        *smile(WEEK, 25_020),
        option(C, 25_000, expiry=FAR),
        as_of_ns=NOW_NS - HOUR,
    )
    week, month, far = chain.expiries.to_pylist()

    assert (month["forward_source"], month["forward"], month["future_paise"]) == ("future", 25_150, 25_150_00)
    assert month["forward_error"] == pytest.approx(50, abs=0.1)  # from parity
    assert month["quality_forward"] == pytest.approx(1 / (1 + 50 / 25_150 / 0.0002), rel=0.01)
    assert week["forward_source"] == "parity"
    assert week["forward"] == pytest.approx(25_020, abs=0.1)
    assert far["forward_source"] == "spot"
    assert far["forward"] == pytest.approx(25_000 * math.exp(RATE * far["years"]))
    assert math.isnan(far["forward_error"])
    assert (week["spot_paise"], week["spot_prev_close_paise"], week["vix"]) == (25_000_00, 24_900_00, 13.2)


def test_during_the_closing_auction_the_frozen_spot_makes_no_forward() -> None:
    rows = [row("NIFTY", last_paise=25_000_00), *smile(WEEK, 25_020), option(C, 25_000, expiry=FAR)]
    before, after = (to_ns(dt.datetime(2026, 11, 20, 15, m, s, tzinfo=IST)) for m, s in ((14, 59), (15, 0)))
    sources = [
        [r["forward_source"] for r in chain_of(*rows, as_of_ns=at).expiries.to_pylist()] for at in (before, after)
    ]

    assert sources == [["parity", "spot"], ["parity", "none"]]


def test_once_the_settlement_price_is_known_vols_and_theta_read_settled() -> None:
    rows = [*smile(WEEK, 25_020), option(C, 26_000, expiry=WEEK)]  # the last without a price
    at = {m: to_ns(dt.datetime(2026, 11, 30, 15, m, tzinfo=IST)) for m in (34, 35)}  # WEEK itself, in its auction
    last, known = (chain_of(*rows, as_of_ns=ns).contracts.to_pylist() for ns in at.values())

    assert {r["iv_reason"] for r in last} != {Reason.NO_TIME}
    assert {r["iv_reason"] for r in known} == {Reason.NO_TIME}
    assert all(math.isnan(r[name]) for r in known for name in ("iv", "theta"))


def test_while_the_settlement_is_averaged_theta_runs_at_the_pace_of_what_is_left() -> None:
    july = dt.date(2026, 7, 28)
    at = to_ns(dt.datetime(2026, 7, 28, 15, 20, tzinfo=IST))
    quotes = [option(kind, 25_000, expiry=july, bid=mid - 0.1, ask=mid + 0.1) for kind, mid in ((C, 5.0), (P, 5.0))]
    chain = chain_of(*quotes, as_of_ns=at)
    (row,), (call, _) = chain.expiries.to_pylist(), chain.contracts.to_pylist()
    plain = greeks(1, row["forward"], 25_000, row["years"], call["iv"], row["discount"]).theta

    assert row["years"] * 365 * 1440 == pytest.approx(10**3 / (3 * 30**2))  # minutes, of the last ten
    assert call["theta"] == pytest.approx(float(plain) / 9)


def test_a_stale_future_gives_no_forward_but_is_still_shown() -> None:
    future = future_of() | {"last_paise": 25_140_00, "exchange_ns": NOW_NS - 4 * SECOND}
    (month,) = chain_of(future, *smile(EXPIRY, 25_100)).expiries.to_pylist()

    assert month["forward_source"] == "parity"
    assert month["future_paise"] == 25_140_00


def test_last_prices_alone_are_priced_and_said_to_be_uncertain() -> None:
    rows = [dict(r, **{name: [0] * 5 for name in ("bid_paise", "ask_paise")}) for r in smile(EXPIRY, 25_100)]
    chain = chain_of(*rows)
    (month,) = chain.expiries.to_pylist()

    assert month["forward_source"] == "parity"
    assert month["forward"] == pytest.approx(25_100, abs=1)
    assert month["forward_error"] > 1
    assert month["iv_count"] == len(rows)
    assert month["quality_two_sided"] == 0


def test_rows_without_anything_say_why_and_fail_nothing() -> None:
    chain = chain_of(option(C, 25_000), option(P, 25_000, last=100, volume=1), option(P, 25_000, expiry=FAR))
    near, far = chain.expiries.to_pylist()
    reasons = chain.contracts.column("iv_reason").to_pylist()

    assert reasons == [Reason.NO_PRICE, Reason.NO_FORWARD, Reason.NO_PRICE]
    assert (near["forward_source"], far["lot"]) == ("none", 65)
    assert math.isnan(near["sentiment"])
    assert near["quality"] < 0.3


def test_before_the_table_of_lots_begins_the_lot_is_zero_and_not_guessed() -> None:
    at = to_ns(dt.datetime(2020, 6, 1, 11, 0, tzinfo=IST))
    call = option(C, 10_000, expiry=dt.date(2020, 6, 25), bid=99, ask=100, exchange_ns=at)
    book = Book.empty("FINNIFTY").updated(ticks(dict(call, index="FINNIFTY")))
    (month,) = analyse(book, as_of_ns=at, sequence=1, rate=RATE, max_age_ns=SECOND).expiries.to_pylist()

    assert month["lot"] == 0


def test_one_garbage_quote_changes_no_other_contract() -> None:
    rows = smile(EXPIRY, 25_100)
    bad = dict(rows[0], bid_paise=[1, 0, 0, 0, 0], ask_paise=[10, 0, 0, 0, 0], last_paise=5)
    future = future_of(25_099, 25_101)
    clean, dirty = chain_of(future, *rows), chain_of(future, bad, *rows[1:])

    assert dirty.contracts.column("iv_reason")[0].as_py() == Reason.BELOW_INTRINSIC
    assert dirty.contracts.slice(1).equals(clean.contracts.slice(1))


def test_at_the_last_trade_an_expiry_is_settled() -> None:
    chain = chain_of(*smile(EXPIRY, 25_100), as_of_ns=NOW_NS + 39 * 86_400 * SECOND)
    (month,) = chain.expiries.to_pylist()

    assert month["years"] == 0
    assert set(chain.contracts.column("iv_reason").to_pylist()) == {Reason.NO_TIME}
    assert np.isnan(chain.contracts.column("theta").to_numpy()).all()
    assert math.isnan(month["expected_move"])


def test_an_empty_book_is_an_empty_chain() -> None:
    chain = chain_of(row("NIFTY", last_paise=25_000_00))

    assert chain.contracts.num_rows == chain.expiries.num_rows == 0
    schemas.check("contracts", chain.contracts)


def test_the_same_book_gives_the_same_bytes() -> None:
    rows = smile(EXPIRY, 25_100)
    whole = chain_of(*rows)
    book = Book.empty("NIFTY")
    for single in rows:
        book = book.updated(ticks(single))
    again = analyse(book, as_of_ns=NOW_NS, sequence=7, rate=RATE, max_age_ns=3 * SECOND)

    assert as_bytes(again) == as_bytes(whole)


def as_bytes(chain: Chain) -> list[bytes]:
    return [batch.serialize().to_pybytes() for batch in (chain.contracts, chain.expiries)]


def test_the_newest_tick_stays_and_the_old_book_is_untouched() -> None:
    first = Book.empty("NIFTY").updated(ticks(row("NIFTY", last_paise=1)))
    second = first.updated(
        ticks(
            row("NIFTY", last_paise=3, exchange_ns=NOW_NS + 2),
            row("NIFTY", last_paise=4, exchange_ns=NOW_NS + 2),
            row("NIFTY", last_paise=2, exchange_ns=NOW_NS + 1),
        )
    )
    third = second.updated(ticks(row("NIFTY", last_paise=9), option(C, 100, last=1)))

    assert [book.last_paise("NIFTY") for book in (first, second, third)] == [1, 4, 4]
    assert third.newest_ns == NOW_NS + 2
    assert first.last_paise("NIFTY26DEC100CE") == 0
    assert len(third.universe.contracts) == 2
    assert len(second.universe.contracts) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (dict(option(C, 100), index="SENSEX"), "this book is of NIFTY, found a tick of SENSEX"),
        (dict(option(C, 100), expiry=None), "must have an expiry"),
        (dict(option(C, 100), strike_paise=0), "is an option, found 0"),
        (dict(option(C, 50), symbol="ANOTHER"), "ANOTHER and 26122950CALL are one contract"),
        (dict(option(C, 50), strike_paise=60_00), r"ticks.strike_paise: .*26122950CALL.*now has 6000"),
        (dict(option(C, 50), expiry=WEEK), r"ticks.expiry: .*26122950CALL.*now has 20787"),
    ],
)
def test_what_cannot_be_ours_is_refused(bad: dict[str, object], says: str) -> None:
    book = Book.empty("NIFTY").updated(ticks(option(C, 50)))
    with pytest.raises(SchemaError, match=says):
        book.updated(ticks(bad))


def test_two_symbols_of_one_contract_are_refused_in_one_batch_too() -> None:
    with pytest.raises(SchemaError, match="are one contract"):
        Book.empty("NIFTY").updated(ticks(option(C, 50), dict(option(C, 50), symbol="ANOTHER")))


def test_another_schema_is_refused_by_its_first_field() -> None:
    with pytest.raises(SchemaError, match=r"ticks\.index"):
        Book.empty("NIFTY").updated(pa.RecordBatch.from_pydict({"price": [1.0]}))
