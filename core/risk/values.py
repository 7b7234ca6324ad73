"""What one index's latest chain says its contracts are worth: prices, vols and forwards, looked up by symbol."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.market import spot_frozen
from core.records import Chain
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, expiry_of, indices_of

if TYPE_CHECKING:
    from core.risk.span import Carry  # its package loads the kernels, which who only wants the book need not

Floats = NDArray[np.float64]


class Values(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One index at `as_of_ns`. `price` (rupees, mid or last; NaN unknown) and `vol` are in the order of `slots`.

    `vol` is a contract's own, else its expiry's at the money, else NaN. `level` is the spot, or the nearest forward
    where there is none or it stands still; `carry` says which of the two a scenario moves.
    """

    index: str
    as_of_ns: int
    level: float
    close: float
    carry: "Carry"
    expiries: Mapping[dt.date, Expiry]
    atm: Mapping[dt.date, float]
    slots: Mapping[str, int]
    price: Floats
    vol: Floats

    def has(self, symbol: str) -> bool:
        return symbol in self.slots

    def quote(self, symbol: str) -> Quote | None:
        """Price and vol of `symbol`; None if the chain has no such contract."""
        slot = self.slots.get(symbol)
        return None if slot is None else Quote(float(self.price[slot]), float(self.vol[slot]))


def values_of(chain: Chain, before: Values | None = None) -> Values:
    """`chain` as values; `before`, of an earlier chain of the index, spares the look-up table if nothing was listed."""
    days = {row["expiry"]: row for row in chain.expiries.select(_DAY).to_pylist()}
    first = days[min(days)]
    index, now_ns = first["index"], first["as_of_ns"]
    spot = 0.0 if spot_frozen(index, now_ns) else first["spot_paise"] / 100
    level = spot or next((row["forward"] for _, row in sorted(days.items()) if row["forward"] > 0), math.nan)
    bid, ask, last, own = (chain.contracts[name].to_numpy() for name in ("bid_paise", "ask_paise", "last_paise", "iv"))
    paise = np.where((bid > 0) & (ask > 0), (bid + ask) // 2, last)
    atm = {day: row["atm_iv"] for day, row in days.items()}
    expiries = chain.contracts["expiry"].to_pylist()
    near = np.array([atm.get(day, math.nan) for day in expiries], float)
    return Values(
        index=index, as_of_ns=now_ns, level=level, close=first["spot_prev_close_paise"] / 100 or level,
        carry="spot" if spot else "forward", atm=atm,
        expiries={day: Expiry(row["forward"], row["years"], row["discount"]) for day, row in days.items()},
        slots=_slots(chain, before), price=np.where(paise > 0, paise / 100, math.nan), vol=np.where(own > 0, own, near),
    )  # fmt: skip


_DAY = ("index", "expiry", "as_of_ns", "spot_paise", "spot_prev_close_paise", "forward", "years", "discount", "atm_iv")


def _slots(chain: Chain, before: Values | None) -> Mapping[str, int]:
    symbols = [str(name) for name in chain.contracts["symbol"].to_pylist()]
    if before is not None and list(before.slots) == symbols:
        return before.slots
    return {symbol: slot for slot, symbol in enumerate(symbols)}


def market_of(legs: Iterable[Leg], values: Mapping[str, Values], on: dt.date) -> Market:
    """The market of `legs` on `on`; a leg whose index or contract is not known is left out, and refused where used."""
    legs = list(legs)
    underlyings, quotes = {}, {}
    for name in indices_of(legs):
        known = values.get(name)
        if known is None:
            continue
        own = [leg for leg in legs if leg.contract.index == name]
        days = {expiry_of(leg) for leg in own} & known.expiries.keys()
        underlyings[name] = Underlying(
            close=known.close, spot=known.level, expiries={day: known.expiries[day] for day in days}
        )
        found = ((leg.contract.symbol, known.quote(leg.contract.symbol)) for leg in own)
        quotes.update({symbol: quote for symbol, quote in found if quote is not None})
    return Market(on=on, underlyings=underlyings, quotes=quotes)
