"""A strategy's own orders: sent with a tag made of the decision, followed until they are over."""

from collections.abc import Sequence

from core.orders.tag import make_tag
from core.ports import Orders
from core.records import LIVE, Intent, Order
from core.strategies.events import Enter, EntryDropped, EntryFilled, Event, ExitDropped, ExitFilled, Leave


class Follow:
    """What of `name`'s orders on `index` is still open, and what the closed ones brought in and cost."""

    def __init__(self, name: str, index: str) -> None:
        self._name, self._index = name, index
        self._waiting: dict[str, Intent] = {}
        self.net_paise = 0  # premiums received less premiums paid, of this session

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def send(self, orders: Orders, action: Enter | Leave, quantity: int) -> bool:
        """Submit; True if the order lives or has filled, False if it was refused."""
        entry = isinstance(action, Enter)
        reason = "signal" if isinstance(action, Enter) else action.reason
        intent = Intent(
            tag=make_tag(f"{self._name}|{action.symbol}|{action.at_ns}|{reason}"),
            strategy=self._name,
            index=self._index,
            symbol=action.symbol,
            side="BUY" if entry else "SELL",
            quantity=quantity,
            order_type="MARKET",
            purpose="entry" if entry else "exit",
            reason=reason,
            created_ns=action.at_ns,
        )
        order = orders.submit(intent)
        if order.state in {"REFUSED", "REJECTED"}:
            return False
        self._waiting[intent.tag] = intent
        return True

    def look(self, orders: Sequence[Order]) -> list[Event]:
        """What has become of the waiting orders: an event for each that is over, oldest first."""
        over = [order for order in orders if order.intent.tag in self._waiting and order.state not in LIVE]
        return [self._end(order) for order in over]

    def adopt(self, orders: Sequence[Order]) -> list[Event]:
        """After a restart: every order of this strategy and session, as events in the order they were made."""
        mine = [order for order in orders if order.intent.strategy == self._name and order.state != "REFUSED"]
        self._waiting = {order.intent.tag: order.intent for order in mine}
        return self.look(mine)

    def _end(self, order: Order) -> Event:
        intent = self._waiting.pop(order.intent.tag)
        filled = order.filled_quantity
        price = round(order.average_paise)
        if intent.side == "BUY":
            self.net_paise -= price * filled
            if not filled:
                return EntryDropped()
            return EntryFilled(symbol=intent.symbol, price_paise=price, quantity=filled, at_ns=order.updated_ns)
        self.net_paise += price * filled
        return ExitFilled() if filled >= intent.quantity else ExitDropped()
