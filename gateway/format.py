"""How a figure is written, in one place: the page, the command line, and the test that compares the page with the API.

A function takes the value in the unit of core/schemas.py and writes DASH for one that is not there (None, NaN,
infinity, or the schema's own word for unknown). Digits are grouped the Indian way: ₹5,00,000.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from core.errors import InputError
from core.rupees import grouped, rupees

if TYPE_CHECKING:
    from core.market.provenance import Provenance
    from core.records import DeskStatus

DASH = "–"
HOUR_NS = 3_600_000_000_000
SETTLED, SETTLED_REASON = "settled", 2  # what an option without time has for vol and theta; core.pricing.Reason.NO_TIME
IST = ZoneInfo("Asia/Kolkata")
Row = Mapping[str, Any]


def missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def price(paise: int | None, *, zero: str = DASH) -> str:
    """Rupees with two decimals, exact; 0 is `zero`, since a price of 0 means there is none."""
    if missing(paise) or paise is None:
        return DASH
    if paise == 0:
        return zero
    return ("−" if paise < 0 else "") + grouped(abs(paise) // 100) + f".{abs(paise) % 100:02d}"


def money(paise: float | None) -> str:
    """₹ with two decimals; fractions of a paisa are rounded half to even."""
    if missing(paise) or paise is None:
        return DASH
    return rupees(paise)


def paise(rupees: str, name: str = "limit") -> int:
    """The paise of a price that a person typed in rupees; InputError, about `name`, for what is no price."""
    try:
        value = Decimal(rupees.replace(",", "").strip()) * 100
    except InvalidOperation:
        raise InputError(f"{name}: expected rupees such as 124.05, was {rupees!r}") from None
    if not value.is_finite() or value <= 0 or value != value.to_integral_value():
        raise InputError(f"{name}: expected rupees above 0 with at most two decimals, was {rupees!r}")
    return int(value)


def signed_price(paise: int | None) -> str:
    """A change: always with its sign, 0.00 when nothing changed."""
    if paise is None:
        return DASH
    return "0.00" if paise == 0 else ("+" if paise > 0 else "") + price(paise)


def strike(paise: int) -> str:
    """A strike without paise when it has none."""
    return DASH if paise == 0 else grouped(paise // 100) if paise % 100 == 0 else price(paise)


def compact(units: float | None) -> str:
    """Units in thousands (K), lakh (L) and crore (Cr), three to four figures; exact below 10,000."""
    if missing(units) or units is None:
        return DASH
    size, sign = abs(units), "−" if units < 0 else ""
    for scale, name in ((1e7, "Cr"), (1e5, "L"), (1e3, "K")):
        if size >= (scale if scale > 1e3 else 1e4):
            scaled = size / scale
            return f"{sign}{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{name}"
    return f"{sign}{grouped(int(size))}"


def number(value: float | None, decimals: int = 2) -> str:
    if missing(value) or value is None:
        return DASH
    text = f"{abs(value):,.{decimals}f}"
    whole, _, part = text.partition(".")
    text = grouped(int(whole.replace(",", ""))) + (f".{part}" if part else "")
    return f"−{text}" if value < 0 and float(f"{value:.{decimals}f}") != 0 else text


def percent(decimal: float | None, decimals: int = 2) -> str:
    """0.1234 → 12.34, without the sign: the column says %."""
    return DASH if missing(decimal) or decimal is None else number(decimal * 100, decimals)


def time_ist(ns: int) -> str:
    return DASH if ns <= 0 else f"{_moment(ns):%H:%M:%S}"


def time_left(years: float | None) -> str:
    """Days and hours to expiry of ACT/365 years."""
    if missing(years) or years is None:
        return DASH
    hours = round(years * 365 * 24)
    return f"{hours // 24}d {hours % 24}h"


def seconds(age_ns: int) -> str:
    """0.4s, 3m05s, 20h03m; desk.js counts on from it."""
    age = max(age_ns, 0) / 1e9
    minutes = int(age) // 60
    if age < 60:
        return f"{age:.1f}s"
    return f"{minutes}m{int(age) % 60:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def provenance(found: "Provenance | None") -> str:
    """live, simulated or replay; cached with its age, after an hour with its date and time (IST).

    A cached one that is not of the live market says of which it is.
    """
    if found is None:
        return DASH
    if not found.cached:
        return found.kind
    since = f" {seconds(found.age_ns)}" if found.age_ns < HOUR_NS else f", {_moment(found.as_of_ns):%Y-%m-%d %H:%M}"
    return f"cached{since}{'' if found.origin == 'live' else f', {found.origin}'}"


def cached(found: "Provenance") -> str:
    """The same of a cached one for a narrow place: its age, after an hour its day."""
    return f"cached {seconds(found.age_ns) if found.age_ns < HOUR_NS else f'{_moment(found.as_of_ns):%d %b}'}"


def mode(status: "DeskStatus") -> str:
    """The mode; of a desk whose broker is a local exchange that it is a rehearsal: no order of it is real."""
    return f"{status.mode} REHEARSAL" if status.market_mode != status.mode else status.mode


def what_passes(oms_state: str) -> str:
    """What becomes of an order on quotes that are no prices now, by the order manager's own state."""
    return {
        "HALTED": "entries and exits are refused, orders are HALTED",
        "UNREACHABLE": "nothing can be sent, the order manager does not answer",
    }.get(oms_state, "entries are refused, exits pass")


