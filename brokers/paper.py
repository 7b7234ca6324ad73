"""A broker of our own that fills against the published book.

It keeps its book in a store and commits before it answers, so that it survives the process that hosts it and an
order manager that restarts finds what it did. It refuses in Kite's words, and like Kite's its MARKET order becomes
a LIMIT at the protection price, whose unfilled rest stays in the book.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec
import pyarrow as pa

from core.errors import LedgerDown, VikalpError
from core.market import exchange_of, freeze, from_ns, lot, parse_symbol, phase, tick_paise
from core.matching.depth import Board
from core.matching.match import Resting, Trade, cross, protected_limit, take
from core.orders.answer import Answer
from core.orders.machine import Tally, remaining, with_fill
from core.orders.positions import market_date, signed
from core.orders.validity import over
from core.ports import BrokerStore, Clock
from core.records import Fill, Intent, Order


class PaperBroker:
    """Implements core.ports.Broker over `store`.

    `latency_ms` is market time between the acceptance of an order and its arrival at the matching: with 0 it meets
    the book already published, otherwise the first tick at or after that moment. A request whose commit fails is
    answered UNKNOWN, since it may have been done; the book is then read anew from the store.
    """

    unlisted_ms, trades_at_once = 15_000, True

    def __init__(self, store: BrokerStore, clock: Clock, *, latency_ms: int = 0) -> None:
        self._store, self._clock, self._latency_ns = store, clock, latency_ms * 1_000_000
        self._board = Board()
        self._orders: dict[str, Order] | None = None  # by tag, oldest first; None: to be read from the store
        self._fills: list[Fill] = []
        self._arriving: dict[str, int] = {}  # tag → market time it reaches the matching; forgotten, it rests

    def place(self, intent: Intent) -> Answer:
        """Accept or refuse; an accepted order may have filled when this returns."""
        try:
            orders = self._loaded()
            refusal = self._refusal(intent, orders)
            if refusal:
                return Answer(kind="REFUSED", message=refusal)
            broker_id = f"PAPER{intent.tag}"
            order = Order(
                intent=self._as_limit(intent), state="OPEN", broker_id=broker_id, updated_ns=self._clock.now_ns()
            )
            depth = self._board.depth(intent.symbol)
            assert depth is not None, "an order without a quote is refused"
            if self._latency_ns:
                self._commit(order, ())
                self._arriving[intent.tag] = order.updated_ns + self._latency_ns
            else:
                trades, left = take(depth, intent.side, intent.quantity, order.intent.limit_paise)
                self._commit(order, trades)
                self._board.put(intent.symbol, left)
        except LedgerDown as error:
            self._orders = None
            return Answer(kind="UNKNOWN", message=f"the broker's book did not answer: {error}")
        return Answer(kind="ACK", broker_id=broker_id)

    def cancel(self, broker_id: str) -> Answer:
        """Take what is left of an order out of the book."""
        try:
            order = next((o for o in self._loaded().values() if o.broker_id == broker_id), None)
            if order is None:
                return Answer(kind="REFUSED", message=f"Order {broker_id} does not exist.")
            if order.state != "OPEN":
                return Answer(kind="REFUSED", message=f"Order cannot be cancelled as it is {order.state.lower()}.")
            self._commit(msgspec.structs.replace(order, state="CANCELLED", updated_ns=self._clock.now_ns()), ())
        except LedgerDown as error:
            self._orders = None
            return Answer(kind="UNKNOWN", message=f"the broker's book did not answer: {error}")
        return Answer(kind="ACK", broker_id=broker_id)

    def find(self, tag: str) -> Order | None:
        """The order with that tag; None proves that none was accepted. Raises LedgerDown if the store is away."""
        return self._loaded().get(tag)

    def book(self) -> list[Order]:
        return list(self._loaded().values())

    def trades(self) -> list[Fill]:
        self._loaded()
        return list(self._fills)

    def positions(self) -> Mapping[tuple[str, str], int]:
        """What its own trades add up to, by contract and product. Raises as `book`."""
        orders, net = self._loaded(), Counter[tuple[str, str]]()
        for fill in self._fills:
            net[fill.symbol, orders[fill.tag].intent.product] += signed(fill)
        return net

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        """Publish new books and match our orders; whether one of them traded.

        LedgerDown, and the order unchanged, if a trade cannot commit.
        """
        self._board.update(ticks)
        try:
            self._end_of_day()
            before = len(self._fills)
            open_orders = [order for order in self._loaded().values() if order.state == "OPEN"]
            quoted = set(ticks.column("symbol").to_pylist()) if open_orders else set()
            for symbol in sorted({order.intent.symbol for order in open_orders} & quoted):
                self._match(symbol, [order for order in open_orders if order.intent.symbol == symbol])
        except LedgerDown:
            self._orders = None
            raise
        return len(self._fills) > before

    def _end_of_day(self) -> None:
        """Every order is for the day: what an earlier one left open is over."""
        today = market_date(self._clock.now_ns())
        for order in list(self._loaded().values()):
            if order.state == "OPEN" and market_date(order.intent.created_ns or order.updated_ns) < today:
                over = "the order was for the day, which has ended"
                now_ns = self._clock.now_ns()
                self._commit(msgspec.structs.replace(order, state="CANCELLED", message=over, updated_ns=now_ns), ())

    def _match(self, symbol: str, orders: list[Order]) -> None:
        """What rests comes first, at its own limits; then what only now arrives takes the book's prices."""
        depth = self._board.depth(symbol)
        assert depth is not None, "the board has just taken its row"
        now_ns = self._clock.now_ns()
        rows = [_resting(order, place) for place, order in enumerate(orders) if order.intent.tag not in self._arriving]
        done, depth = cross(depth, rows)
        by_tag = {order.intent.tag: order for order in orders}
        for tag, trade in done:
            self._commit(by_tag[tag], (trade,))
        for order in orders:
            if self._arriving.get(order.intent.tag, now_ns + 1) <= now_ns:
                trades, depth = take(depth, order.intent.side, remaining(order), order.intent.limit_paise)
                if trades:
                    self._commit(order, trades)
                del self._arriving[order.intent.tag]
        self._board.put(symbol, depth)

    def _commit(self, order: Order, trades: tuple[Trade, ...]) -> None:
        """Fold the trades into the order and commit both; only then does this process believe them."""
        orders = self._loaded()
        old = [fill for fill in self._fills if fill.tag == order.intent.tag] if order.filled_quantity else []
        tally = Tally()
        for fill in old:
            tally = tally.add(fill)
        fills = []
        for number, trade in enumerate(trades, start=len(old) + 1):
            fill = self._fill(order, trade, number)
            tally = tally.add(fill)
            order = with_fill(order, fill, tally)
            fills.append(fill)
        self._store.save(order, fills)
        orders[order.intent.tag] = order
        self._fills.extend(fills)

    def _fill(self, order: Order, trade: Trade, number: int) -> Fill:
        return Fill(
            trade_id=f"{order.broker_id}-{number}",
            tag=order.intent.tag,
            strategy=order.intent.strategy,
            index=order.intent.index,
            symbol=order.intent.symbol,
            side=order.intent.side,
            quantity=trade.quantity,
            price_paise=trade.paise,
            at_ns=self._clock.now_ns(),
        )

    def _loaded(self) -> dict[str, Order]:
        if self._orders is None:
            orders, fills = self._store.load()
            self._orders = {order.intent.tag: order for order in orders}
            self._fills = list(fills)
            self._arriving.clear()
        return self._orders

    def _as_limit(self, intent: Intent) -> Intent:
        if intent.order_type == "LIMIT":
            return intent
        depth = self._board.depth(intent.symbol)
        assert depth is not None, "a MARKET order without a quote is refused"
        best = depth.asks if intent.side == "BUY" else depth.bids
        price = protected_limit(intent.side, depth.last_paise or best[0].paise, tick_paise(intent.index))
        return msgspec.structs.replace(intent, order_type="LIMIT", limit_paise=price)

    def _refusal(self, intent: Intent, orders: dict[str, Order]) -> str:
        """Why the broker says no, in its words; empty to accept."""
        try:
            now = from_ns(self._clock.now_ns())
            contract = parse_symbol(intent.symbol, now.date())
            if contract.expiry is None or over(contract, self._clock.now_ns()) is not None:
                return "The instrument you are placing an order for has either expired or does not exist."
            if phase(exchange_of(contract.index), self._clock.now_ns()) != "open":
                return "Markets are closed right now. Only after market orders can be placed."
            units, most = lot(contract.index, contract.expiry, now.date()), freeze(contract.index, now.date())
        except VikalpError as error:
            return f"Invalid order: {error}"
        return _broken_rule(intent, units, most, tick_paise(intent.index)) or self._no_market(intent, orders)

    def _no_market(self, intent: Intent, orders: dict[str, Order]) -> str:
        depth = self._board.depth(intent.symbol)
        if intent.tag in orders:
            return f"An order with the tag {intent.tag} already exists."
        if depth is None:
            return f"No quote for {intent.symbol}: there is no market to trade against yet."
        best = depth.asks if intent.side == "BUY" else depth.bids
        if intent.order_type == "MARKET" and not depth.last_paise and not best:
            return f"Market orders are blocked for {intent.symbol}, which has not traded today. Use a Limit order."
        return ""


def _broken_rule(intent: Intent, units: int, most: int, tick: int) -> str:
    if intent.quantity <= 0 or intent.quantity % units:
        return f"Quantity should be a multiple of {units}."
    if intent.quantity > most:
        return f"Quantity {intent.quantity} exceeds the freeze quantity of {most} for {intent.index}. Slice the order."
    if intent.order_type == "LIMIT" and (intent.limit_paise <= 0 or intent.limit_paise % tick):
        return f"Tick size for this script is {tick / 100:.2f}. Kindly enter price in the multiple of tick size."
    return ""


def _resting(order: Order, place: int) -> Resting:
    return Resting(
        tag=order.intent.tag,
        side=order.intent.side,
        limit_paise=order.intent.limit_paise,
        quantity=remaining(order),
        sequence=place,
    )
