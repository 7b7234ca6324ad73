"""A broker of our own that fills against the published book, as the local exchange does (core.matching).

It keeps its book in a store and commits before it answers, so that it survives the process that hosts it and an
order manager that restarts finds what it did. It refuses in Kite's words, and like Kite's its MARKET order becomes
a LIMIT at the protection price, whose unfilled rest stays in the book.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec
import pyarrow as pa

from brokers.paper_book import PaperBook
from brokers.paper_rules import MOST_MODIFICATIONS, no_market, no_order, no_other_day, no_terms, terms_of
from core.errors import LedgerDown
from core.market import tick_paise
from core.matching.depth import Board, Depth
from core.matching.match import protected_limit
from core.matching.queue import Place, Queued, arrive, behind, rest
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.orders.machine import remaining, resting, terms
from core.orders.plans.plan import PlaceGtt
from core.orders.positions import fold, market_date, signed
from core.orders.stops import passed
from core.orders.windows import amo_arrival_ns
from core.ports import BrokerStore, Clock
from core.records import Fill, Funds, Intent, Order, Product, Terms

CASH_PAISE = 10_00_000_00  # as an account of the local exchange


class PaperBroker:
    """Implements core.ports.AccountBroker over `store`.

    `latency_ms` is market time between the acceptance of an order and its arrival at the matching: with 0 it meets
    the book already published, otherwise the first tick at or after that moment. Modifications and cancels act at once.
    A request whose commit fails is answered UNKNOWN, since it may have been done; the book is then read anew from the
    store. After a restart what rests joins the queue behind what is then published at its price. `day` is the trading
    day that the store's book is of: an order for a later one is refused, since the book of that day would not have it.
    """

    unlisted_ms, trades_at_once = 15_000, True
    keeps_triggers = False  # nothing here outlives the day

    def __init__(
        self,
        store: BrokerStore,
        clock: Clock,
        *,
        latency_ms: int = 0,
        cash_paise: int = CASH_PAISE,
        day: dt.date | None = None,
    ) -> None:
        self._clock, self._latency_ns, self._cash = clock, latency_ms * 1_000_000, cash_paise
        self._day = day
        self._board, self._book = Board(), PaperBook(store)
        self._queue: dict[str, tuple[int, int]] = {}  # tag → units ahead of it, volume when it was last looked at
        self._queue_of = self._joined = 0  # the read of the book that the queue goes with, the last time priority
        self._last_ns: int | None = None  # wall: the end of the turn, if there is one

    def begin(self, lasts_ns: int) -> None:
        self._last_ns = self._clock.wall_ns() + lasts_ns

    def place(self, intent: Intent) -> Answer:
        """Accept or refuse; an accepted order may have filled when this returns."""
        return self._over() or self._answer(lambda: self._place(intent))

    def modify(self, broker_id: str, terms: Terms) -> Answer:
        """Give an order that stands other terms; at another price it joins the queue anew, as at the exchange."""
        return self._over() or self._answer(lambda: self._change(broker_id, lambda one: self._modify(one, terms)))

    def _over(self) -> Answer | None:
        """What is asked for after the end of its turn is not done; a cancel may be late."""
        if self._last_ns is None or self._clock.wall_ns() <= self._last_ns:
            return None
        return Answer(kind="REFUSED", message="not sent: the time for it is over", again=True)

    def cancel(self, broker_id: str) -> Answer:
        """Take what is left of an order out of the book."""
        return self._answer(lambda: self._change(broker_id, lambda order: self._end(order, "CANCELLED", "")))

    def find(self, tag: str) -> Order | None:
        """The order with that tag; None proves that none was accepted. Raises LedgerDown if the store is away."""
        return self._book.orders.get(tag)

    def book(self) -> list[Order]:
        return list(self._book.orders.values())

    def trades(self) -> list[Fill]:
        return list(self._book.trades)

    def positions(self) -> Mapping[tuple[str, str], int]:
        """What its own trades add up to, by contract and product. Raises as `book`."""
        orders, net = self._book.orders, Counter[tuple[str, str]]()
        for fill in self._book.trades:
            net[fill.symbol, orders[fill.tag].intent.product] += signed(fill)
        return net

    def averages(self) -> Mapping[tuple[str, str], float]:
        """None: all that is held here the desk has traded itself."""
        return {}

    def margins(self) -> Funds:
        """Cash less what trades have cost; what a sale to open has brought stays blocked. Raises as `book`.

        What a short blocks beyond its premium is no part of it: that is core.risk's to say.
        """
        held = fold(self._book.trades).values()
        left = self._cash + sum(one.cash_paise + min(one.open_cost_paise, 0) for one in held)
        return Funds(available_paise=left, used_paise=self._cash - left, at_ns=self._clock.now_ns())

    def convert(
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, *, overnight: bool = False
    ) -> Answer:
        """Not on paper: what was bought in a product stays in it."""
        which = "carried " if overnight else ""
        words = f"{quantity} {which}units of {symbol} stay {product_from} and become no {product_to}"
        return Answer(kind="REFUSED", message=f"Positions are not converted on paper: {words}.")

    def place_gtt(self, asked: PlaceGtt) -> Answer:
        """Not on paper: triggers outlive the day, and the paper broker's book does not."""
        return Answer(kind="REFUSED", message=f"There are no triggers (GTT) on paper: watch {asked.symbol} yourself.")

    def cancel_gtt(self, trigger_id: str) -> Answer:
        return Answer(kind="REFUSED", message=f"Trigger {trigger_id} does not exist.")

    def gtts(self) -> list[Trigger]:
        return []

    def adopt(self, broker_id: str, tag: str) -> None:
        """Nothing is sent by triggers here."""

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        """Publish new books and match our orders; whether one of them traded.

        LedgerDown, and the order unchanged, if a trade cannot commit.
        """
        self._board.update(ticks)
        try:
            self._end_of_day()
            before = len(self._book.trades)
            standing = {order.intent.symbol for order in self._book.open()}
            quoted = set(ticks.column("symbol").to_pylist()) if standing else set()
            for symbol in sorted(standing & quoted):
                self._match(symbol)
        except LedgerDown:
            self._book.forget()
            raise
        return len(self._book.trades) > before

    def _answer(self, do: Callable[[], Answer]) -> Answer:
        try:
            return do()
        except LedgerDown as error:
            self._book.forget()
            return Answer(kind="UNKNOWN", message=f"the broker's book did not answer: {error}")

    def _place(self, intent: Intent) -> Answer:
        now_ns, orders = self._clock.now_ns(), self._book.orders
        refusal = no_order(intent, now_ns) or no_other_day(intent, now_ns, self._day)
        if not refusal and intent.tag in orders:
            refusal = f"An order with the tag {intent.tag} already exists."
        if not refusal and intent.variety != "amo":
            refusal = no_market(intent.symbol, intent.side, terms_of(intent), self._board.depth(intent.symbol))
        if refusal:
            return Answer(kind="REFUSED", message=refusal)
        limit = self._protected(intent, terms_of(intent))
        intent = msgspec.structs.replace(intent, order_type=limit.order_type, limit_paise=limit.limit_paise)
        order = Order(intent=intent, state="OPEN", broker_id=f"PAPER{intent.tag}", updated_ns=now_ns)
        night = amo_arrival_ns(intent.index, now_ns) if intent.variety == "amo" else 0
        place = Place(arrives_ns=night or now_ns + self._latency_ns)
        if place.arrives_ns > now_ns:
            self._book.commit(order, (), place, now_ns)
        else:
            self._arrive(order, place)
        return Answer(kind="ACK", broker_id=order.broker_id)

    def _change(self, broker_id: str, do: Callable[[Order], str]) -> Answer:
        """What `do` says against it is the refusal of an order that stands."""
        order = next((one for one in self._book.orders.values() if one.broker_id == broker_id), None)
        if order is None:
            words = f"Order {broker_id} does not exist."
        elif order.state != "OPEN":
            words = f"Order cannot be changed as it is {order.state.lower()}."
        else:
            words = do(order)
        return Answer(kind="REFUSED", message=words) if words else Answer(kind="ACK", broker_id=broker_id)

    def _modify(self, order: Order, asked: Terms) -> str:
        intent, place, before, now_ns = order.intent, self._book.place(order), terms(order), self._clock.now_ns()
        if order.modifications >= MOST_MODIFICATIONS:
            return "Maximum allowed order modifications exceeded."
        waited = self._book.waits(order)
        triggered = place.triggered and before.order_type == "SL"  # a limit order made a stop waits, whatever it was
        refusal = no_terms(intent, asked, now_ns, arrived=place.arrived)
        if not refusal and place.arrived and not (triggered and asked.order_type == "SL"):
            refusal = no_market(intent.symbol, intent.side, asked, self._board.depth(intent.symbol))
        if refusal:
            return refusal
        asked, place = self._protected(intent, asked), msgspec.structs.replace(place, triggered=triggered)
        changed = msgspec.structs.replace(
            resting(order, asked), modifications=order.modifications + 1, updated_ns=now_ns
        )
        waits = asked.order_type == "SL" and not triggered
        if place.arrived and not waits and (waited or asked.limit_paise != before.limit_paise):
            self._meet(changed, place)
        else:
            self._book.commit(changed, (), place, now_ns)
        return ""

    def _end(self, order: Order, state: str, words: str) -> str:
        now_ns = self._clock.now_ns()
        ended = msgspec.structs.replace(order, state=state, message=words or order.message, updated_ns=now_ns)
        self._book.commit(ended, (), self._book.place(order), now_ns)
        return ""

    def _end_of_day(self) -> None:
        """Every order is for the day it came to the market: what an earlier one left open is over."""
        today = market_date(self._clock.now_ns())
        for order in self._book.open():
            came_ns = self._book.place(order).arrives_ns or order.intent.created_ns or order.updated_ns
            if market_date(came_ns) < today:
                self._end(order, "CANCELLED", "the order was for the day, which has ended")

    def _match(self, symbol: str) -> None:
        """What rests comes first, at its own limits; then what only now arrives; then stops that the price reached."""
        book, now_ns = self._book, self._clock.now_ns()
        self._rest(symbol, [one for one in book.open(symbol) if book.place(one).arrived and not book.waits(one)])
        for order in book.open(symbol):
            if not book.place(order).arrived and book.place(order).arrives_ns <= now_ns:
                self._arrive(order, book.place(order))
        last = self._depth(symbol).last_paise
        for order in book.open(symbol):
            reached = passed(order.intent.side, terms(order).trigger_paise, last)
            if reached and book.place(order).arrived and book.waits(order):
                self._meet(order, msgspec.structs.replace(book.place(order), triggered=True))

    def _rest(self, symbol: str, orders: list[Order]) -> None:
        if not orders:
            return
        depth, by_tag = self._depth(symbol), {order.intent.tag: order for order in orders}
        done, left, moved = rest(depth, [self._queued(order, depth) for order in orders])
        for tag, trade in done:
            self._book.commit(self._book.orders[tag], (trade,), self._book.place(by_tag[tag]), self._clock.now_ns())
        self._stands.update({one.tag: (one.ahead, one.volume_at) for one in moved})
        self._board.put(symbol, left)

    def _queued(self, order: Order, depth: Depth) -> Queued:
        """With its place in the queue; behind what is published where a book was read anew since."""
        limit, tag, side = terms(order).limit_paise, order.intent.tag, order.intent.side
        ahead, volume_at = self._stands.get(tag) or (behind(depth, side, limit), depth.volume)
        return Queued(
            tag=tag, side=side, limit_paise=limit, quantity=remaining(order), sequence=self._book.place(order).joined,
            ahead=ahead, volume_at=volume_at,
        )  # fmt: skip

    def _arrive(self, order: Order, place: Place) -> None:
        """A stop waits for its trigger; an order that came overnight is looked at again."""
        if order.intent.variety == "amo":
            day = msgspec.structs.replace(order.intent, variety="regular")
            words = no_order(day, self._clock.now_ns())
            words = words or no_market(day.symbol, day.side, terms(order), self._board.depth(day.symbol))
            if words:
                self._end(order, "REJECTED", words)
                return
        place = msgspec.structs.replace(place, arrived=True)
        if terms(order).order_type == "SL":
            self._book.commit(order, (), place, self._clock.now_ns())
        else:
            self._meet(order, place)

    def _meet(self, order: Order, place: Place) -> None:
        """Take what the published book offers; what is left joins the queue, or ends if it must trade at once."""
        symbol, depth = order.intent.symbol, self._depth(order.intent.symbol)
        trades, left, ahead = arrive(depth, order.intent.side, remaining(order), terms(order).limit_paise)
        self._joined = max(self._joined, self._book.last_joined()) + 1
        place = msgspec.structs.replace(place, joined=self._joined)
        self._book.commit(order, trades, place, self._clock.now_ns(), ends=order.intent.validity == "IOC")
        self._stands[order.intent.tag] = ahead, depth.volume
        self._board.put(symbol, left)

    @property
    def _stands(self) -> dict[str, tuple[int, int]]:
        """Of the queue what is known since the book was last read; it is kept nowhere else."""
        if self._queue_of != self._book.reads:
            self._queue, self._queue_of = {}, self._book.reads
        return self._queue

    def _depth(self, symbol: str) -> Depth:
        depth = self._board.depth(symbol)
        assert depth is not None, "what meets a book has one"
        return depth

    def _protected(self, intent: Intent, asked: Terms) -> Terms:
        if asked.order_type != "MARKET":
            return asked
        depth, side = self._depth(intent.symbol), intent.side
        best = depth.asks if side == "BUY" else depth.bids
        price = protected_limit(side, depth.last_paise or best[0].paise, tick_paise(intent.index))
        return Terms(order_type="LIMIT", limit_paise=price)
