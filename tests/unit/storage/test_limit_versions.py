"""Versions of the risk limits: each whole, kept for the account, with a line in the audit log for what it changes."""

import asyncio
import json
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from core.errors import InputError
from core.records import RiskDay
from core.risk.limits.changes import changed, parsed
from core.risk.limits.limits import LimitsConfig
from storage.ledger import PostgresLedger

Make = Callable[..., PostgresLedger]
AUDIT = """SELECT user_id, entity_id, old_value, new_value FROM audit_log
    WHERE session_id = $1 AND action = 'set_limit' AND entity_type = 'limit' ORDER BY seq"""


def audited(dsn: str, session: str) -> list[tuple[object, ...]]:
    """Who, setting, old and new value of each line."""

    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(AUDIT, session)
        finally:
            await connection.close()
        values = ("old_value", "new_value")
        return [(row["user_id"], row["entity_id"], *(json.loads(row[name]) for name in values)) for row in rows]

    return asyncio.run(ask())


def body(**lots: int) -> str:
    return changed(LimitsConfig(), {f"{name}.max_lots": number for name, number in lots.items()}).model_dump_json()


def test_the_newest_version_comes_back_whole(make_ledger: Make) -> None:
    ledger = make_ledger()
    nothing = ledger.limits()
    ledger.record_limits(0, LimitsConfig().model_dump_json(), "settings", "as set up")
    ledger.record_limits(1, body(order_size=7), "asha", "expiry day")
    version, found = ledger.limits()

    assert (nothing, version) == (None, 1)
    assert parsed(json.loads(found)) == changed(LimitsConfig(), {"order_size.max_lots": 7})


def test_each_changed_setting_is_a_line_of_the_audit_log(make_ledger: Make, dsn: str) -> None:
    ledger = make_ledger("audited")
    ledger.record_limits(0, LimitsConfig().model_dump_json(), "settings", "as set up")
    ledger.record_limits(1, body(order_size=7, position=9), "asha", "expiry day")

    assert audited(dsn, "audited") == [
        ("asha", "order_size.max_lots", 20, 7),
        ("asha", "position.max_lots", 40, 9),
    ]


def test_a_version_is_recorded_once(make_ledger: Make, dsn: str) -> None:
    ledger = make_ledger("once")
    for _ in range(2):  # its first answer was lost
        ledger.record_limits(1, body(order_size=7), "asha", "expiry day")
    with pytest.raises(InputError, match="version 1 are recorded already"):
        ledger.record_limits(1, body(order_size=8), "ravi", "no, eight")

    assert len(audited(dsn, "once")) > 1  # against nothing: every setting is new, once
    assert {line[0] for line in audited(dsn, "once")} == {"asha"}


def test_an_account_s_limits_outlive_its_session(dsn: str) -> None:
    friday, monday, other = (
        PostgresLedger(dsn, session, scope=scope)
        for session, scope in (("friday", "AB1234"), ("monday", "AB1234"), ("monday-2", "ZZ9999"))
    )
    try:
        friday.record_limits(1, body(order_size=7), "asha", "for the week")
        found = [ledger.limits() for ledger in (monday, other)]
    finally:
        for ledger in (friday, monday, other):
            ledger.close()

    assert found[0] is not None
    assert (found[0][0], found[1]) == (1, None)


def test_what_risk_remembers_of_a_day_comes_back_as_written_last(make_ledger: Make) -> None:
    ledger = make_ledger("a day")
    nothing = ledger.risk_day()
    friday = RiskDay(date="2026-11-20", highs={"": 500_000, "ema": 200_000}, warned=("position",), lost=True)
    for day in (friday, msgspec.structs.replace(friday, date="2026-11-23"), friday):
        ledger.record_risk_day(day)
    monday = RiskDay(date="2026-11-23", highs={"": 7})
    ledger.record_risk_day(monday)

    assert (nothing, ledger.risk_day()) == (RiskDay(), monday)
    assert make_ledger("another").risk_day() == RiskDay()