def _moment(ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ns / 1e9, IST)


def change_of(row: Row, now: str, before: str) -> int | None:
    """Paise from `before` to `now`, None where either is unknown (0)."""
    return row[now] - row[before] if row[now] and row[before] else None


def oi_change(row: Row) -> int | None:
    return row["oi"] - row["prev_oi"] if row["prev_oi"] >= 0 else None


def _signed_compact(units: int | None) -> str:
    return ("+" if units and units > 0 else "") + compact(units)


def _unless_settled(row: Row, text: str) -> str:
    return SETTLED if row["iv_reason"] == SETTLED_REASON else text


# The columns of the chain, from the strike outwards: the header, and a row of the API in, the text of the cell out.
COLUMNS: Mapping[str, tuple[str, Callable[[Row], str]]] = {
    "bid": ("Bid", lambda r: price(r["bid_paise"])),
    "ask": ("Ask", lambda r: price(r["ask_paise"])),
    "ltp": ("LTP", lambda r: price(r["last_paise"])),
    "change": ("Chg", lambda r: signed_price(change_of(r, "last_paise", "prev_close_paise"))),
    "iv": ("IV %", lambda r: _unless_settled(r, percent(r["iv"]))),
    "delta": ("Delta", lambda r: number(r["delta"], 3)),
    "theta": ("Theta", lambda r: _unless_settled(r, number(r["theta"], 2))),
    "gamma": ("Gamma", lambda r: number(r["gamma"], 6)),
    "vega": ("Vega", lambda r: number(r["vega"], 2)),
    "rho": ("Rho", lambda r: number(r["rho"], 3)),
    "volume": ("Vol", lambda r: compact(r["volume"])),
    "oi": ("OI", lambda r: compact(r["oi"])),
    "oi_change": ("OI chg", lambda r: _signed_compact(oi_change(r))),
}


def _change_percent(row: Row) -> str:
    change = change_of(row, "spot_paise", "spot_prev_close_paise")
    if change is None:
        return DASH
    return ("+" if change > 0 else "") + number(100 * change / row["spot_prev_close_paise"], 2) + "%"


def _basis(row: Row) -> str:
    return signed_price(change_of(row, "future_paise", "spot_paise"))


# The strip above the chain: the name in the id, what the label says, and a row of EXPIRIES in, the text out.
FIGURES: Mapping[str, tuple[str, Callable[[Row], str]]] = {
    "spot": ("Spot", lambda r: price(r["spot_paise"])),
    "change": ("Change", lambda r: signed_price(change_of(r, "spot_paise", "spot_prev_close_paise"))),
    "change_percent": ("Change %", _change_percent),
    "future": ("Future", lambda r: price(r["future_paise"])),
    "basis": ("Basis", _basis),
    "forward": ("Forward", lambda r: number(r["forward"], 2)),
    "vix": ("India VIX", lambda r: number(r["vix"], 2)),
    "pcr": ("PCR (OI)", lambda r: number(r["pcr_oi"], 2)),
    "pcr_volume": ("PCR (vol)", lambda r: number(r["pcr_volume"], 2)),
    "max_pain": ("Max pain", lambda r: strike(r["max_pain_paise"])),
    "atm_iv": ("ATM IV %", lambda r: percent(r["atm_iv"])),
    "straddle": ("ATM straddle", lambda r: number(r["atm_straddle"], 2)),
    "expected_move": ("Exp. move ±", lambda r: number(r["expected_move"], 2)),
    "sentiment": ("Sentiment", lambda r: number(r["sentiment"], 2)),
    "quality": ("Data quality", lambda r: number(r["quality"], 2)),
}
