"""What expires, what it would be rolled into, and what that costs."""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from core.errors import InputError, StaleDataError
from core.market import charges_at, expiries, from_ns, option_symbol, parse_symbol
from core.matching.depth import Depth
from core.orders.price_guard import touch
from core.records import Side


class RollCost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one roll at the touch: what the two trades pay, and their charges. Paise; + is paid, − received."""

    close_paise: int
    open_paise: int
    charges_rupees: Decimal
    spread_paise: int  # of both contracts, from the middle to the touch: what crossing costs, part of the two sums

    @property
    def net_paise(self) -> int:
        """Paid in all, before charges."""
        return self.close_paise + self.open_paise


def expiring(symbols: Iterable[str], on: dt.date, *, days: int = 0) -> tuple[str, ...]:
    """Those of `symbols` whose contract expires on `on` or up to `days` later; UnknownName for what is no contract."""
    last = on + dt.timedelta(days=days)
    found = ((symbol, parse_symbol(symbol, on).expiry) for symbol in symbols)
    return tuple(symbol for symbol, expiry in found if expiry is not None and on <= expiry <= last)


def next_contract(symbol: str, on: dt.date, *, shift_paise: int = 0) -> str:
    """The contract of the next expiry listed on `on`, of the same kind and strike, or one `shift_paise` away from it.

    InputError for what is no option; UnknownDate where no later expiry is known. Whether the strike is listed there
    only the exchange's dump knows.
    """
    contract = parse_symbol(symbol, on)
    if contract.expiry is None or not contract.strike_paise:
        raise InputError(f"{symbol} is no option: only options are rolled here")
    later = next(day for day in expiries(contract.index, contract.expiry, known=on) if day > contract.expiry)
    return option_symbol(contract.index, later, contract.kind, contract.strike_paise + shift_paise, on)


def roll_cost(symbol: str, into: str, quantity: int, depth: Mapping[str, Depth], now_ns: int) -> RollCost:
    """Cost of rolling `quantity` signed units at the touch of both books; StaleDataError where a side has no quote."""
    if not quantity:
        raise InputError(f"a roll of {symbol} needs a quantity, was 0")
    out: Side = "SELL" if quantity > 0 else "BUY"
    back: Side = "BUY" if quantity > 0 else "SELL"
    on, units = from_ns(now_ns).date(), abs(quantity)
    paid, fees, crossing = [], Decimal(0), 0
    for name, side in ((symbol, out), (into, back)):
        at, other = touch(side, depth.get(name)), touch("SELL" if side == "BUY" else "BUY", depth.get(name))
        if not at:
            raise StaleDataError(f"what it costs to {side} {name} is not known: its book has no such side")
        paid.append(at * units if side == "BUY" else -at * units)
        fees += charges_at(parse_symbol(name, on).index, side, units, at, on).total
        crossing += abs(at - other) * units // 2 if other else 0
    return RollCost(close_paise=paid[0], open_paise=paid[1], charges_rupees=fees, spread_paise=crossing)
