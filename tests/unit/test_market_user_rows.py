"""A user's lots, freeze quantities and hours: which row wins, how sure it is, when its table ends, what it moves."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import UnknownDate
from core.market import (
    day_windows,
    expiry_moment,
    freeze,
    lot,
    settlement,
    spot_frozen,
    to_ns,
)
from core.market.facts import next_expiries, table_horizons
from core.market.freeze import freeze_row
from core.market.lots import lot_row
from core.market.moment import IST
from core.market.overlay import UserFacts, use
from core.market.user_facts import parse_user_facts
from core.pricing.years import Clock, variance_years

D = dt.date
TODAY = D(2026, 12, 20)
BACK_FILL = {"index": "NIFTY", "first_expiry": "2019-01-01", "lot": "70", "new_from": "2019-01-01",
             "long_dated_from": "2019-01-01"}  # fmt: skip


@pytest.fixture(autouse=True)
def the_tables_alone() -> Iterator[None]:
    use(())
    yield
    use(())


def said(published: str, **rows: Any) -> UserFacts:
    return parse_user_facts({"source": f"circular of {published}", "published": published} | rows, "mine", today=TODAY)


def test_a_back_filled_lot_leaves_the_newer_rows_alone() -> None:
    before = [lot("NIFTY", D(2026, 11, 23), D(2026, 11, 20)), lot("NIFTY", D(2026, 6, 30), D(2025, 12, 30))]
    use([said("2026-11-20", lots=[BACK_FILL], freeze=[{"index": "NIFTY", "since": "2019-01-01", "quantity": "5000"}])])

    assert [lot("NIFTY", D(2026, 11, 23), D(2026, 11, 20)), lot("NIFTY", D(2026, 6, 30), D(2025, 12, 30))] == before
    assert before == [65, 75]
    assert (lot_row("NIFTY", D(2019, 5, 30), D(2019, 5, 2)).lot, freeze("NIFTY", D(2026, 11, 20))) == (70, 1800)
    assert freeze("NIFTY", D(2020, 1, 2)) == 5000
    with pytest.raises(UnknownDate, match="begins 2019-01-01"):
        freeze("NIFTY", D(2018, 12, 31))


def test_a_row_of_the_same_day_as_the_table_s_is_the_user_s() -> None:
    same = {"index": "NIFTY", "first_expiry": "2026-01-06", "lot": "70", "new_from": "2025-10-03",
            "long_dated_from": "2025-12-31"}  # fmt: skip
    use([said("2026-11-20", lots=[same], freeze=[{"index": "NIFTY", "since": "2026-07-01", "quantity": "1200"}])])

    found = lot_row("NIFTY", D(2026, 12, 8), D(2026, 11, 20))
    assert (found.lot, found.grade) == (70, "user")
    assert (freeze_row("NIFTY", D(2026, 11, 20)).quantity, freeze("NIFTY", D(2026, 6, 30))) == (1200, 1800)


def test_past_the_newest_circular_read_lots_and_freeze_quantities_are_provisional() -> None:
    assert lot_row("NIFTY", D(2026, 8, 25), D(2026, 8, 21)).grade == "circular"
    assert lot_row("NIFTY", D(2026, 11, 23), D(2026, 11, 20)).grade == "provisional"
    assert [freeze_row("BANKNIFTY", on).grade for on in (D(2026, 8, 31), D(2026, 9, 1))] == ["circular", "provisional"]
    assert str(next_expiries(("NIFTY",), D(2026, 11, 20))[0]) == "NIFTY Mon 23 Nov (lot 65 provisional)"
    assert str(next_expiries(("NIFTY",), D(2026, 8, 21))[0]) == "NIFTY Tue 25 Aug (lot 65)"
    assert str(next_expiries(("NIFTY",), D(2026, 12, 30))[0]) == "NIFTY Tue 05 Jan provisional (lot 65 provisional)"


def ends(on: D) -> dict[str, D]:
    return {horizon.table: horizon.last_day for horizon in table_horizons(on)}


def test_an_index_imported_alone_leaves_the_horizon_of_the_others() -> None:
    use([said("2026-12-18", lots=[BACK_FILL | {"index": "BANKEX", "first_expiry": "2026-12-31"}])])

    assert ends(TODAY)["lots"] == D(2027, 2, 21)


def test_a_back_fill_confirms_nothing_of_today() -> None:
    names = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "BANKEX")
    old = [{"index": name, "since": "2024-12-02", "quantity": "1200"} for name in names]
    before = ends(TODAY)
    use([said("2026-12-18", lots=[BACK_FILL | {"index": name} for name in names], freeze=old)])

    assert ends(TODAY) == before


def test_the_horizons_move_with_every_index_and_not_before_the_row_was_published() -> None:
    names = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "SENSEX", "BANKEX")
    lots = [BACK_FILL | {"index": name, "first_expiry": "2026-12-31"} for name in names]
    quantities = [{"index": name, "since": "2026-12-01", "quantity": "1200"} for name in names[:5]]
    assert ends(TODAY)["freeze"] == D(2026, 9, 30)
    use([said("2026-11-30", lots=lots, freeze=quantities)])

    assert {table: ends(TODAY)[table] for table in ("lots", "freeze")} == {
        "lots": D(2027, 6, 1),
        "freeze": D(2027, 1, 31),
    }
    assert ends(D(2026, 11, 29))["lots"] == D(2027, 2, 21)


def test_other_hours_of_an_expiry_day_move_its_last_trade_and_its_settlement() -> None:
    use([said("2026-11-20", sessions=[{"date": "2026-12-01", "kind": "normal", "open": "09:15", "close": "17:00"}])])
    found = settlement("NIFTY", D(2026, 12, 1))

    assert [f"{at:%H:%M}" for at in (found.begin, found.end, found.known, found.last_trade)] == [
        "16:35", "16:55", "16:55", "17:00",
    ]  # fmt: skip
    assert expiry_moment("NIFTY", D(2026, 12, 1)) == found.last_trade
    assert "circular of 2026-11-20" in found.source
    assert [
        spot_frozen("NIFTY", to_ns(dt.datetime(2026, 12, 1, hour, minute, tzinfo=IST)))
        for hour, minute in ((15, 20), (16, 34), (16, 35), (17, 0), (17, 1))
    ] == [False, False, True, True, False]
    use(())
    assert f"{settlement('NIFTY', D(2026, 12, 1)).known:%H:%M}" == "15:35"


def test_the_time_to_expiry_follows_rows_that_come_later() -> None:
    now = to_ns(dt.datetime(2026, 12, 1, 15, 0, tzinfo=IST))
    before = [variance_years("NIFTY", D(2026, 12, 8), now, clock) for clock in (Clock.CALENDAR, Clock.TRADING)]
    longer = {"date": "2026-12-08", "kind": "normal", "open": "09:15", "close": "17:00"}
    use([said("2026-11-20", holidays=["2026-12-03"], sessions=[longer])])
    after = [variance_years("NIFTY", D(2026, 12, 8), now, clock) for clock in (Clock.CALENDAR, Clock.TRADING)]

    assert (after[0] - before[0]) * 365 * 24 * 60 == pytest.approx(80)
    assert after[1] < before[1]
    use(())
    assert [variance_years("NIFTY", D(2026, 12, 8), now, c) for c in (Clock.CALENDAR, Clock.TRADING)] == before


def test_an_evening_s_muhurat_moves_no_settlement() -> None:
    use([said("2026-11-01", sessions=[{"date": "2026-11-08", "kind": "muhurat", "open": "18:15", "close": "19:15"}])])

    assert not spot_frozen("NIFTY", to_ns(dt.datetime(2026, 11, 8, 18, 50, tzinfo=IST)))


def test_a_weekend_session_of_other_hours_has_its_own_windows() -> None:
    use([said("2026-11-20", sessions=[{"date": "2026-12-06", "kind": "weekend", "open": "10:00", "close": "13:00"}])])

    assert [(w.market, w.name, f"{w.start:%H:%M}", f"{w.end:%H:%M}") for w in day_windows("NSE", D(2026, 12, 6))] == [
        ("derivatives", "normal", "10:00", "13:00")
    ]
