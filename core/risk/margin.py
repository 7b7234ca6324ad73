"""What one order would block, from the chain it would trade in: an estimate, never the exchange's own figure.

A purchase costs its premium. A sale costs what it adds to the margin of the legs of its index that are held
(`core.risk.basket`): sixteen scenarios over the dated scan ranges, less net option value, plus exposure and its
expiry-day addition.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import StaleDataError
from core.market import charges_at, parse_symbol, spot_frozen
from core.orders.positions import mark, market_date
from core.records import Chain, Intent, Margin
from core.risk.basket import basket_margin
from core.risk.margin_terms import MarginRules
from core.risk.span import Carry, SpanModel
from core.risk.span_legs import Expiry, Leg, Market, Quote, Underlying, expiry_of

Rows = Mapping[str, Mapping[str, Any]]
_COLUMNS = ("symbol", "bid_paise", "ask_paise", "last_paise", "iv")


def margin_of(
    intent: Intent, chain: Chain | None, *, held: Mapping[str, int], now_ns: int, rules: MarginRules | None = None
) -> Margin:
    """What `intent` needs on top of `held` (signed units by symbol), by the latest chain of its index.

    Premium and charges are at its limit, else at the price it would meet; a sale is margined at the marks, as the
    exchange margins at its own prices. What an order frees is not credited: it comes free once the order has filled. So
    a purchase needs its premium and no more: a long option never loses more than it is worth, which leaves SPAN where
    it was or lower (a calendar charge aside). `span_paise` holds the broker's buffer too, `exposure_paise` the
    expiry-day addition.

    StaleDataError before its contract has a price, and for a sale that leaves a short: before what it shorts has an
    implied vol and every held leg of its index a price. UnknownDate where a table ends.
    """
    rows: Rows = {row["symbol"]: row for row in chain.contracts.select(_COLUMNS).to_pylist()} if chain else {}
    row = rows.get(intent.symbol)
    if chain is None or row is None:
        raise StaleDataError(f"no chain with {intent.symbol} has arrived yet")
    price_paise = _price(intent, row)
    on = market_date(now_ns)
    span = exposure = 0
    legs = _after(intent, held, on)
    if intent.side == "SELL" and any(leg.quantity < 0 for leg in legs):
        if legs[0].quantity < 0 and not row["iv"] > 0:
            raise StaleDataError(f"{intent.symbol} has no implied vol now: the margin of a sale cannot be estimated")
        source = _source(legs, chain, rows, price_paise=price_paise, now_ns=now_ns)
        span, exposure = _added(intent, legs, source, rules)
    return Margin(
        premium_paise=intent.quantity * price_paise if intent.side == "BUY" else 0,
        span_paise=span,
        exposure_paise=exposure,
        charges_paise=charges_at(intent.index, intent.side, intent.quantity, price_paise, on).total_paise,
        estimate=True,
    )


def _price(intent: Intent, row: Mapping[str, Any]) -> int:
    opposite = row["ask_paise"] if intent.side == "BUY" else row["bid_paise"]
    price_paise: int = intent.limit_paise or opposite or row["last_paise"]
    if not price_paise:
        raise StaleDataError(f"{intent.symbol} has no price yet: wait for its first quote")
    return price_paise


def _after(intent: Intent, held: Mapping[str, int], on: dt.date) -> list[Leg]:
    """The legs of its index once `intent` has filled, its own first; what expired before `on` is settled."""
    signed = intent.quantity if intent.side == "BUY" else -intent.quantity
    own = Leg(contract=parse_symbol(intent.symbol, on), quantity=held.get(intent.symbol, 0) + signed)
    others = [
        Leg(contract=parse_symbol(symbol, on), quantity=quantity)
        for symbol, quantity in held.items()
        if quantity and symbol != intent.symbol
    ]
    return [own, *(leg for leg in others if leg.contract.index == intent.index and expiry_of(leg) >= on)]


def _added(intent: Intent, after: Sequence[Leg], source: SpanModel, rules: MarginRules | None) -> tuple[int, int]:
    """SPAN and exposure that the sale `intent` adds, paise: 0 or more."""
    contract = after[0].contract
    order = Leg(contract=contract, quantity=-intent.quantity, product=intent.product)
    held = [Leg(contract=contract, quantity=after[0].quantity + intent.quantity), *after[1:]]
    path = basket_margin([order], source, held=held, rules=rules)
    then, now = path.final.terms, path.before.terms
    span = then.span_paise + then.buffer_paise - now.span_paise - now.buffer_paise
    exposure = then.exposure_paise + then.expiry_day_paise - now.exposure_paise - now.expiry_day_paise
    return max(0, span), max(0, exposure)


def _source(legs: Sequence[Leg], chain: Chain, rows: Rows, *, price_paise: int, now_ns: int) -> SpanModel:
    """The chain as a market of `legs`, the order's first; its own price stands in where its contract has no mark."""
    order = legs[0].contract
    index, quotes = chain_market(legs, chain, rows, now_ns=now_ns, stand_in={order.symbol: price_paise})
    market = Market(on=market_date(now_ns), underlyings={order.index: index}, quotes=quotes)
    return SpanModel(market=market, carry=carry_of(chain, now_ns))


def carry_of(chain: Chain, now_ns: int) -> Carry:
    """What SPAN moves: the spot, or where it stands still in the closing auction or is unknown, the forwards."""
    row = chain.expiries.slice(0, 1).to_pylist()[0]
    return "forward" if spot_frozen(row["index"], now_ns) or not row["spot_paise"] else "spot"


def chain_market(
    legs: Sequence[Leg], chain: Chain, rows: Rows, *, now_ns: int, stand_in: Mapping[str, int]
) -> tuple[Underlying, dict[str, Quote]]:
    """The chain as a market of `legs`, all of its index: the index with its expiries, and the quotes of the legs.

    `rows` are the chain's contracts by symbol; `stand_in` gives the price, paise, of a contract without a mark. A leg
    without a vol, mostly deep in the money, takes its expiry's at the money; one the chain does not have is left out,
    and refused by name where it is valued. While the spot stands still in the closing auction, and where there is none,
    the nearest forward of the legs is the level.
    """
    days = {row["expiry"]: row for row in chain.expiries.to_pylist()}
    expiries, quotes = {}, {}
    for leg in legs:
        symbol, expiry = leg.contract.symbol, expiry_of(leg)
        if symbol not in rows or expiry not in days:
            continue
        row, day = rows[symbol], days[expiry]
        paise = mark(row["bid_paise"], row["ask_paise"], row["last_paise"]) or stand_in.get(symbol, 0)
        vol = row["iv"] if row["iv"] > 0 else day["atm_iv"]
        quotes[symbol] = Quote(paise / 100 if paise else math.nan, vol)
        expiries[expiry] = Expiry(day["forward"], day["years"], day["discount"])
    first = days[min(days)]
    spot = 0.0 if spot_frozen(first["index"], now_ns) else first["spot_paise"] / 100
    level = spot or (expiries[min(expiries)].forward if expiries else first["forward"])
    close = first["spot_prev_close_paise"] / 100 or level
    return Underlying(close=close, spot=level, expiries=expiries), quotes
