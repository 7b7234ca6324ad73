"""Kite's trading symbols, which are how this desk names a contract, into words and back.

Grammar (Kite instruments of 2026-08-18): the last expiry of a month is written NIFTY26AUG24350CE and NIFTY26AUGFUT; any
other with year, one sign for the month (1-9, O, N, D) and the day, NIFTY2690124350CE. An index is its own name.
"""

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

from core.errors import UnknownDate, UnknownName
from core.market.expiries import is_monthly, monthly_expiry
from core.market.indices import INDICES, check_index
from core.schemas import Kind

VIX = "INDIA VIX"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SIGNS = "123456789OND"
_RIGHTS = {"CE": Kind.CALL, "PE": Kind.PUT}
_NAMES = "|".join(sorted(INDICES, key=len, reverse=True))
_STRIKE = r"(?P<strike>[1-9]\d*(?:\.\d{1,2})?)(?P<right>CE|PE)"
_MONTHLY = re.compile(rf"(?P<index>{_NAMES})(?P<yy>\d\d)(?P<month>{'|'.join(_MONTHS)})(?:{_STRIKE}|FUT)")
_WEEKLY = re.compile(rf"(?P<index>{_NAMES})(?P<yy>\d\d)(?P<month>[{_SIGNS}])(?P<day>\d\d){_STRIKE}")


@dataclass(frozen=True)
class Contract:
    """What a symbol names; `expiry` is None and `strike_paise` 0 where there is none."""

    index: str
    kind: Kind
    expiry: dt.date | None
    strike_paise: int
    symbol: str


def option_symbol(index: str, expiry: dt.date, kind: Kind, strike_paise: int) -> str:
    """Kite symbol of an option; UnknownName for an index or kind that has none.

    >>> option_symbol("NIFTY", dt.date(2025, 9, 2), Kind.CALL, 24500_00)
    'NIFTY2590224500CE'
    """
    if kind not in {Kind.CALL, Kind.PUT} or strike_paise <= 0:
        raise UnknownName(f"an option has kind CALL or PUT and a strike above 0, was {kind!r} {strike_paise} paise")
    right = "CE" if kind == Kind.CALL else "PE"
    rupees, paise = divmod(strike_paise, 100)
    strike = f"{rupees}.{paise:02d}".rstrip("0") if paise else str(rupees)
    return f"{_prefix(index, expiry)}{strike}{right}"


def future_symbol(index: str, expiry: dt.date) -> str:
    """Kite symbol of a future; UnknownDate where `expiry` is not the last of its month: futures are monthly."""
    if not is_monthly(index, expiry):
        last = monthly_expiry(index, expiry.year, expiry.month)
        raise UnknownDate(f"no future of {index} expires on {expiry}; that month's expires on {last}")
    return f"{_prefix(index, expiry)}FUT"


@lru_cache(maxsize=16_384)
def parse_symbol(symbol: str) -> Contract:
    """The contract a Kite symbol names; UnknownName, with what was expected, for anything else."""
    if symbol in INDICES:
        return Contract(symbol, Kind.INDEX, None, 0, symbol)
    if symbol == VIX:
        return Contract("NIFTY", Kind.INDEX, None, 0, symbol)
    match = _MONTHLY.fullmatch(symbol) or _WEEKLY.fullmatch(symbol)
    if match is None:
        raise UnknownName(f"{symbol!r} is no Kite symbol of {', '.join(INDICES)}; one looks like NIFTY25SEP24500CE")
    part = match.groupdict()
    expiry = _expiry(part, symbol)
    right = part["right"]
    if right is None:
        return Contract(part["index"], Kind.FUTURE, expiry, 0, symbol)
    rupees, _, paise = part["strike"].partition(".")
    strike_paise = int(rupees) * 100 + int(paise.ljust(2, "0") if paise else 0)
    contract = Contract(part["index"], _RIGHTS[right], expiry, strike_paise, symbol)
    written = option_symbol(contract.index, expiry, contract.kind, strike_paise)
    if written != symbol:
        raise UnknownName(f"{symbol!r} is written {written!r}")
    return contract


def _expiry(part: dict[str, str], symbol: str) -> dt.date:
    year = 2000 + int(part["yy"])
    try:
        if "day" not in part:
            return monthly_expiry(part["index"], year, _MONTHS.index(part["month"]) + 1)
        return dt.date(year, _SIGNS.index(part["month"]) + 1, int(part["day"]))
    except (UnknownDate, ValueError) as error:
        raise UnknownName(f"{symbol!r} names no expiry: {error}") from error


@lru_cache(maxsize=512)
def _prefix(index: str, expiry: dt.date) -> str:
    check_index(index)
    if is_monthly(index, expiry):
        return f"{index}{expiry:%y}{_MONTHS[expiry.month - 1]}"
    return f"{index}{expiry:%y}{_SIGNS[expiry.month - 1]}{expiry:%d}"
