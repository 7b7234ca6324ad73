"""What one order would block, from the chain it would trade in: an estimate, never the exchange's own figure.

A bought option costs its premium. A sold one is margined like a portfolio of one leg (`core.risk.margin_portfolio`):
sixteen scenarios over the dated scan ranges, less net option value, plus exposure and its expiry-day addition.
"""

import datetime as dt
import math
from typing import Any

from core.errors import StaleDataError
from core.market import Contract, charges_at, parse_symbol
from core.market.margins import EXTREME_MOVE, EXTREME_SHARE, SCENARIOS
from core.orders.positions import market_date
from core.records import Chain, Intent, Margin
from core.risk.margin_portfolio import portfolio_margin
from core.risk.margin_terms import MarginRules, MarginTerms
from core.risk.span import Carry, SpanModel
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, expiry_of

__all__ = ["EXTREME_MOVE", "EXTREME_SHARE", "SCENARIOS", "estimate", "margin_of", "rows_of", "scan_risk"]


def rows_of(chain: Chain, symbol: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The rows of `symbol` and of its expiry in `chain`; None if it is not in it."""
    symbols = chain.contracts.column("symbol").to_pylist()
    if symbol not in symbols:
        return None
    row = chain.contracts.slice(symbols.index(symbol), 1).to_pylist()[0]
    return row, next(expiry for expiry in chain.expiries.to_pylist() if expiry["expiry"] == row["expiry"])


def scan_risk(contract: Contract, *, forward: float, vol: float, years: float, discount: float) -> float:
    """Rupees one unit sold short loses in its worst scenario, at least 0, under the floors of the scan ranges.

    The forward is what is shifted; forward in rupees, vol and rates decimals.
    """
    leg = Leg(contract=contract, quantity=-1)
    on = expiry_of(leg) - dt.timedelta(days=round(years * 365))
    index = Underlying(close=forward, spot=forward, expiries={expiry_of(leg): Expiry(forward, years, discount)})
    model = _model(leg, index, Quote(math.inf, vol), on, carry="forward")
    return max(0.0, float((-model.arrays([leg]).losses).max()))


def margin_of(
    intent: Intent, chain: Chain | None, *, held: int, now_ns: int, rules: MarginRules | None = None
) -> Margin:
    """The margin of `intent` at its limit, else at the price it would meet in the latest chain of its index.

    StaleDataError before its contract has a price, and for a sale an implied vol; UnknownDate where a table ends.
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
        spot=expiry["spot_paise"] / 100,
        close=expiry["spot_prev_close_paise"] / 100,
        rules=rules,
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
    spot: float = 0.0,
    close: float = 0.0,
    rules: MarginRules | None = None,
) -> Margin:
    """Margin and charges of `intent` at `price_paise`; selling what is `held` long (signed units) blocks nothing.

    `spot` and `close` (the previous day's official close) are rupees, 0 unknown: the forward stands for them then.
    `span_paise` holds the broker's buffer too, `exposure_paise` the expiry-day addition.
    """
    on = market_date(now_ns)
    cost = charges_at(intent.index, intent.side, intent.quantity, price_paise, on).total_paise
    premium = intent.quantity * price_paise if intent.side == "BUY" else 0
    short = 0 if intent.side == "BUY" else max(0, intent.quantity - max(0, held))
    terms = MarginTerms()
    if short:
        leg = Leg(contract=contract, quantity=-short, product=intent.product)
        level = spot if spot > 0 else forward
        expiries = {expiry_of(leg): Expiry(forward, years, discount)}
        index = Underlying(close=close if close > 0 else level, spot=level, expiries=expiries)
        model = _model(leg, index, Quote(price_paise / 100, vol), on, carry="spot" if spot > 0 else "forward")
        terms = portfolio_margin([leg], model, rules=rules).terms
    return Margin(
        premium_paise=premium,
        span_paise=terms.span_paise + terms.buffer_paise,
        exposure_paise=terms.exposure_paise + terms.expiry_day_paise,
        charges_paise=cost,
        estimate=True,
    )


def _model(leg: Leg, index: Underlying, quote: Quote, on: dt.date, *, carry: Carry) -> SpanModel:
    contract = leg.contract
    market = Market(on=on, underlyings={contract.index: index}, quotes={contract.symbol: quote})
    return SpanModel(market=market, carry=carry)
