"""The same orders on the same ticks come to the same at the local exchange's engine and at the paper broker."""

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.kite.forms import modified as changed
from brokers.kite.forms import placed
from brokers.paper import PaperBroker
from core.market import to_ns
from core.orders.machine import terms
from core.records import Intent, Terms
from core.schemas import Kind
from exchange.accounts import User
from exchange.listing import Instrument
from exchange.orders.engine import Engine
from exchange.orders.order import Status
from exchange.orders.request import parse
from exchange.orders.rules import Rules
from exchange.quotes import Quotes
from exchange.refusal import KiteError
from tests.fakes_ledger import MemoryStore
from tests.fakes_orders import INDEX, IST, LOT, NOON, SECOND, SYMBOL, HandClock, intent, ticks

USER = User(user_id="U", api_key="k", api_secret="s")
ONE = Instrument(0, 1, "BFO", SYMBOL, INDEX, Kind.PUT, "2025-09-11", 8_050_000, 5, LOT)
LAST = 100_00
PRICES = st.integers(-4, 4).map(lambda n: LAST + 5 * n)
SIZES = st.sampled_from((LOT, 2 * LOT, 5 * LOT))
Kept = tuple[str, int, float, list[tuple[int, int]]]  # state, filled, average, fills


class Rich:
    """Nobody lacks money."""

    def refuse(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Shown:
    """A tick: best bid and ask, five levels of one size, the last price, what has traded since the one before."""

    bid: int
    gap: int
    size: int
    last: int
    traded: int


@dataclass(frozen=True)
class Asked:
    """A request: an order, or other terms or a cancel of the nth order there is."""

    what: str
    nth: int
    side: str
    terms: Terms
    lots: int
    validity: str


@dataclass
class Twins:
    """Both, side by side; a request comes half a second before the next tick."""

    clock: HandClock = field(default_factory=HandClock)
    volume: int = 1_000
    quotes: Quotes = field(default_factory=lambda: Quotes(1))
    ids: dict[str, str] = field(default_factory=dict)  # tag → order id at the exchange

    def __post_init__(self) -> None:
        close = to_ns(dt.datetime(2025, 9, 5, 15, 30, tzinfo=IST))
        self.listing: Any = SimpleNamespace(by_name={("BFO", SYMBOL): ONE})
        day: Any = SimpleNamespace(quotes=self.quotes, listing=self.listing, date=dt.date(2025, 9, 5), close_ns=close)
        self.engine = Engine(
            day=lambda: day, now=self.clock.now_ns, wall=self.clock.now_ns, rules=Rules(Rich(), dt.time(15, 25)),
            book=lambda _: None, tell=lambda *_: None,
        )  # fmt: skip
        self.paper = PaperBroker(MemoryStore(), self.clock)

    def show(self, tick: Shown) -> None:
        self.clock.now += SECOND // 2
        self.volume += tick.traded
        bids = [(tick.bid - 5 * n, tick.size) for n in range(5)]
        asks = [(tick.bid + tick.gap + 5 * n, tick.size) for n in range(5)]
        batch = ticks(bids=bids, asks=asks, last=tick.last, at_ns=self.clock.now)
        place = batch.schema.get_field_index("volume")
        batch = batch.set_column(place, batch.schema.field(place), pa.array([self.volume]))
        self.quotes.take(pa.array([0]).to_numpy(), pa.Table.from_batches([batch]))
        self.engine.advance([0])
        self.paper.on_ticks(batch)

    def ask(self, asked: Asked, number: int) -> None:
        """To both; the exchange has a tenth of a second until it has come to anything."""
        self.clock.now += SECOND // 4
        if asked.what == "place":
            self.place(asked, f"T{number}")
        elif self.ids:
            tag = list(self.ids)[asked.nth % len(self.ids)]
            order = self.paper.find(tag)
            assert order is not None
            if asked.what == "cancel":
                self.paper.cancel(order.broker_id)
                self.exchange(lambda: self.engine.cancel(USER, self.ids[tag]))
            else:
                self.paper.modify(order.broker_id, asked.terms)
                form = wire(changed(asked.terms))
                self.exchange(lambda: self.engine.modify(USER, self.ids[tag], form, 25))
        self.clock.now += SECOND // 4
        self.engine.advance()

    def place(self, asked: Asked, tag: str) -> None:
        made: Intent = intent(
            tag, side=asked.side, quantity=asked.lots * LOT, order_type=asked.terms.order_type,
            limit_paise=asked.terms.limit_paise, trigger_paise=asked.terms.trigger_paise, validity=asked.validity,
        )  # fmt: skip
        taken = self.paper.place(made).kind == "ACK"
        order = self.exchange(lambda: self.engine.place(USER, parse("regular", wire(placed(made)), self.listing)))
        self.clock.now += SECOND // 10
        self.engine.advance()
        assert taken == (order is not None and order.status != Status.REJECTED), (asked, order and order.message)
        if order is not None and taken:
            self.ids[tag] = order.order_id

    def exchange(self, do: Any) -> Any:
        try:
            return do()
        except KiteError:
            return None

    def compare(self) -> None:
        for tag, order_id in self.ids.items():
            ours, theirs = self.paper.find(tag), self.engine.orders[order_id]
            assert ours is not None
            rests, asked = terms(ours), theirs.asked
            kind = "LIMIT" if asked.order_type == "MARKET" else asked.order_type
            assert (rests.order_type, rests.limit_paise) == (kind, asked.price_paise)
            assert rests.trigger_paise == (asked.trigger_paise if kind == "SL" else 0)
            state = {"TRIGGER PENDING": "OPEN"}.get(str(theirs.status), str(theirs.status))
            fills = [(one.quantity, one.paise) for one in self.engine.trades if one.order is theirs]
            mine = [(fill.quantity, fill.price_paise) for fill in self.paper.trades() if fill.tag == tag]
            assert (ours.state, ours.filled_quantity, mine) == (state, theirs.filled, fills)
            assert round(ours.average_paise, 6) == round(theirs.average_paise, 6)


def wire(form: Any) -> dict[str, str]:
    return {name: str(value) for name, value in form.items() if value is not None and name != "variety"}


@st.composite
def asked_terms(draw: st.DrawFn) -> Terms:
    kind = draw(st.sampled_from(("LIMIT", "LIMIT", "SL", "SL", "MARKET")))
    if kind == "MARKET":
        return Terms(order_type=kind)
    return Terms(order_type=kind, limit_paise=draw(PRICES), trigger_paise=draw(PRICES) if kind == "SL" else 0)


SHOWN = st.builds(
    Shown, bid=PRICES, gap=st.sampled_from((5, 10, 30)), size=SIZES, last=PRICES,
    traded=st.integers(0, 12).map(LOT.__mul__),
)  # fmt: skip
ASKED = st.builds(
    Asked, what=st.sampled_from(("place", "place", "place", "modify", "modify", "cancel")), nth=st.integers(0, 9),
    side=st.sampled_from(("BUY", "SELL")), terms=asked_terms(), lots=st.integers(1, 6),
    validity=st.sampled_from(("DAY", "DAY", "DAY", "IOC")),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.lists(ASKED, max_size=3), SHOWN), min_size=1, max_size=12), SHOWN)
