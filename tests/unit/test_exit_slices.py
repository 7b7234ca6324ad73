"""Every slice of an exit is an order the exchange takes: whole lots, at or below the freeze quantity."""

import datetime as dt
from itertools import pairwise

import pytest

from core.errors import InputError, UnknownDate
from core.market import INDICES, expiries, freeze, lot, option_symbol, tick_paise, to_ns, usable_freeze
from core.market.freeze import freeze_rows
from core.market.lots import lot_rows
from core.orders import validity
from core.orders.exits import exit_intents
from core.orders.positions import Holding
from core.schemas import Kind
from tests.fakes_orders import IST


def days(index: str) -> list[dt.date]:
    """Every day from which a row of either table holds, once both tables have begun."""
    lots = (day for row in lot_rows(index) for day in (row.first_expiry, row.new_from, row.long_dated_from))
    begins = freeze_rows(index)[0].since
    return sorted(day for day in {*lots, *(row.since for row in freeze_rows(index))} if day >= begins)


CASES = [(index, day) for index in INDICES for day in days(index)]


@pytest.mark.parametrize(("index", "day"), CASES)
def test_an_exit_of_three_times_the_freeze_quantity_is_sliced_into_orders_the_exchange_takes(
    index: str, day: dt.date
) -> None:
    now_ns, asked = to_ns(dt.datetime.combine(day, dt.time(12), IST)), 0
    for expiry in expiries(index, day)[:6]:
        try:
            units, most = lot(index, expiry, day), usable_freeze(index, expiry, day)
        except UnknownDate:
            continue  # a contract that no table knows the lot of can be sent by nobody
        strike = 100_000 * tick_paise(index)
        symbol = option_symbol(index, expiry, Kind.CALL, strike)
        held = 3 * freeze(index, day) // units * units
        found = list(
            exit_intents(
                Holding(symbol=symbol, index=index, quantity=held), None,
                working=0, most=most, tick=tick_paise(index), cross=0.05, seed="s", reason="r",
            )
        )  # fmt: skip
        assert sum(one.quantity for one in found) == held
        assert [validity.check(one, now_ns) for one in found] == [()] * len(found)
        assert most <= freeze(index, day) < most + units
        asked += 1
    assert asked


def test_the_days_asked_span_the_tables() -> None:
    assert len(CASES) > 50
    assert all(one != other for one, other in pairwise(CASES))


def test_known_usable_quantities() -> None:
    today = dt.date(2026, 11, 23)
    assert usable_freeze("NIFTY", dt.date(2026, 12, 1), today) == 1755  # 27 lots of 65 below 1,800
    assert usable_freeze("MIDCPNIFTY", dt.date(2026, 12, 29), today) == 2760  # 23 lots of 120 below 2,800
    assert usable_freeze("SENSEX", dt.date(2026, 11, 26), today) == 1000


def test_a_limit_of_no_unit_at_all_slices_nothing_for_ever() -> None:
    holding = Holding(symbol="NIFTY26D0125000CE", index="NIFTY", quantity=65)
    with pytest.raises(InputError, match="at most 0 units"):
        list(exit_intents(holding, None, working=0, most=0, tick=5, cross=0.05, seed="s", reason="r"))
