"""The five indices whose options the desk knows, and what does not change with the date.

Sources: the strike step near the money and the option tick are from Kite's instruments of 2026-08-18 and NSE's
bhavcopies of 2025; farther wings are listed more coarsely, so a listed strike always wins over the step.
"""

from dataclasses import dataclass

from core.errors import UnknownName

TICK_PAISE = 5  # index options stayed at 0.05 when stock options changed (NSE/FAOP/70382)


@dataclass(frozen=True)
class _Index:
    exchange: str
    derivatives: str
    strike_step_paise: int


_TABLE = {
    "NIFTY": _Index("NSE", "NFO", 50_00),
    "BANKNIFTY": _Index("NSE", "NFO", 100_00),
    "FINNIFTY": _Index("NSE", "NFO", 50_00),
    "MIDCPNIFTY": _Index("NSE", "NFO", 25_00),
    "SENSEX": _Index("BSE", "BFO", 100_00),
}
INDICES: tuple[str, ...] = tuple(_TABLE)


def check_index(name: str) -> str:
    """`name` itself; UnknownName, listing the known ones, for any other."""
    if name not in _TABLE:
        raise UnknownName(f"unknown index {name!r}; known are {', '.join(INDICES)}")
    return name


def exchange_of(index: str) -> str:
    """NSE or BSE, where the index and its options are traded."""
    return _TABLE[check_index(index)].exchange


def derivatives_exchange_of(index: str) -> str:
    """NFO or BFO: Kite's name of the exchange's derivatives segment."""
    return _TABLE[check_index(index)].derivatives


def strike_step_paise(index: str) -> int:
    """Distance of two listed strikes near the money, in paise."""
    return _TABLE[check_index(index)].strike_step_paise


def tick_paise(index: str) -> int:
    """Smallest step of an option's price, in paise."""
    check_index(index)
    return TICK_PAISE
