"""Names of contracts into words and back: Kite's trading symbols, which are the desk's own, UDiFF's, NSE's identifiers.

Kite's grammar: the last expiry of a month is written NIFTY26AUG24350CE and NIFTY26AUGFUT; any other with year, one sign
for the month (1-9, O, N, D) and the day, NIFTY2690124350CE. An index is its own name. The exchange's UDiFF files name a
contract alike in FinInstrmNm (105,532 rows of 22 days, every one). NSE's option-chain identifier spells it all out:
OPTIDXNIFTY14-07-2026CE21400.00. A monthly symbol holds no day: which one it means can depend on when it was written.
"""

import datetime as dt
import re
from dataclasses import dataclass

from core.errors import UnknownDate, UnknownName
from core.market.expiries import is_monthly, monthly_expiry
from core.market.indices import CONTRACT_INDICES, check_contract_index
from core.market.overlay import remembered
from core.schemas import Kind

VIX = "INDIA VIX"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SIGNS = "123456789OND"
_RIGHTS = {"CE": Kind.CALL, "PE": Kind.PUT}
_NAMES = "|".join(sorted(CONTRACT_INDICES, key=len, reverse=True))
_STRIKE = r"(?P<strike>[1-9]\d*(?:\.\d{1,2})?)(?P<right>CE|PE)"
# ASCII: other scripts have digits too, which no exchange writes.
_MONTHLY = re.compile(rf"(?P<index>{_NAMES})(?P<yy>\d\d)(?P<month>{'|'.join(_MONTHS)})(?:{_STRIKE}|FUT)", re.ASCII)
_WEEKLY = re.compile(rf"(?P<index>{_NAMES})(?P<yy>\d\d)(?P<month>[{_SIGNS}])(?P<day>\d\d){_STRIKE}", re.ASCII)
_IDENTIFIER = re.compile(
    rf"(?P<type>OPT|FUT)IDX(?P<index>{_NAMES})(?P<date>\d\d-\d\d-\d{{4}})(?P<right>CE|PE|XX)(?P<strike>\d+\.\d\d)",
    re.ASCII,
)
_NO_IDENTIFIER = "is no NSE identifier of an index contract; one looks like OPTIDXNIFTY14-07-2026CE21400.00"
# Names with the shape of a stock's contract, e.g. RELIANCE26AUG1400CE or INFY26AUGFUT.
_STOCK = re.compile(rf"[A-Z0-9][A-Z0-9&-]*\d\d(?:{'|'.join(_MONTHS)})(?:{_STRIKE}|FUT)", re.ASCII)


@dataclass(frozen=True)
class Contract:
    """What a symbol names; `expiry` is None and `strike_paise` 0 where there is none."""

    index: str
    kind: Kind
    expiry: dt.date | None
    strike_paise: int
    symbol: str


def option_symbol(index: str, expiry: dt.date, kind: Kind, strike_paise: int, on: dt.date | None = None) -> str:
    """Kite symbol of an option, as written on `on` (None: in its own time); UnknownName where there is none.

    >>> option_symbol("NIFTY", dt.date(2025, 9, 2), Kind.CALL, 24500_00)
    'NIFTY2590224500CE'
    """
    if kind not in {Kind.CALL, Kind.PUT} or strike_paise <= 0:
        raise UnknownName(f"an option has kind CALL or PUT and a strike above 0, was {kind!r} {strike_paise} paise")
    right = "CE" if kind == Kind.CALL else "PE"
    rupees, paise = divmod(strike_paise, 100)
    strike = f"{rupees}.{paise:02d}".rstrip("0") if paise else str(rupees)
    return f"{_prefix(index, expiry, on)}{strike}{right}"


def future_symbol(index: str, expiry: dt.date, on: dt.date | None = None) -> str:
    """Kite symbol of a future; UnknownDate where `expiry` is not the last of its month: futures are monthly."""
    if not is_monthly(index, expiry, on):
        last = monthly_expiry(index, expiry.year, expiry.month)
        raise UnknownDate(f"no future of {index} expires on {expiry}; that month's expires on {last}")
    return f"{_prefix(index, expiry, on)}FUT"


