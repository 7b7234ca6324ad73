"""A trigger that waits at the broker for a price and then sends an order: as the broker lists it (kite.md §9)."""

from typing import Literal

import msgspec

from core.orders.plans.plan import GttLeg, PlaceGtt
from core.records import Product, Side


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """`legs` in the broker's order, the lower trigger first; times UTC ns.

    `fired` is the place of the leg that was sent, −1 none; `order_id` the order it became, empty where it was refused,
    and `message` then says why. That an order was sent does not say that it traded.
    """

    trigger_id: str
    status: Literal["active", "triggered", "gone"]
    symbol: str
    side: Side
    quantity: int
    product: Product
    legs: tuple[GttLeg, ...]
    fired: int = -1
    order_id: str = ""
    order_failed: bool = False
    message: str = ""
    created_ns: int = 0


def is_of(trigger: Trigger, asked: PlaceGtt, since_ns: int) -> bool:
    """Whether a listed trigger may be the one that was asked for at `since_ns` of the broker's clock.

    A broker keeps no tag of a trigger, so two that were asked for alike cannot be told apart: ask for one at a time.
    Its times are whole seconds.
    """
    same = (trigger.symbol, trigger.side, trigger.quantity, trigger.legs) == (
        asked.symbol, asked.side, asked.quantity, asked.legs,
    )  # fmt: skip
    return same and trigger.created_ns >= since_ns // 1_000_000_000 * 1_000_000_000
