"""Every order in which the updates of a partly filled order may come: doubled, left out, the end first."""

import itertools
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from core.orders.machine import Tally, advance, born, remaining, with_fill
from core.records import LIVE, Fill, Order, OrderEvent, OrderState
from tests.fakes_orders import LOT, NOON, SECOND, intent
from tests.world_oms import World

ASKED = 5 * LOT
SENT = intent("A", quantity=ASKED)
PARTS = ((1, 35_000), (2, 34_950), (2, 34_900))  # lots, paise
News = OrderEvent | Fill


def update(state: OrderState, lots: int) -> OrderEvent:
    return OrderEvent(tag="A", state=state, at_ns=NOON + lots, filled_quantity=lots * LOT)


def fills(number: int) -> list[Fill]:
    return [
        Fill(trade_id=f"T{n}", tag="A", strategy="s", index=SENT.index, symbol=SENT.symbol, side="BUY",
             quantity=lots * LOT, price_paise=paise, at_ns=NOON + n)
        for n, (lots, paise) in enumerate(PARTS[:number], 1)
    ]  # fmt: skip


# What a broker tells of an order: how it ends, its updates, its trades.
LIVES: dict[str, tuple[OrderState, list[OrderEvent], list[Fill]]] = {
    "filled": ("COMPLETE", [update("OPEN", 0), update("OPEN", 1), update("OPEN", 3), update("COMPLETE", 5)], fills(3)),
    "cancelled in part": ("CANCELLED", [update("OPEN", 0), update("OPEN", 1), update("CANCELLED", 3)], fills(2)),
    "cancelled": ("CANCELLED", [update("UNKNOWN", 0), update("OPEN", 0), update("CANCELLED", 0)], fills(0)),
    "rejected": ("REJECTED", [update("UNKNOWN", 0), update("REJECTED", 0)], fills(0)),
}


def orders_of(news: Sequence[News]) -> Iterator[tuple[News, ...]]:
    """Every selection of the news in every order."""
    for many in range(len(news) + 1):
        yield from itertools.permutations(news, many)


def lived(told: Sequence[News]) -> list[Order]:
    """The order after each of the news; a trade counts once, by its id, as in the journal."""
    order, tally, known = born(SENT, NOON), Tally(), set[str]()
    out = [order]
    for one in told:
        if isinstance(one, OrderEvent):
            order = advance(order, one)
        elif one.trade_id not in known:
            known.add(one.trade_id)
            tally = tally.add(one)
            order = with_fill(order, one, tally)
        out.append(order)
    return out


def expected(told: Sequence[News], end: OrderState) -> tuple[OrderState, int]:
    """State and units filled, whatever the order: the end once it or the last unit was told, and the most told."""
    heard = [one.state if isinstance(one, OrderEvent) else "OPEN" for one in told]
    traded = sum(one.quantity for one in told if isinstance(one, Fill))
    filled = max([traded, *(one.filled_quantity for one in told if isinstance(one, OrderEvent))])
    if end in heard or filled == ASKED:
        return end, filled
    return next((state for state in ("OPEN", "UNKNOWN") if state in heard), "JOURNALLED"), filled


@pytest.mark.parametrize("name", LIVES)
def test_every_order_and_every_selection_of_the_news_ends_alike(name: str) -> None:
    end, updates, trades = LIVES[name]
    seen = 0
    for told in orders_of([*updates, *trades]):
        doubled = [one for one in told for _ in range(2)]
        for news in (told, doubled, (*told, *reversed(told))):
            life = lived(news)
            grew = [order.filled_quantity for order in life]
            assert (life[-1].state, life[-1].filled_quantity) == expected(told, end), news
            assert grew == sorted(grew), news
            assert grew[-1] <= ASKED, news
            ends = [order.state for order in life if order.state not in LIVE]
            assert len(set(ends)) <= 1, news
            assert all(remaining(one) == (ASKED - one.filled_quantity if one.state in LIVE else 0) for one in life)
            seen += 1
    many = len(updates) + len(trades)
    assert seen == 3 * sum(len(list(itertools.permutations(range(many), n))) for n in range(many + 1))


@pytest.mark.parametrize("name", LIVES)
def test_the_average_is_of_the_trades_in_whatever_order_they_came(name: str) -> None:
    _, updates, trades = LIVES[name]
    ended = {lived((*updates, *order))[-1].average_paise for order in itertools.permutations(trades)}
    value, units = sum(one.quantity * one.price_paise for one in trades), sum(one.quantity for one in trades)

    assert ended == {value / units if units else 0.0}


class Told(World):
    """An order manager whose broker took order A, and then says of it whatever a test lets it say."""

    def __init__(self) -> None:
        super().__init__()
        self.oms.submit(SENT)
        self.taken = self.broker.orders["A"]

    def tell(self, one: OrderEvent) -> None:
        self.broker.orders["A"] = msgspec.structs.replace(
            self.taken, state=one.state, filled_quantity=one.filled_quantity, updated_ns=one.at_ns
        )
        self.later()


@pytest.mark.parametrize("name", ["filled", "cancelled in part", "cancelled"])
@pytest.mark.parametrize("listed", ["at once", "one by one", "last"])
def test_a_book_that_tells_in_any_order_is_followed_to_the_same_end(name: str, listed: str) -> None:
    """The list of trades may run before the book or behind it; when both have said all, the end is the same."""
    end, updates, trades = LIVES[name]
    updates = [one for one in updates if one.state != "UNKNOWN"]  # no book says that
    for order, listing in itertools.product(orders_of(updates), itertools.permutations(trades)):
        world = Told()
        world.broker.fills.extend(listing if listed == "at once" else ())
        for place, one in enumerate([*order, *order]):  # all of it twice
            world.broker.fills.extend(listing[place : place + 1] if listed == "one by one" else ())
            world.tell(one)
            assert world.order().filled_quantity <= sum(fill.quantity for fill in world.broker.fills)
        world.broker.fills[:] = listing
        world.tell(updates[-1])
        world.later()

        assert (world.order().state, world.order().filled_quantity) == (end, sum(fill.quantity for fill in trades))
        assert {fill.trade_id for fill in world.ledger.trades} == {fill.trade_id for fill in trades}
        assert len(world.ledger.trades) == len(trades) == len(world.risk.booked)
        assert [one.quantity for one in world.oms.positions()] == [sum(f.quantity for f in trades)] * bool(trades)
        assert (world.broker.placed, world.risk.working) == (["A"], set())


def test_news_older_than_what_is_known_changes_no_time() -> None:
    late = msgspec.structs.replace(update("OPEN", 1), at_ns=NOON - SECOND)

    assert advance(born(SENT, NOON), late).updated_ns == NOON