@remembered(65_536)
def parse_symbol(symbol: str, on: dt.date | None = None) -> Contract:
    """The contract a Kite symbol or a UDiFF FinInstrmNm names; UnknownName, with what was expected, for anything else.

    `on` is the day the symbol was written; None takes a monthly one for the day on which it expired, or will.

    >>> parse_symbol("NIFTY25SEP22550CE").expiry, parse_symbol("NIFTY25SEP22550CE", dt.date(2025, 2, 3)).expiry
    (datetime.date(2025, 9, 30), datetime.date(2025, 9, 25))
    """
    if symbol in CONTRACT_INDICES:
        return Contract(symbol, Kind.INDEX, None, 0, symbol)
    if symbol == VIX:
        return Contract("NIFTY", Kind.INDEX, None, 0, symbol)
    match = _MONTHLY.fullmatch(symbol) or _WEEKLY.fullmatch(symbol)
    if match is None:
        raise UnknownName(_no_symbol(symbol))
    part = match.groupdict()
    expiry = _expiry(part, symbol, on)
    right = part["right"]
    if right is None:
        return Contract(part["index"], Kind.FUTURE, expiry, 0, symbol)
    strike_paise = _paise(part["strike"])
    contract = Contract(part["index"], _RIGHTS[right], expiry, strike_paise, symbol)
    written = option_symbol(contract.index, expiry, contract.kind, strike_paise, on)
    if written != symbol:
        raise UnknownName(f"{symbol!r} is written {written!r}")
    return contract


def written_by_month(symbol: str) -> bool:
    """Whether a symbol has the form of its month's last contract, year and month without a day.

    >>> written_by_month("NIFTY26NOV26000CE"), written_by_month("NIFTY26N1726000CE")
    (True, False)
    """
    return _MONTHLY.fullmatch(symbol) is not None


def nse_identifier(contract: Contract) -> str:
    """NSE's identifier of a contract of its own; UnknownName for an index, which has none.

    >>> nse_identifier(parse_symbol("NIFTY2671421400CE"))
    'OPTIDXNIFTY14-07-2026CE21400.00'
    """
    if contract.expiry is None:
        raise UnknownName(f"{contract.symbol} is an index: NSE's identifiers name futures and options")
    right = {Kind.CALL: "CE", Kind.PUT: "PE"}.get(contract.kind, "XX")
    rupees, paise = divmod(contract.strike_paise, 100)
    type_ = "FUT" if contract.kind == Kind.FUTURE else "OPT"
    return f"{type_}IDX{contract.index}{contract.expiry:%d-%m-%Y}{right}{rupees}.{paise:02d}"


@remembered(16_384)
def parse_identifier(identifier: str, on: dt.date | None = None) -> Contract:
    """The contract NSE's identifier names; its `symbol` is Kite's, as of `on`. UnknownName for anything else."""
    match = _IDENTIFIER.fullmatch(identifier)
    if match is None:
        raise UnknownName(f"{identifier!r} {_NO_IDENTIFIER}")
    part = match.groupdict()
    index, right, strike_paise = part["index"], part["right"], _paise(part["strike"])
    if len({part["type"] == "FUT", right == "XX", strike_paise == 0}) > 1:
        raise UnknownName(f"{identifier!r}: a future has XX and strike 0.00, an option CE or PE and a strike")
    try:
        expiry = dt.datetime.strptime(part["date"], "%d-%m-%Y").date()  # noqa: DTZ007 a day has no zone
        if right == "XX":
            return Contract(index, Kind.FUTURE, expiry, 0, future_symbol(index, expiry, on))
        symbol = option_symbol(index, expiry, _RIGHTS[right], strike_paise, on)
    except (ValueError, UnknownDate) as error:
        raise UnknownName(f"{identifier!r} {_NO_IDENTIFIER}: {error}") from error
    return Contract(index, _RIGHTS[right], expiry, strike_paise, symbol)


def _no_symbol(symbol: str) -> str:
    known = ", ".join(CONTRACT_INDICES)
    if _STOCK.fullmatch(symbol):
        return (
            f"{symbol!r} is a contract of a stock or of an index this desk does not know ({known}): those of a stock "
            "are settled by delivery and can be banned for a day, and are not traded here"
        )
    return f"{symbol!r} is no Kite symbol of {known}; the chain of an index names one (vikalp chain INDEX)"


def _paise(strike: str) -> int:
    rupees, _, paise = strike.partition(".")
    return int(rupees) * 100 + int(paise.ljust(2, "0") if paise else 0)


def _expiry(part: dict[str, str], symbol: str, on: dt.date | None) -> dt.date:
    year = 2000 + int(part["yy"])
    try:
        if "day" not in part:
            return monthly_expiry(part["index"], year, _MONTHS.index(part["month"]) + 1, on)
        return dt.date(year, _SIGNS.index(part["month"]) + 1, int(part["day"]))
    except (UnknownDate, ValueError) as error:
        raise UnknownName(f"{symbol!r} names no expiry: {error}") from error


@remembered(2048)
def _prefix(index: str, expiry: dt.date, on: dt.date | None) -> str:
    check_contract_index(index)
    if is_monthly(index, expiry, on):
        return f"{index}{expiry:%y}{_MONTHS[expiry.month - 1]}"
    return f"{index}{expiry:%y}{_SIGNS[expiry.month - 1]}{expiry:%d}"
