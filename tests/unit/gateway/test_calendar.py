"""What the page says of the market's day, in a replay of the replayed one."""

import datetime as dt
import re
from pathlib import Path

import pytest

from core.market import IST, to_ns
from gateway import calendar
from gateway.view import Shown
from tests.unit.gateway.world import World


def said(folder: Path, at: str) -> Shown:
    world, shown = World(folder), Shown()
    world.clock.advance(to_ns(dt.datetime.fromisoformat(at).replace(tzinfo=IST)))
    calendar.say(world.context, shown)
    return shown


def test_the_session_and_the_next_expiries_with_their_lots(tmp_path: Path) -> None:
    texts = said(tmp_path, "2026-11-20 11:00").texts

    assert texts["calendar-session"] == "normal session 09:15-15:40 IST"
    assert texts["calendar-expiries"] == "NIFTY Mon 23 Nov (lot 65 provisional), SENSEX Thu 26 Nov (lot 20 provisional)"
    assert texts["calendar-warnings"].startswith("freeze known to 2026-09-30, 51 days ago: ")
    assert " · " not in texts["calendar-warnings"]


@pytest.mark.parametrize(
    ("at", "session", "expiry"),
    [
        ("2026-11-24 11:00", "2026-11-24 (Tuesday) is a trading holiday of NSE", "NIFTY Tue 01 Dec (lot 65 provi"),
        ("2027-01-04 11:00", "normal session 09:15-15:40 IST, provisional", "NIFTY Tue 05 Jan provisional (lot 65"),
    ],
)
def test_a_closed_and_a_provisional_day_say_so(tmp_path: Path, at: str, session: str, expiry: str) -> None:
    texts = said(tmp_path, at).texts

    assert texts["calendar-session"] == session
    assert texts["calendar-expiries"].startswith(expiry)


def test_thirty_days_before_a_table_ends_the_page_warns(tmp_path: Path) -> None:
    assert "calendar known" not in said(tmp_path, "2026-11-30 11:00").texts["calendar-warnings"]
    warned = said(tmp_path, "2026-12-01 11:00").texts["calendar-warnings"]
    assert "calendar known to 2026-12-31, 30 days left" in warned
    assert "vikalp facts import FILE" in warned


def test_the_panel_has_a_place_for_each_line(tmp_path: Path) -> None:
    assert set(re.findall(r'id="(calendar-\w+)"', calendar.panel())) == said(tmp_path, "2026-11-20 11:00").texts.keys()
