"""The paper broker's own book: orders, trades and how far each order has come, committed before they are believed."""

from collections.abc import Sequence

import msgspec

from core.matching.match import Trade
from core.matching.queue import ARRIVED, Place
from core.orders.machine import Tally, terms, with_fill
from core.ports import BrokerStore
from core.records import Fill, Order


class PaperBook:
    """Read from `store` when first asked, and again after `forget`. Every method raises LedgerDown."""

    def __init__(self, store: BrokerStore) -> None:
        self._store = store
        self._orders: dict[str, Order] | None = None  # by tag, oldest first; None: to be read
        self._places: dict[str, Place] = {}
        self._trades: list[Fill] = []
        self.reads = 0  # how often the store was read: what was known beside it is of no more use then

    def forget(self) -> None:
        """A commit was not answered, so the store alone knows."""
        self._orders = None

    @property
    def orders(self) -> dict[str, Order]:
        if self._orders is None:
            orders, fills = self._store.load()
            self._places = dict(self._store.places())
            self._trades, self.reads = list(fills), self.reads + 1
            self._orders = {order.intent.tag: order for order in orders}
        return self._orders

    @property
    def trades(self) -> Sequence[Fill]:
        return self._trades if self.orders is not None else ()

    def place(self, order: Order) -> Place:
        """How far it has come; one of before places were kept stands at the market."""
        return self._places.get(order.intent.tag) or ARRIVED

    def waits(self, order: Order) -> bool:
        """A stop before its trigger."""
        return terms(order).order_type == "SL" and not self.place(order).triggered

    def open(self, symbol: str = "") -> list[Order]:
        """Orders that live, of one contract or of all, oldest first."""
        return [one for one in self.orders.values() if one.state == "OPEN" and symbol in {"", one.intent.symbol}]

    def last_joined(self) -> int:
        """The time priority given last."""
        return max((place.joined for place in self._places.values()), default=0)

    def commit(self, order: Order, trades: Sequence[Trade], place: Place, at_ns: int, *, ends: bool = False) -> None:
        """Fold the trades into the order and commit both with its place; `ends`: what is left is cancelled with it."""
        orders, tag = self.orders, order.intent.tag
        old = [fill for fill in self._trades if fill.tag == tag] if order.filled_quantity else []
        tally, fills = Tally(), list[Fill]()
        for fill in old:
            tally = tally.add(fill)
        for number, trade in enumerate(trades, start=len(old) + 1):
            fills.append(_fill(order, trade, number, at_ns))
            tally = tally.add(fills[-1])
            order = with_fill(order, fills[-1], tally)
        if ends and order.state == "OPEN":
            order = msgspec.structs.replace(order, state="CANCELLED", updated_ns=at_ns)
        self._store.save(order, fills, place)
        orders[tag], self._places[tag] = order, place
        self._trades.extend(fills)


def _fill(order: Order, trade: Trade, number: int, at_ns: int) -> Fill:
    intent = order.intent
    return Fill(
        trade_id=f"{order.broker_id}-{number}", tag=intent.tag, strategy=intent.strategy, index=intent.index,
        symbol=intent.symbol, side=intent.side, quantity=trade.quantity, price_paise=trade.paise, at_ns=at_ns,
    )  # fmt: skip