def test_the_same_orders_on_the_same_ticks_fill_alike(script: list[tuple[list[Asked], Shown]], first: Shown) -> None:
    twins, number = Twins(), 0
    twins.show(first)
    for requests, tick in script:
        for asked in requests:
            number += 1
            twins.ask(asked, number)
            twins.compare()
        twins.show(tick)
        twins.compare()


def test_the_script_has_fills_of_every_way() -> None:
    """An arrival through levels, the queue, the book that comes to it, a stop, an IOC: something is compared."""
    twins = Twins()
    book = Shown(bid=LAST, gap=10, size=2 * LOT, last=LAST, traded=0)
    twins.show(book)
    buy = {"what": "place", "nth": 0, "side": "BUY", "lots": 3, "validity": "DAY"}
    wanted = [
        Asked(**buy, terms=Terms(order_type="LIMIT", limit_paise=LAST + 15)),  # two levels
        Asked(**buy, terms=Terms(order_type="LIMIT", limit_paise=LAST)),  # the queue
        Asked(**buy, terms=Terms(order_type="SL", limit_paise=LAST + 60, trigger_paise=LAST + 20)),
        Asked(**buy | {"validity": "IOC", "lots": 8}, terms=Terms(order_type="MARKET")),
        Asked(**buy, terms=Terms(order_type="LIMIT", limit_paise=LAST - 30)),  # the book comes to it
    ]
    for number, asked in enumerate(wanted):
        twins.ask(asked, number)
    for tick in (Shown(LAST, 10, 2 * LOT, LAST, 4 * LOT), Shown(LAST + 10, 10, 5 * LOT, LAST + 20, LOT),
                 Shown(LAST - 50, 10, 5 * LOT, LAST - 50, LOT)):  # fmt: skip
        twins.show(tick)
        twins.compare()
    assert twins.clock.now > NOON
    orders = {tag: twins.paper.find(tag) for tag in twins.ids}
    assert {tag: order and order.filled_quantity // LOT for tag, order in orders.items()} == {
        "T0": 3, "T1": 3, "T2": 3, "T3": 7, "T4": 3,
    }  # fmt: skip
