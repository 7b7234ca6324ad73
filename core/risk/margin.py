"""What an order would block: a thin SPAN-style estimate, never the exchange's own figure.

A bought option costs its premium. A sold one is worth what it could lose over SPAN's sixteen scenarios: the price
moved by 0, ±1/3, ±2/3 and ±1 of the scan range with the vol up and down, and twice the range, of which 35 % counts.
The scan range is 9.3 % of the underlying and the vol shift 0.04 (NSE Clearing, SPAN risk parameters: the floor of
max(6σ√2, 9.3 %), which binds on most days). To the scan risk the option's value is added (less net option value,
which is negative for a short), and 2 % of notional for exposure.
"""

from typing import Any

import numpy as np

from core.errors import StaleDataError
from core.market import Contract, charges_at, parse_symbol
from core.orders.positions import market_date
from core.pricing import price
from core.records import Chain, Intent, Margin
from core.schemas import Kind

PRICE_SCAN = 0.093
VOL_SCAN = 0.04
EXPOSURE = 0.02
EXTREME_MOVE, EXTREME_SHARE = 2.0, 0.35
_THIRDS = (0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0)
SCENARIOS = (
    *((move, shift, 1.0) for move in _THIRDS for shift in (1, -1)),
    (EXTREME_MOVE, 0, EXTREME_SHARE),
    (-EXTREME_MOVE, 0, EXTREME_SHARE),
)
"""(price move in scan ranges, vol move in vol shifts, share of the loss that counts)"""


def rows_of(chain: Chain, symbol: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The rows of `symbol` and of its expiry in `chain`; None if it is not in it."""
    symbols = chain.contracts.column("symbol").to_pylist()
    if symbol not in symbols:
        return None
    row = chain.contracts.slice(symbols.index(symbol), 1).to_pylist()[0]
    return row, next(expiry for expiry in chain.expiries.to_pylist() if expiry["expiry"] == row["expiry"])


def scan_risk(contract: Contract, *, forward: float, vol: float, years: float, discount: float) -> float:
    """Rupees one unit sold short loses in its worst scenario, at least 0; forward in rupees, vol and rates decimals."""
    moves, shifts, shares = np.array([(0.0, 0, 0.0), *SCENARIOS]).T
    theta = 1 if contract.kind == Kind.CALL else -1
    vols = np.maximum(vol + VOL_SCAN * shifts, 0.0)
    values = price(theta, forward * (1 + PRICE_SCAN * moves), contract.strike_paise / 100, years, vols, discount)
    return max(0.0, float(np.max(shares * (values - values[0]))))


def margin_of(intent: Intent, chain: Chain | None, *, held: int, now_ns: int) -> Margin:
    """The margin of `intent` at its limit, else at the price it would meet in the latest chain of its index.

    StaleDataError before its contract has a price, and for a sale an implied vol.
    """
    contract = parse_symbol(intent.symbol)
    rows = rows_of(chain, intent.symbol) if chain else None
    if rows is None:
        raise StaleDataError(f"no chain with {intent.symbol} has arrived yet")
    row, expiry = rows
    opposite = row["ask_paise"] if intent.side == "BUY" else row["bid_paise"]
    price_paise = intent.limit_paise or opposite or row["last_paise"]
    if not price_paise:
        raise StaleDataError(f"{intent.symbol} has no price yet: wait for its first quote")
    if intent.side == "SELL" and not row["iv"] > 0:
        raise StaleDataError(f"{intent.symbol} has no implied vol now: the margin of a sale cannot be estimated")
    return estimate(
        intent,
        contract,
        price_paise=price_paise,
        held=held,
        forward=expiry["forward"],
        vol=row["iv"],
        years=expiry["years"],
        discount=expiry["discount"],
        now_ns=now_ns,
    )


def estimate(
    intent: Intent,
    contract: Contract,
    *,
    price_paise: int,
    held: int,
    forward: float,
    vol: float,
    years: float,
    discount: float,
    now_ns: int,
) -> Margin:
    """Margin and charges of `intent` at `price_paise`; selling what is `held` long (signed units) blocks nothing."""
    cost = charges_at(intent.index, intent.side, intent.quantity, price_paise, market_date(now_ns)).total_paise
    if intent.side == "BUY":
        return Margin(
            premium_paise=intent.quantity * price_paise,
            span_paise=0,
            exposure_paise=0,
            charges_paise=cost,
            estimate=True,
        )
    short = max(0, intent.quantity - max(0, held))
    scan = scan_risk(contract, forward=forward, vol=vol, years=years, discount=discount) if short else 0.0
    return Margin(
        premium_paise=0,
        span_paise=short * (round(scan * 100) + price_paise),
        exposure_paise=round(short * forward * EXPOSURE * 100) if short else 0,
        charges_paise=cost,
        estimate=True,
    )
