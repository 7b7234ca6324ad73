"""What limits look at, from a ledger's facts."""

from collections.abc import Iterable

from core.records import LIVE, Fill, Intent, Move, Order, Settled
from core.risk.book import RiskBook, with_end, with_fill, with_intent, with_limit, with_move, with_settled
from core.risk.resting import changed_limit


def replay(
    orders: Iterable[Order], fills: Iterable[Fill], settlements: Iterable[Settled] = (), moves: Iterable[Move] = ()
) -> RiskBook:
    """The book that a ledger's facts add up to, folded in market time: recovery after a restart.

    A broker tells of trades in whole seconds: one that seems older than its order comes right after it.
    """
    orders = list(orders)
    made = {order.intent.tag: order.intent.created_ns for order in orders}
    events: list[tuple[int, int, Intent | Fill | Settled | Move]] = [
        (order.intent.created_ns, 0, order.intent) for order in orders if order.state != "REFUSED"
    ]
    events += [(max(fill.at_ns, made.get(fill.tag, 0)), 1, fill) for fill in fills]
    events += [(move.at_ns, 2, move) for move in moves]
    events += [(settled.at_ns, 3, settled) for settled in settlements]
    book = RiskBook()
    for _, _, event in sorted(events, key=lambda row: row[:2]):
        if isinstance(event, Intent):
            book = with_intent(book, event)
        elif isinstance(event, Move):
            book = with_move(book, event)
        else:
            book = with_fill(book, event) if isinstance(event, Fill) else with_settled(book, event)
    for order in orders:
        tag = order.intent.tag
        book = with_limit(book, tag, changed_limit(order)) if order.state in LIVE else with_end(book, tag)
    return book
