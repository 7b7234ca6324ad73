"""The indices whose options are traded, and what hardly changes with the date.

Two names: `INDICES` are the desk's own five, which have feeds, settings and pages; `CONTRACT_INDICES` are the seven
whose exchange facts are known, NIFTYNXT50 and BANKEX too. `check_index` guards the desk, `check_contract_index` facts.

Sources: the strike step near the money and the ticks are from Kite's instruments of 2025-09, 2025-11, 2026-05 and
2026-08 and NSE's bhavcopies of 2025; farther wings and long-dated contracts are listed more coarsely, so a listed
strike always wins over the step. Option ticks stayed 0.05 when stock options changed (NSE/FAOP/70382).
"""

from dataclasses import dataclass

from core.errors import UnknownName

TICK_PAISE = 5


@dataclass(frozen=True)
class _Index:
    exchange: str
    derivatives: str
    strike_step_paise: int
    future_tick_paise: int


_TABLE = {
    "NIFTY": _Index("NSE", "NFO", 50_00, 10),
    "BANKNIFTY": _Index("NSE", "NFO", 100_00, 20),
    "FINNIFTY": _Index("NSE", "NFO", 50_00, 10),
    "MIDCPNIFTY": _Index("NSE", "NFO", 25_00, 5),
    "SENSEX": _Index("BSE", "BFO", 100_00, 5),
    "NIFTYNXT50": _Index("NSE", "NFO", 100_00, 20),
    "BANKEX": _Index("BSE", "BFO", 100_00, 5),
}
CONTRACT_INDICES: tuple[str, ...] = tuple(_TABLE)
INDICES: tuple[str, ...] = CONTRACT_INDICES[:5]


def check_index(name: str) -> str:
    """`name` itself; UnknownName, listing the desk's, for any other."""
    if name not in INDICES:
        raise UnknownName(f"unknown index {name!r}; known are {', '.join(INDICES)}")
    return name


def check_contract_index(name: str) -> str:
    """`name` itself; UnknownName, listing those whose facts are known, for any other: a stock's name says why."""
    if name not in _TABLE:
        raise UnknownName(
            f"unknown index {name!r}; known are {', '.join(CONTRACT_INDICES)}. Options and futures on a stock are "
            "settled by delivery and can be banned for a day: this desk does not trade them"
        )
    return name


def exchange_of(index: str) -> str:
    """NSE or BSE, where the index and its options are traded."""
    return _TABLE[check_contract_index(index)].exchange


def derivatives_exchange_of(index: str) -> str:
    """NFO or BFO: Kite's name of the exchange's derivatives segment."""
    return _TABLE[check_contract_index(index)].derivatives


def strike_step_paise(index: str) -> int:
    """Distance of two listed strikes near the money, in paise."""
    return _TABLE[check_contract_index(index)].strike_step_paise


def tick_paise(index: str) -> int:
    """Smallest step of an option's price, in paise."""
    check_contract_index(index)
    return TICK_PAISE


def future_tick_paise(index: str) -> int:
    """Smallest step of a future's price, in paise, as in the dumps since 2025-09."""
    return _TABLE[check_contract_index(index)].future_tick_paise
