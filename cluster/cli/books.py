"""Orders and positions as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.screen import clock
from gateway.format import DASH, money

if TYPE_CHECKING:
    from core.records import Order, Position

STATES = {"COMPLETE": "green", "OPEN": "cyan", "JOURNALLED": "cyan", "UNKNOWN": "bold yellow"}


def orders_table(found: list[Order]) -> Fit:
    """One row an order: what was asked and what became of it. The tag is always whole: `vikalp cancel` takes it."""
    intents = [each.intent for each in found]
    days, times = zip(*(clock(i.created_ns).split() for i in intents), strict=True)
    columns = [
        Column(name="tag", left=True, cells=[i.tag for i in intents]),
        Column(name="day", left=True, rank=6, cells=days),
        Column(name="time", left=True, rank=2, cells=times),
        Column(name="symbol", left=True, cells=[i.symbol for i in intents]),
        Column(name="side", left=True, cells=[i.side for i in intents]),
        Column(name="filled", cells=[f"{each.filled_quantity}/{each.intent.quantity}" for each in found]),
        Column(name="limit", rank=3, cells=[_limit(each) for each in found]),
        Column(name="price", rank=1, cells=[_price(each) for each in found]),
        Column(name="state", left=True, cells=[Text(each.state, STATES.get(each.state, "red")) for each in found]),
        Column(name="purpose", left=True, rank=4, cells=[i.purpose for i in intents]),
        Column(name="product", left=True, rank=5, cells=[i.product for i in intents]),
        Column(name="by", left=True, rank=5, cells=[i.strategy for i in intents]),
    ]
    return Fit(columns, [i.tag for i in intents], [each.message for each in found], "message")


def positions_table(found: list[Position]) -> Fit:
    """One row a symbol and a row of totals; the mark is the middle of a two-sided quote, else the last trade."""
    gross, costs, net = (sum(getattr(p, n) for p in found) for n in ("gross_paise", "charges_paise", "net_paise"))
    return Fit([
        Column(name="symbol", left=True, cells=[p.symbol for p in found], footer="total"),
        Column(name="quantity", cells=[f"{p.quantity:+d}" for p in found]),
        Column(name="average", rank=1, cells=[money(p.average_paise) for p in found]),
        Column(name="mark", rank=2, cells=[money(p.last_paise) if p.last_paise else DASH for p in found]),
        Column(name="realised", rank=5, cells=[money(p.realised_paise) for p in found]),
        Column(name="unrealised", rank=5, cells=[money(p.unrealised_paise) for p in found]),
        Column(name="gross", rank=4, cells=[money(p.gross_paise) for p in found], footer=money(gross)),
        Column(name="charges", rank=3, cells=[money(p.charges_paise) for p in found], footer=money(costs)),
        Column(name="net", cells=[money(p.net_paise) for p in found], footer=money(net)),
    ])  # fmt: skip


def _limit(order: Order) -> str:
    return money(order.intent.limit_paise) if order.intent.limit_paise else "market"


def _price(order: Order) -> str:
    """What was paid on average, before a fill what was asked."""
    return money(order.average_paise) if order.filled_quantity else _limit(order)
