"""Whether the order manager may send an intent at all, before risk is asked."""

from collections.abc import Collection

from core.orders.positions import Holding
from core.records import LIVE, Intent, Order, Refusal


def gate(state: str, why: str, intent: Intent) -> Refusal | None:
    """ACTIVE sends everything, REDUCING exits, HALTED nothing."""
    if state == "ACTIVE" or (state == "REDUCING" and intent.purpose == "exit"):
        return None
    allowed = "exits" if state == "REDUCING" else "nothing"
    return Refusal(limit="state", allowed=allowed, asked=intent.purpose, why=f"the order manager is {state}: {why}")


def leaving(orders: dict[str, Order], symbol: str, *, vanished: Collection[str] = ()) -> int:
    """Units of `symbol` that live exit orders may still take off; for those with a tag in `vanished` nobody waits."""
    return sum(
        order.intent.quantity - order.filled_quantity
        for tag, order in orders.items()
        if order.state in LIVE
        and order.intent.symbol == symbol
        and order.intent.purpose == "exit"
        and tag not in vanished
    )


def true_exit(intent: Intent, holding: Holding | None, working: int) -> Refusal | None:
    """An exit may only take off what is held and not already leaving; the ledger's own positions decide."""
    if intent.purpose != "exit":
        return None
    held = holding.quantity if holding else 0
    left = max(0, abs(held) - working)
    towards_flat = held > 0 if intent.side == "SELL" else held < 0
    if towards_flat and intent.quantity <= left:
        return None
    why = f"{held:+d} of {intent.symbol} are held and {working} are already leaving; an exit must reduce the position"
    return Refusal(limit="exit", allowed=f"{left if towards_flat else 0}", asked=f"{intent.quantity}", why=why)


def one_product(intent: Intent, product: str) -> Refusal | None:
    """A broker keeps NRML and MIS of a symbol apart, and a sale in one opens a short beside the long in the other."""
    if product in {"", intent.product}:
        return None
    why = f"{intent.symbol} is held or being traded as {product}; an order must be of the same product"
    return Refusal(limit="product", allowed=product, asked=intent.product, why=why)
