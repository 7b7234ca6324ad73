"""The instrument dump of the day wins over the tables in every answer it has, and only on its day."""

import datetime as dt
from collections.abc import Iterator

import pytest

from core.chain.analyse import _lot as chain_lot
from core.errors import InputError, UnknownDate, UnknownName
from core.market import (
    expiries,
    future_symbol,
    is_monthly,
    lot,
    monthly_expiry,
    option_symbol,
    parse_symbol,
    to_ns,
)
from core.market.dump import DumpRow, merge_dump
from core.market.moment import IST
from core.market.overlay import dump_differs, dump_of, use_dump
from core.orders import validity
from core.schemas import Kind
from tests.fakes_orders import intent

D = dt.date
FRIDAY = D(2026, 11, 20)
MOVED = D(2026, 11, 24)  # the tables have a holiday there and the monthly on the 23rd


@pytest.fixture(autouse=True)
def no_dump() -> Iterator[None]:
    use_dump(None)
    yield
    use_dump(None)


def row(symbol: str, expiry: dt.date, *, units: int = 65, kind: Kind = Kind.CALL, name: str = "NIFTY") -> DumpRow:
    return DumpRow(symbol, name, kind, expiry, 26_000_00 if kind >= Kind.CALL else 0, units, 10.0 if kind == 1 else 5.0)


def november(*more: DumpRow) -> list[DumpRow]:
    return [
        row("NIFTY26NOV26000CE", MOVED),
        row("NIFTY26NOVFUT", MOVED, kind=Kind.FUTURE),
        row("NIFTY26D0126000CE", D(2026, 12, 1)),
        row("NIFTY26D0826000CE", D(2026, 12, 8), units=75),
        *more,
    ]


def test_symbols_and_expiries_are_those_of_the_dump() -> None:
    table = (parse_symbol("NIFTY26NOV26000CE", FRIDAY).expiry, expiries("NIFTY", FRIDAY)[0])
    use_dump(merge_dump(november(), FRIDAY)[0])

    assert table == (D(2026, 11, 23),) * 2
    assert expiries("NIFTY", FRIDAY) == (MOVED, D(2026, 12, 1), D(2026, 12, 8))
    for on in (FRIDAY, None):
        assert parse_symbol("NIFTY26NOV26000CE", on).expiry == MOVED
        assert option_symbol("NIFTY", MOVED, Kind.CALL, 26_000_00, on) == "NIFTY26NOV26000CE"
        assert future_symbol("NIFTY", MOVED, on) == "NIFTY26NOVFUT"
        assert monthly_expiry("NIFTY", 2026, 11, on) == MOVED
        assert (is_monthly("NIFTY", MOVED, on), is_monthly("NIFTY", D(2026, 11, 23), on)) == (True, False)
    assert lot("NIFTY", D(2026, 12, 8), FRIDAY) == 75


def test_an_order_is_held_against_the_dump() -> None:
    now = to_ns(dt.datetime.combine(FRIDAY, dt.time(12), IST))
    near = intent(symbol="NIFTY26D0826000CE", index="NIFTY", quantity=65)
    gone = intent(symbol="NIFTY26D2226000CE", index="NIFTY", quantity=65)
    before = [validity.check(order, now) for order in (near, gone)]
    use_dump(merge_dump(november(), FRIDAY)[0])

    assert before == [(), ()]
    assert [refusal.limit for refusal in validity.check(near, now)] == ["lot"]
    assert "does not exist" in validity.check(gone, now)[0].why


def test_the_chain_and_with_it_the_ticket_have_the_lot_of_the_dump_at_once() -> None:
    before = chain_lot("NIFTY", D(2026, 12, 8), FRIDAY)
    use_dump(merge_dump(november(), FRIDAY)[0])
    with_it = chain_lot("NIFTY", D(2026, 12, 8), FRIDAY)
    use_dump(None)

    assert (before, with_it, chain_lot("NIFTY", D(2026, 12, 8), FRIDAY)) == (65, 75, 65)


def test_what_the_dump_does_not_list_and_every_other_day_are_the_tables() -> None:
    use_dump(merge_dump(november(), FRIDAY)[0])
    monday = D(2026, 11, 16)

    assert monthly_expiry("NIFTY", 2026, 12, FRIDAY) == D(2026, 12, 29)
    assert parse_symbol("NIFTY25AUG24500CE").expiry == D(2025, 8, 28)
    assert parse_symbol("NIFTY26NOV26000CE", monday).expiry == D(2026, 11, 23)
    assert parse_symbol("BANKNIFTY26NOV52000CE", FRIDAY).expiry == D(2026, 11, 23)
    assert is_monthly("NIFTY", D(2026, 11, 23), monday)


def test_a_new_dump_is_asked_at_once_and_none_is_the_tables_again() -> None:
    first, second = (
        merge_dump(november(*more), FRIDAY)[0] for more in ([], [row("NIFTY26D2226000CE", D(2026, 12, 22))])
    )
    seen = []
    for contracts in (first, second, None):
        use_dump(contracts)
        seen.append((expiries("NIFTY", FRIDAY)[0], D(2026, 12, 22) in expiries("NIFTY", FRIDAY)))
        assert dump_of(FRIDAY) == dump_of(None) == contracts
        assert (dump_differs(first), dump_differs(contracts)) == (contracts != first, False)

    assert seen == [(MOVED, False), (MOVED, True), (D(2026, 11, 23), True)]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (row("NIFTY26N1726000CE", D(2026, 11, 17)), "has expired on 2026-11-20: give the dump of that day"),
        (row("NIFTY26DEC26000CE", D(2026, 12, 29), units=0), r"lots \[0\]"),
        (row("NIFTY26NOV26500CE", D(2026, 11, 23)), "2026-11-23, 2026-11-24 under NIFTY 2026-11"),
    ],
)
def test_a_dump_that_cannot_be_of_the_day_or_says_two_things_is_refused(extra: DumpRow, words: str) -> None:
    with pytest.raises(InputError, match=words):
        merge_dump(november(extra), FRIDAY)


def test_a_contract_the_dump_moved_away_has_no_symbol_of_its_month() -> None:
    use_dump(merge_dump(november(), FRIDAY)[0])

    with pytest.raises(UnknownDate, match="2026-11-24"):
        future_symbol("NIFTY", D(2026, 11, 23), FRIDAY)
    with pytest.raises(UnknownName, match="written"):
        parse_symbol("NIFTY26N2426000CE", FRIDAY)
