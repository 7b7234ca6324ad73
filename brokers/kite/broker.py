"""An account at Kite as the order manager's broker: one call, one request, one answer.

Every order carries its tag and nothing is sent again; what Kite took is found by the tag. A MARKET order goes out with
automatic market protection, without which Kite refuses it. Orders and trades without one of our tags are somebody
else's, placed in Kite's own apps: they are not shown here and nobody touches them, but for what a trigger of ours has
sent (`adopt`). The positions and the funds are the account's, whoever traded.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from brokers.kite.calls import Calls, KiteConfig, Row, of, understood
from brokers.kite.forms import converted, modified, placed, trigger
from brokers.kite.limiter import Call, Limiter
from brokers.kite.rows import fill_of, funds_of, gtt_of, is_ours, moment_ns, order_of, position_of, rupees, text
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.orders.plans.plan import PlaceGtt
from core.records import Fill, Funds, Intent, Order, Product, Terms

__all__ = ["KiteBroker", "KiteConfig"]
REGULAR = "regular"


class KiteBroker(Calls):
    """Implements core.ports.AccountBroker. No call takes longer than `timeout_s`; the order manager counts on it.

    `token` gives the day's access token, and is asked on first use, and again while there is none that works, every few
    seconds: a login made meanwhile is found. Picklable until it is used: the client is made in the actor's own process.
    """

    unlisted_ms = 120_000  # orders were seen in the book a minute and a half late (kite.md §8)
    keeps_triggers = True
    trades_at_once = False  # an order goes through its states first, and news tell of each

    def __init__(
        self,
        config: KiteConfig,
        token: Callable[[], str],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        limiter: Limiter | None = None,
    ) -> None:
        """`clock` times the questions for a token; without a `limiter` Kite's own limits hold."""
        super().__init__(config, token, clock=clock, limiter=limiter)
        self._tags: dict[str, str] = {}  # order id → tag, of orders that are ours
        self._varieties: dict[str, str] = {}  # order id → variety, which a change of the order must name
        self._foreign: set[str] = set()  # order ids of others
        self._adopted: dict[str, str] = {}  # order id → tag, of what triggers of ours have sent
        self._sent: set[str] = set()  # tags: their orders are in the budget, whether or not anybody heard of them
        self._counted: set[str] = set()  # order ids of the book that are in the budget

    def __reduce__(self) -> tuple[object, ...]:
        return KiteBroker, (self._config, self._token)

    def place(self, intent: Intent) -> Answer:
        """Send once. REFUSED proves that nothing was placed; UNKNOWN is to be looked up."""
        form, is_exit = placed(intent), intent.purpose == "exit"
        self._sent.add(intent.tag)
        answer = self._send(Call.PLACE, lambda client: client.place_order(**form), is_exit=is_exit)
        if answer.kind == "ACK":
            self._tags[answer.broker_id], self._varieties[answer.broker_id] = intent.tag, intent.variety
        return answer

    def modify(self, broker_id: str, terms: Terms) -> Answer:
        """Ask for other terms of an order that stands: an ACK says the request was taken, the book what rests.

        REFUSED proves that nothing was changed; after UNKNOWN only the book knows. Kite counts each of 25.
        """
        # The desk's own budget has ranked it: what is reserved for exits here is for it too.
        form, variety = modified(terms), self._variety(broker_id)
        answer = self._send(Call.CHANGE, lambda client: client.modify_order(variety, broker_id, **form), is_exit=True)
        return of(broker_id, "modify", answer)

    def cancel(self, broker_id: str) -> Answer:
        """Ask for a cancel: an ACK says the request was taken, the book says when it is done.

        One that names another order proves nothing.
        """
        # A cancel takes risk off: what is reserved for exits is for it too.
        variety = self._variety(broker_id)
        answer = self._send(Call.CHANGE, lambda client: client.cancel_order(variety, broker_id), is_exit=True)
        return of(broker_id, "cancel", answer)

    def find(self, tag: str) -> Order | None:
        """Kite's own order with that tag; of several, which only a fault of ours can make, the first."""
        return next((order for order in self.book() if order.intent.tag == tag), None)

    def book(self) -> Sequence[Order]:
        """Our orders of the day, oldest first. Raises BrokerDown when Kite does not say; NotLoggedIn is one."""
        return self._book(self._until())

    def _book(self, until: float) -> list[Order]:
        rows = [self._named(row) for row in self._list("orders", until)]
        ours = understood(lambda row: is_ours(row, {*self._sent, *self._adopted.values()}), rows)
        mine = [row for row, is_mine in zip(rows, ours, strict=True) if is_mine]
        orders = understood(order_of, mine)
        self._tags.update({order.broker_id: order.intent.tag for order in orders})
        self._varieties.update({str(row["order_id"]): str(row.get("variety") or REGULAR) for row in mine})
        self._foreign = {str(row.get("order_id")) for row, is_mine in zip(rows, ours, strict=True) if not is_mine}
        self._count_others(rows)
        return orders

    def trades(self) -> Sequence[Fill]:
        """Trades of our orders of the day. Raises as `book`."""
        until = self._until()
        rows = self._list("trades", until)
        whose = understood(lambda row: text(row, "order_id"), rows)
        if not self._tags.keys() | self._foreign >= set(whose):
            self._book(until)
        ours = [row for row, order_id in zip(rows, whose, strict=True) if order_id in self._tags]
        return understood(lambda row: fill_of(row, self._tags[row["order_id"]]), ours)

    def positions(self) -> Mapping[tuple[str, str], int]:
        """Signed units of the account by contract and product, whoever traded them. Raises as `book`."""
        rows = self._list("positions", self._until(), "net")
        net = Counter[tuple[str, str]]()
        for known in understood(position_of, rows):
            if known is not None:
                net[known[0]] += known[1]
        return net

    def averages(self) -> Mapping[tuple[str, str], float]:
        """Average price in paise of what the account holds, by contract and product. Raises as `book`."""
        rows = self._list("positions", self._until(), "net")
        found = understood(lambda row: (position_of(row), rupees(row["average_price"]) * 100), rows)
        return {known[0]: average for known, average in found if known is not None and known[1]}

    def margins(self) -> Funds:
        """What the account may still block, and what is blocked, by this machine's clock. Raises as `book`."""
        found = self._read("margins", self._until(), "equity")  # of derivatives too: the segment's name is old
        return understood(lambda row: funds_of(row, time.time_ns()), [found])[0]

    def convert(
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, *, overnight: bool = False
    ) -> Answer:
        """Ask for `quantity` signed units of a position to be of the other product; what was carried is overnight's.

        After UNKNOWN the positions tell.
        """
        form = converted(symbol, product_from, product_to, quantity, overnight=overnight)
        answer = self._send(
            Call.OTHER, lambda client: "done" if client.convert_position(**form) is True else "", is_exit=True
        )
        return Answer(kind="ACK") if answer.kind == "ACK" else answer

    def place_gtt(self, asked: PlaceGtt) -> Answer:
        """Ask once for a trigger of two legs. Kite keeps no tag of it: after UNKNOWN look for it among `gtts`."""
        form = trigger(asked)
        return self._send(Call.OTHER, lambda client: _trigger_id(client.place_gtt(**form)), is_exit=True)

    def cancel_gtt(self, trigger_id: str) -> Answer:
        """Ask for a trigger to be deleted; what it has sent lives on as an order."""
        answer = self._send(Call.OTHER, lambda client: _trigger_id(client.delete_gtt(trigger_id)), is_exit=True)
        return of(trigger_id, "delete trigger", answer)

    def gtts(self) -> Sequence[Trigger]:
        """The account's triggers of our contracts, those over for less than a week among them. Raises as `book`."""
        found = understood(gtt_of, self._list("get_gtts", self._until()))
        return [one for one in found if one is not None]

    def adopt(self, broker_id: str, tag: str) -> None:
        """An order that a trigger of ours has sent, which carries no tag at Kite, is the order with that tag here."""
        self._adopted[broker_id] = tag
        self._foreign.discard(broker_id)

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:  # noqa: ARG002 an exchange sees its own market
        """An exchange has its own book: nothing fills by this."""
        return False

    def _variety(self, broker_id: str) -> str:
        return self._varieties.get(broker_id, REGULAR)

    def _named(self, row: Row) -> Row:
        """The row, with the tag it has here."""
        tag = self._adopted.get(str(row.get("order_id")))
        return {**row, "tag": tag} if tag else row

    def _count_others(self, rows: Sequence[Row]) -> None:
        """Kite counts every order of the day, whoever sent it: those of others and of earlier lives take from its
        budget as soon as the book shows them.

        As if the newest had been sent now: Kite's clock is not ours.
        """
        others = {str(row.get("order_id")): row for row in rows if (row.get("tag") or "") not in self._sent}
        new = others.keys() - self._counted
        at = understood(lambda row: moment_ns(row["order_timestamp"]), [others[order_id] for order_id in new])
        newest = max(at, default=0)
        self._limiter.restore(Call.PLACE, [newest - one for one in at])
        self._counted.update(new)


def _trigger_id(said: Mapping[str, object]) -> str:
    """The id in Kite's answer about a trigger, as text; empty where there is none."""
    found = said.get("trigger_id")
    return str(found) if isinstance(found, int) and not isinstance(found, bool) and found > 0 else ""
