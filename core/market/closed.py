"""Why an exchange's derivatives market is closed at a moment, in a word and in a sentence."""

import datetime as dt
from typing import Literal, NamedTuple

from core.errors import UnknownDate
from core.market.calendar import holiday_source, phase, session
from core.market.moment import from_ns
from core.records import Session

Reason = Literal["weekend", "holiday", "muhurat", "pre-open", "closed", "unknown"]
# As the exchanges' lists of 2025 and 2026 print them; of other years those that keep their date.
_FIXED = {
    (1, 26): "Republic Day",
    (4, 14): "Dr. Baba Saheb Ambedkar Jayanti",
    (5, 1): "Maharashtra Day",
    (8, 15): "Independence Day",
    (10, 2): "Mahatma Gandhi Jayanti",
    (12, 25): "Christmas",
}
_NAMES = {
    2025: {
        (2, 26): "Mahashivratri", (3, 14): "Holi", (3, 31): "Id-ul-Fitr", (4, 10): "Mahavir Jayanti",
        (4, 18): "Good Friday", (8, 27): "Ganesh Chaturthi", (10, 2): "Mahatma Gandhi Jayanti, Dussehra",
        (10, 21): "Diwali Laxmi Pujan", (10, 22): "Diwali Balipratipada", (11, 5): "Guru Nanak Jayanti",
    },
    2026: {
        (1, 15): "municipal elections in Maharashtra", (3, 3): "Holi", (3, 26): "Ram Navami",
        (3, 31): "Mahavir Jayanti", (4, 3): "Good Friday", (5, 28): "Bakri Id", (6, 26): "Muharram",
        (9, 14): "Ganesh Chaturthi", (10, 20): "Dussehra", (11, 10): "Diwali Balipratipada",
        (11, 24): "Guru Nanak Jayanti",
    },
}  # fmt: skip


class Closed(NamedTuple):
    reason: Reason
    why: str


def closed(exchange: str, at_ns: int) -> Closed | None:
    """None in the continuous session, else why there is none at market time `at_ns`; UnknownName for the exchange."""
    now = from_ns(at_ns)
    try:
        stands, hours = phase(exchange, at_ns), session(exchange, now.date())
    except UnknownDate as error:
        return Closed("unknown", str(error))
    if stands == "open":
        return None
    return _outside(exchange, stands, hours, now) if hours else _no_session(exchange, now.date())


def _outside(exchange: str, stands: str, hours: Session, now: dt.datetime) -> Closed:
    times = f"its session of {hours.date} is {hours.open:%H:%M} to {hours.close:%H:%M} IST"
    if hours.kind == "muhurat":
        return Closed("muhurat", f"{exchange} has a muhurat session alone: {times}")
    if stands == "pre-open":
        return Closed("pre-open", f"{exchange} is in its pre-open, which takes no options: {times}")
    if hours.open <= now < hours.close:
        return Closed("closed", f"{exchange} pauses between the windows of its {hours.kind} session: {times}")
    return Closed("closed", f"{exchange} is closed at {now:%H:%M:%S}: {times}")


def holiday_name(on: dt.date) -> str:
    """The name of a trading holiday; empty where no list at hand prints it."""
    return _NAMES.get(on.year, {}).get((on.month, on.day)) or _FIXED.get((on.month, on.day), "")


def _no_session(exchange: str, on: dt.date) -> Closed:
    if on.weekday() >= 5:
        return Closed("weekend", f"{on} is a {on:%A}: {exchange} does not trade")
    name = holiday_name(on) or "a trading holiday"
    return Closed("holiday", f"{on} is {name} at {exchange} ({holiday_source(on)})")
