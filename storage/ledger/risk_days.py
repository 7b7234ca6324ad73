"""What risk remembers of a day, as one row a day that is written anew."""

import datetime as dt
from typing import Any

import msgspec

from core.records import RiskDay
from storage.rows import put

PUT = put("risk_days", ("date",), ("date", "body"))
NEWEST = "SELECT body FROM risk_days WHERE session_id = $1 ORDER BY date DESC LIMIT 1"


async def record(connection: Any, session: str, day: RiskDay) -> None:
    body = msgspec.json.encode(day).decode()
    await connection.fetchval(PUT, session, dt.date.fromisoformat(day.date), body)


async def newest(connection: Any, session: str) -> RiskDay:
    found = await connection.fetchval(NEWEST, session)
    return RiskDay() if found is None else msgspec.json.decode(found, type=RiskDay)
