"""What a broker's book of triggers says of one that an Overnight plan asked for, as the plan's view holds it."""

import msgspec

from core.orders.gtt import Trigger
from core.orders.plans.plan import Gtt, PlaceGtt
from core.records import LIVE, Order


def gtt_seen(asked: PlaceGtt, listed: Trigger | None, order: Order | None = None) -> Gtt:
    """`listed` is the broker's row of `asked`, by the id of its ACK or by core.orders.gtt.is_of; None while not found.

    `order` is the one it has sent, adopted under a tag of the desk's; until that is known it counts as resting.
    """
    if listed is None:
        return Gtt(name=asked.name, quantity=asked.quantity)
    seen = Gtt(
        name=asked.name,
        quantity=asked.quantity,
        trigger_id=listed.trigger_id,
        status=listed.status,
        fired=listed.fired,
        order_failed=listed.order_failed,
    )
    if order is None or listed.status != "triggered":
        return seen
    return msgspec.structs.replace(
        seen,
        order_failed=listed.order_failed or order.state in {"REJECTED", "REFUSED"},
        filled_quantity=order.filled_quantity,
        ended=order.state not in LIVE,
    )
