"""Whom the order manager asks: broker and risk, in memory, with switches for every way they fail."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec
import pyarrow as pa

from core.errors import DeskError
from core.market import parse_symbol
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.orders.machine import resting
from core.orders.plans.plan import PlaceGtt
from core.orders.positions import signed
from core.records import Fill, Funds, Intent, LimitUse, Margin, Order, Terms, Verdict


class Died(Exception):
    """The process ended here: nothing after this line ran."""


class FakeBroker:
    """Takes whatever it is sent, twice if sent twice. `next_place` says what becomes of the next request.

    `lags(True)` freezes its list of trades while its book goes on; while it is `slow` a cancel is only noted, the order
    stays OPEN and may fill, until `confirm`.
    """

    unlisted_ms, trades_at_once, keeps_triggers = 15_000, True, True

    def __init__(self) -> None:
        self.placed: list[str] = []  # every request that reached it, by tag
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.next_place = self.next_modify = self.next_gtt = self.next_convert = "ack"
        self.conversions: list[tuple[int, bool]] = []  # every request to convert that reached it
        self.average: dict[tuple[str, str], float] = {}  # paise
        self.triggers: dict[str, Trigger] = {}
        self.gtt_ns = 0  # at which a trigger is made
        self.adopted: dict[str, str] = {}
        self.untagged: dict[str, Order] = {}  # by order id: what triggers have sent, and nobody has adopted
        self.hidden = False  # whether its list of triggers does not show the newest one yet
        self.modified: list[tuple[str, Terms]] = []  # every request to modify that reached it
        self.funds = Funds(available_paise=10_00_000_00, used_paise=0, at_ns=0)
        self.away = False
        self.slow = False
        self.matches = False  # what it answers when it is shown ticks
        self.looks = self.listings = self.counts = 0  # how often its book, its trades, its positions were asked for
        self.by_hand = Counter[tuple[str, str]]()  # what somebody else has bought and sold, by contract and product
        self.cancelling: list[str] = []  # broker ids
        self._listed: int | None = None  # how many trades the list shows; None: all

    def lags(self, lag: bool) -> None:  # noqa: FBT001 a switch
        """Whether trades from now on stay out of the list."""
        self._listed = (len(self.fills) if self._listed is None else self._listed) if lag else None

    def confirm(self) -> None:
        """The cancels that were noted are done now, of whatever has not filled meanwhile."""
        noted, self.cancelling = self.cancelling, []
        for broker_id in noted:
            self._cancel(broker_id)

    def begin(self, lasts_ns: int) -> None: ...
    def place(self, intent: Intent) -> Answer:
        self.placed.append(intent.tag)
        what, self.next_place = self.next_place, "ack"
        if what == "die before accept":
            raise Died
        if what == "refuse":
            return Answer(kind="REFUSED", message="Insufficient funds.")
        if what == "lose the request":
            return Answer(kind="UNKNOWN", message="timed out")
        broker_id = f"B{len(self.placed)}"
        self.orders[intent.tag] = Order(intent=intent, state="OPEN", broker_id=broker_id, updated_ns=intent.created_ns)
        if what == "die after accept":
            raise Died
        if what == "lose the answer":
            return Answer(kind="UNKNOWN", message="timed out")
        return Answer(kind="ACK", broker_id=broker_id)

    def fill(self, tag: str, quantity: int, price_paise: int, *, trade_id: str = "") -> Fill:
        order = self.orders[tag]
        fill = Fill(
            trade_id=trade_id or f"T{len(self.fills) + 1}",
            tag=tag,
            strategy="",
            index=order.intent.index,
            symbol=order.intent.symbol,
            side=order.intent.side,
            quantity=quantity,
            price_paise=price_paise,
            at_ns=order.updated_ns + len(self.fills) + 1,
        )
        self.fills.append(fill)
        filled = min(order.filled_quantity + quantity, order.intent.quantity)
        state = "COMPLETE" if filled == order.intent.quantity else order.state
        mine = [one for one in self.fills if one.tag == tag]
        average = sum(one.quantity * one.price_paise for one in mine) / max(1, sum(one.quantity for one in mine))
        self.orders[tag] = msgspec.structs.replace(order, filled_quantity=filled, state=state, average_paise=average)
        return fill

    def cancel(self, broker_id: str) -> Answer:
        if self.slow and any(order.broker_id == broker_id and order.state == "OPEN" for order in self.orders.values()):
            self.cancelling.append(broker_id)
            return Answer(kind="ACK", broker_id=broker_id)
        return self._cancel(broker_id)

    def modify(self, broker_id: str, terms: Terms) -> Answer:
        """`next_modify`: ack; refuse; lose the request or its answer."""
        self.modified.append((broker_id, terms))
        what, self.next_modify = self.next_modify, "ack"
        if what == "refuse":
            return Answer(kind="REFUSED", message="Order cannot be modified.")
        for tag, order in self.orders.items():
            if order.broker_id == broker_id and order.state == "OPEN" and what != "lose the request":
                self.orders[tag] = resting(order, terms)
        if what != "ack":
            return Answer(kind="UNKNOWN", message="timed out")
        return Answer(kind="ACK", broker_id=broker_id)

    def margins(self) -> Funds:
        if self.away:
            raise DeskError("broker: connection refused")
        return self.funds

    def averages(self) -> Mapping[tuple[str, str], float]:
        return dict(self.average)

    def convert(
        self, symbol: str, product_from: str, product_to: str, quantity: int, *, overnight: bool = False
    ) -> Answer:
        """As if by hand: one product less, the other more. `next_convert` as `next_place`."""
        what, self.next_convert = self.next_convert, "ack"
        self.conversions.append((quantity, overnight))
        if what == "die before accept":
            raise Died
        if what == "refuse":
            return Answer(kind="REFUSED", message="Conversion not allowed.")
        if what == "lose the request":
            return Answer(kind="UNKNOWN", message="timed out")
        self.by_hand[symbol, product_from] -= quantity
        self.by_hand[symbol, product_to] += quantity
        if what == "die after accept":
            raise Died
        if what == "lose the answer":
            return Answer(kind="UNKNOWN", message="timed out")
        return Answer(kind="ACK")

    def place_gtt(self, asked: PlaceGtt) -> Answer:
        """`next_gtt`: ack; refuse; lose the request or its answer; die before or after accept."""
        what, self.next_gtt = self.next_gtt, "ack"
        if what == "die before accept":
            raise Died
        if what == "refuse":
            return Answer(kind="REFUSED", message="Trigger already met.")
        trigger_id = f"{100_001 + len(self.triggers)}"
        if what != "lose the request":
            self.triggers[trigger_id] = Trigger(
                trigger_id=trigger_id, status="active", symbol=asked.symbol, side=asked.side,
                quantity=asked.quantity, product="NRML", legs=asked.legs, created_ns=self.gtt_ns,
            )  # fmt: skip
        if what == "die after accept":
            raise Died
        return (
            Answer(kind="ACK", broker_id=trigger_id) if what == "ack" else Answer(kind="UNKNOWN", message="timed out")
        )

    def cancel_gtt(self, trigger_id: str) -> Answer:
        one = self.triggers.get(trigger_id)
        if one is None or one.status != "active":
            return Answer(kind="REFUSED", message="Trigger cannot be changed.")
        self.triggers[trigger_id] = msgspec.structs.replace(one, status="gone")
        return Answer(kind="ACK", broker_id=trigger_id)

    def gtts(self) -> Sequence[Trigger]:
        if self.away:
            raise DeskError("broker: connection refused")
        return list(self.triggers.values())[: -1 if self.hidden else None]

    def adopt(self, broker_id: str, tag: str) -> None:
        """From now on its order is in the book, under that tag."""
        self.adopted[broker_id] = tag
        order = self.untagged.pop(broker_id, None)
        if order is not None:
            self.orders[tag] = msgspec.structs.replace(order, intent=msgspec.structs.replace(order.intent, tag=tag))

    def fire(self, trigger_id: str, place: int) -> str:
        """The price has reached a leg: the id of the order it sends, which has no tag."""
        one, order_id = self.triggers[trigger_id], f"G{trigger_id}"
        assert one.status == "active"
        self.triggers[trigger_id] = msgspec.structs.replace(one, status="triggered", fired=place, order_id=order_id)
        intent = Intent(
            tag="", strategy="", index=parse_symbol(one.symbol).index, symbol=one.symbol, side=one.side,
            quantity=one.quantity, order_type="LIMIT", limit_paise=one.legs[place].limit_paise,
        )  # fmt: skip
        at_ns = max(order.updated_ns for order in self.orders.values())
        self.untagged[order_id] = Order(intent=intent, state="OPEN", broker_id=order_id, updated_ns=at_ns)
        return order_id

    def _cancel(self, broker_id: str) -> Answer:
        for tag, order in self.orders.items():
            if order.broker_id == broker_id and order.state == "OPEN":
                self.orders[tag] = msgspec.structs.replace(order, state="CANCELLED")
                return Answer(kind="ACK", broker_id=broker_id)
        return Answer(kind="REFUSED", message="already processed")

    def find(self, tag: str) -> Order | None:
        return self.orders.get(tag)

    def book(self) -> Sequence[Order]:
        self.looks += 1
        if self.away:
            raise DeskError("broker: connection refused")
        return list(self.orders.values())

    def trades(self) -> Sequence[Fill]:
        self.listings += 1
        if self.away:
            raise DeskError("broker: connection refused")
        return self.fills[: self._listed]

    def positions(self) -> Mapping[tuple[str, str], int]:
        self.counts += 1
        if self.away:
            raise DeskError("broker: connection refused")
        net = Counter(self.by_hand)
        for fill in self.fills:
            order = self.orders.get(fill.tag)
            net[fill.symbol, order.intent.product if order else "NRML"] += signed(fill)
        return net

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        return self.matches


class FakeRisk:
    """Lets everything through; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.away, self.answer = False, Verdict()
        self.asked, self.booked, self.released = list[str](), list[str](), list[str]()
        self.replaced = list[str]()  # of every order it was asked about, the resting one that it stands for
        self.rested: list[tuple[str, int]] = []  # every limit at which it heard that an order counts, by tag
        self.live: dict[str, int] = {}  # what it was last told that lives
        self.working: set[str] = set()
        self.lease_ms, self.breached = 3_000, ""
        self.counted: Funds | None = None  # what it says to the broker's funds

    def _reach(self) -> None:
        if self.away:
            raise DeskError("risk does not answer")

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        self._reach()
        self.replaced.append(replaces)
        self.asked.append(intent.tag)
        if not self.answer.refusals and not replaces:
            self.working.add(intent.tag)
        return self.answer

    def book(self, fill: Fill) -> None:
        self._reach()
        self.booked.append(fill.trade_id)

    def release(self, tag: str) -> None:
        self._reach()
        self.released.append(tag)
        self.working.discard(tag)

    def rests(self, tag: str, limit_paise: int) -> None:
        self._reach()
        self.rested.append((tag, limit_paise))

    def settle(self, live: Mapping[str, int], trades: Collection[str]) -> None:
        self._reach()
        self.live = dict(live)
        self.booked += [trade for trade in trades if trade not in self.booked]
        self.released += sorted(self.working - set(live))
        self.working = set(live)

    def lease(self) -> int:
        self._reach()
        return self.lease_ms

    def unsound(self) -> str:
        self._reach()
        return "" if self.lease_ms else "the chain of NIFTY is old"

    def breach(self) -> str:
        self._reach()
        return self.breached

    def funds(self, found: Funds) -> Funds | None:
        self._reach()
        return self.counted

    def limits(self) -> Sequence[LimitUse]:
        return []

    def margin(self, intent: Intent) -> Margin:
        return Margin(premium_paise=0, span_paise=0, exposure_paise=0, charges_paise=0, estimate=True)
