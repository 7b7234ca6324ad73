"""What the paper broker refuses, in Kite's words: pure, of an order and the book it would meet."""

import datetime as dt

from core.errors import VikalpError
from core.market import exchange_of, freeze, from_ns, lot, parse_symbol, phase, tick_paise
from core.matching.depth import Depth
from core.orders.stops import stop_refusal, turned_away
from core.orders.validity import over
from core.orders.windows import amo_arrival_ns
from core.records import Intent, Side, Terms

MOST_MODIFICATIONS = 25  # of an order at Kite (kite.md §3)
NO_AMO = "After market orders (AMO) are not taken at this time."
NO_MARKET_AMO = "Market orders are blocked for index options as after market orders. Use a Limit order."
CLOSED = "Markets are closed right now. Only after market orders can be placed."


def terms_of(intent: Intent) -> Terms:
    return Terms(order_type=intent.order_type, limit_paise=intent.limit_paise, trigger_paise=intent.trigger_paise)


def no_order(intent: Intent, now_ns: int) -> str:
    """Why there can be no such order now, whatever the market; empty if there can.

    An after-market order is looked at as of its session's open, and again when it has come.
    """
    try:
        at_ns = amo_arrival_ns(intent.index, now_ns) if intent.variety == "amo" else now_ns
        if not at_ns:
            return NO_AMO
        on = from_ns(at_ns).date()
        contract = parse_symbol(intent.symbol, on)
        if contract.expiry is None or over(contract, at_ns) is not None:
            return "The instrument you are placing an order for has either expired or does not exist."
        if phase(exchange_of(contract.index), at_ns) != "open":
            return CLOSED
        units, most = lot(contract.index, contract.expiry, on), freeze(contract.index, on)
    except VikalpError as error:
        return f"Invalid order: {error}"
    if intent.variety == "amo" and intent.order_type == "MARKET":
        return NO_MARKET_AMO
    return _no_size(intent, units, most) or _no_prices(intent.index, intent.side, terms_of(intent), at_ns)


def no_other_day(intent: Intent, now_ns: int, day: dt.date | None) -> str:
    """Why an after-market order cannot wait here: a paper book is of one trading day (None: of any)."""
    if intent.variety != "amo" or day is None:
        return ""
    arrives = from_ns(amo_arrival_ns(intent.index, now_ns)).date()
    if arrives == day:
        return ""
    return (
        f"This is the paper book of {day}: an after-market order for {arrives} would not be in that day's. "
        f"Start the desk anew on {arrives}, and give it before 09:10."
    )


def no_terms(intent: Intent, terms: Terms, now_ns: int, *, arrived: bool) -> str:
    """Why an order that stands, at the market or for the morning, cannot have other terms; empty if it can."""
    if (arrived or intent.variety != "amo") and phase(exchange_of(intent.index), now_ns) != "open":
        return CLOSED
    if not arrived and intent.variety == "amo":
        if not amo_arrival_ns(intent.index, now_ns):
            return NO_AMO
        if terms.order_type == "MARKET":
            return NO_MARKET_AMO
    return _no_prices(intent.index, intent.side, terms, now_ns)


def _no_prices(index: str, side: Side, terms: Terms, at_ns: int) -> str:
    tick, limit, trigger = tick_paise(index), terms.limit_paise, terms.trigger_paise
    prices = {"MARKET": (), "LIMIT": (limit,), "SL": (limit, trigger)}[terms.order_type]
    if any(price <= 0 or price % tick for price in prices):
        return f"Tick size for this script is {tick / 100:.2f}. Kindly enter price in the multiple of tick size."
    return _no_stop(index, side, terms, at_ns) if terms.order_type == "SL" else ""


def _no_stop(index: str, side: Side, terms: Terms, at_ns: int) -> str:
    try:
        refusal = stop_refusal(side, terms.limit_paise, terms.trigger_paise, index=index, on=from_ns(at_ns).date())
    except VikalpError as error:
        return f"Invalid order: {error}"
    if refusal is None:
        return ""
    if refusal.limit == "stop":
        return f"Trigger price can't be {'higher' if side == 'BUY' else 'lesser'} than price."
    return f"16448 : Difference between limit price and trigger price is beyond permissible range ({refusal.why})"


def no_market(symbol: str, side: Side, terms: Terms, depth: Depth | None) -> str:
    """Why an order of these terms cannot meet this book; empty if it can. A stop that waits would trigger at once."""
    if depth is None:
        return f"No quote for {symbol}: there is no market to trade against yet."
    best = depth.asks if side == "BUY" else depth.bids
    if terms.order_type == "MARKET" and not (depth.volume and (depth.last_paise or best)):
        return f"17181 : Market orders are blocked for {symbol}, which has not traded today. Use a Limit order."
    if terms.order_type == "SL":
        return turned_away(side, terms.trigger_paise, depth.last_paise)
    return ""


def _no_size(intent: Intent, units: int, most: int) -> str:
    if intent.quantity <= 0 or intent.quantity % units:
        return f"Quantity should be a multiple of {units}."
    if intent.quantity > most:
        return f"Quantity {intent.quantity} exceeds the freeze quantity of {most} for {intent.index}. Slice the order."
    return ""
