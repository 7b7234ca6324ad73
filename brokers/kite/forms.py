"""What an order, a modification or a trigger is on Kite's wire (kite.md §5.1, §5.3, §9): the client's own arguments."""

from collections.abc import Mapping

from kiteconnect import KiteConnect

from core.errors import InputError
from core.market import derivatives_exchange_of, parse_symbol
from core.orders.plans.plan import PlaceGtt
from core.records import Intent, Product, Terms

AUTOMATIC = -1  # market protection: Kite's own band
Form = Mapping[str, object]


def placed(intent: Intent) -> Form:
    """Of place_order. A MARKET order without market protection is refused by Kite."""
    terms = Terms(order_type=intent.order_type, limit_paise=intent.limit_paise, trigger_paise=intent.trigger_paise)
    stop = intent.order_type == "SL"
    return {
        "variety": intent.variety, "exchange": derivatives_exchange_of(intent.index), "tradingsymbol": intent.symbol,
        "transaction_type": intent.side, "quantity": intent.quantity, "product": intent.product,
        "validity": KiteConnect.VALIDITY_IOC if intent.validity == "IOC" else KiteConnect.VALIDITY_DAY,
        "tag": intent.tag, **modified(terms), "trigger_price": intent.trigger_paise / 100 if stop else None,
    }  # fmt: skip


def modified(terms: Terms) -> Form:
    """Of modify_order: the type and every price of it, never the quantity, which nobody says is whole or left.

    A trigger that is no more is told as 0: what is left out of a form stays as it was.
    """
    market = terms.order_type == "MARKET"
    return {
        "order_type": terms.order_type,
        "price": None if market else terms.limit_paise / 100,
        "trigger_price": terms.trigger_paise / 100 if terms.order_type == "SL" else 0,
        "market_protection": AUTOMATIC if market else None,
    }


def converted(symbol: str, product_from: Product, product_to: Product, quantity: int, *, overnight: bool) -> Form:
    """Of convert_position: signed units of a position; InputError for none. Raises as `parse_symbol`."""
    if not quantity or product_from == product_to:
        raise InputError(
            f"a conversion of {symbol}: expected units of one product to be of the other, was {quantity} units from "
            f"{product_from} to {product_to}"
        )
    return {
        "exchange": derivatives_exchange_of(parse_symbol(symbol).index), "tradingsymbol": symbol,
        "transaction_type": "BUY" if quantity > 0 else "SELL", "position_type": "overnight" if overnight else "day",
        "quantity": abs(quantity), "old_product": product_from, "new_product": product_to,
    }  # fmt: skip


def trigger(asked: PlaceGtt) -> Form:
    """Of place_gtt: two legs, LIMIT and NRML, as index derivatives may be sent. Raises as `parse_symbol`."""
    exchange = derivatives_exchange_of(parse_symbol(asked.symbol).index)
    orders = [
        {
            "exchange": exchange, "tradingsymbol": asked.symbol, "transaction_type": asked.side,
            "quantity": asked.quantity, "order_type": "LIMIT", "product": "NRML", "price": leg.limit_paise / 100,
        }
        for leg in asked.legs
    ]  # fmt: skip
    return {
        "trigger_type": KiteConnect.GTT_TYPE_OCO, "tradingsymbol": asked.symbol, "exchange": exchange,
        "trigger_values": [leg.trigger_paise / 100 for leg in asked.legs], "last_price": asked.last_paise / 100,
        "orders": orders,
    }  # fmt: skip
