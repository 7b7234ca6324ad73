"""Whether the order manager may send an intent at all, before risk is asked."""

from collections.abc import Collection, Iterable

from core.orders.books import Book, Key
from core.records import Intent, Order, Refusal


def gate(state: str, why: str, intent: Intent) -> Refusal | None:
    """ACTIVE sends everything, REDUCING exits, HALTED nothing."""
    if state == "ACTIVE" or (state == "REDUCING" and intent.purpose == "exit"):
        return None
    allowed = "exits" if state == "REDUCING" else "nothing"
    return Refusal(limit="state", allowed=allowed, asked=intent.purpose, why=f"the order manager is {state}: {why}")


def leaving(live: Iterable[Order], book: Key, *, vanished: Collection[str] = ()) -> int:
    """Units of `book` that exits among `live` orders may still take off; for those in `vanished` nobody waits."""
    return sum(
        order.intent.quantity - order.filled_quantity
        for order in live
        if order.intent.purpose == "exit" and key_of(order.intent) == book and order.intent.tag not in vanished
    )


def key_of(intent: Intent) -> Key:
    """The book that `intent` is of."""
    return intent.strategy, intent.symbol, intent.product


def moving(orders: Iterable[Order]) -> list[tuple[str, int]]:
    """Contract and signed units, + bought, − sold, that each of these live orders may still trade."""
    left = ((order.intent, order.intent.quantity - order.filled_quantity) for order in orders)
    return [(intent.symbol, units if intent.side == "BUY" else -units) for intent, units in left if units]


def true_exit(intent: Intent, book: Book | None, working: int) -> Refusal | None:
    """An exit may only take off what its strategy holds and is not already leaving; the ledger's own books decide."""
    if intent.purpose != "exit":
        return None
    held = book.quantity if book else 0
    left = max(0, abs(held) - working)
    towards_flat = held > 0 if intent.side == "SELL" else held < 0
    if towards_flat and intent.quantity <= left:
        return None
    why = (
        f"{intent.strategy} holds {held:+d} of {intent.symbol} in {intent.product} and {working} are already leaving; "
        "an exit must reduce that, and says whose position it is"
    )
    return Refusal(limit="exit", allowed=f"{left if towards_flat else 0}", asked=f"{intent.quantity}", why=why)
