"""What Kite would charge for executed orders: its virtual contract note (kite.md §5.9), which changes nothing."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from kiteconnect import KiteConnect

from brokers.kite.limiter import Call, Limiter
from brokers.kite.reads import read
from core.errors import BrokerDown
from core.market import derivatives_exchange_of, whole_paise
from core.orders.machine import terms
from core.records import Order

MOST = 100  # orders in one question


def charges_paise(client: KiteConnect, orders: Iterable[Order], limiter: Limiter | None = None) -> int:
    """Of the orders' filled units at their average prices, all charges in paise; 0 where nothing has filled.

    Raises BrokerDown when Kite does not say, InputError when it refuses the question.
    """
    filled = [_row(order) for order in orders if order.filled_quantity]
    total, budget = Decimal(0), limiter or Limiter()
    for at in range(0, len(filled), MOST):
        part = filled[at : at + MOST]
        said: Any = read(Call.OTHER, lambda part=part: client.get_virtual_contract_note(part), budget)
        try:
            costs = [Decimal(str(row["charges"]["total"])) for row in said]
        except (KeyError, TypeError, ArithmeticError) as error:
            raise BrokerDown(f"Kite's contract note cannot be read ({type(error).__name__}: {error})") from error
        if len(costs) != len(part):
            raise BrokerDown(f"Kite's contract note has {len(costs)} rows, asked were {len(part)}")
        total += sum(costs, Decimal(0))
    return whole_paise(total)


def _row(order: Order) -> dict[str, object]:
    intent = order.intent
    return {
        "order_id": order.broker_id, "exchange": derivatives_exchange_of(intent.index),
        "tradingsymbol": intent.symbol, "transaction_type": intent.side, "variety": intent.variety,
        "product": intent.product, "order_type": terms(order).order_type, "quantity": order.filled_quantity,
        "average_price": order.average_paise / 100,
    }  # fmt: skip
