"""Orders and positions as tables."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.screen import clock
from gateway.books import NET, with_nets
from gateway.format import DASH, money

if TYPE_CHECKING:
    from core.records import Order, Position, Terms

STATES = {"COMPLETE": "green", "OPEN": "cyan", "JOURNALLED": "cyan", "UNKNOWN": "bold yellow"}


def orders_table(found: list[Order]) -> Fit:
    """One row an order: what was asked and what became of it. The tag is always whole: `vikalp cancel` takes it."""
    from core.orders.machine import terms

    intents, rests = [each.intent for each in found], [terms(each) for each in found]
    days, times = zip(*(clock(i.created_ns).split() for i in intents), strict=True)
    columns = [
        Column(name="tag", left=True, cells=[i.tag for i in intents]),
        Column(name="day", left=True, rank=6, cells=days),
        Column(name="time", left=True, rank=2, cells=times),
        Column(name="symbol", left=True, cells=[i.symbol for i in intents]),
        Column(name="side", left=True, cells=[i.side for i in intents]),
        Column(name="filled", cells=[f"{each.filled_quantity}/{each.intent.quantity}" for each in found]),
        *_stops(found, rests),
        Column(name="limit", rank=3, cells=[_limit(at) for at in rests]),
        Column(name="price", rank=1, cells=[_price(each, at) for each, at in zip(found, rests, strict=True)]),
        Column(name="state", left=True, cells=[Text(each.state, STATES.get(each.state, "red")) for each in found]),
        Column(name="purpose", left=True, rank=4, cells=[i.purpose for i in intents]),
        Column(name="product", left=True, rank=5, cells=[i.product for i in intents]),
        Column(name="by", left=True, rank=5, cells=[i.strategy for i in intents]),
    ]
    return Fit(columns, [i.tag for i in intents], [each.message for each in found], "message")


def positions_table(found: list[Position]) -> Fit:
    """One row a strategy, contract and product, their net where there are several, and a row of totals.

    The mark is what it would bring now (core/orders/positions.py).
    """
    gross, costs, net = (sum(getattr(p, n) for p in found) for n in ("gross_paise", "charges_paise", "net_paise"))
    found = list(with_nets(found))
    return Fit([
        Column(name="symbol", left=True, cells=[p.symbol for p in found], footer="total"),
        Column(name="by", left=True, rank=2, cells=[p.strategy or NET for p in found]),
        Column(name="product", left=True, rank=3, cells=[p.product for p in found]),
        Column(name="quantity", cells=[f"{p.quantity:+d}" for p in found]),
        Column(name="average", rank=1, cells=[money(p.average_paise) if p.average_paise else DASH for p in found]),
        Column(name="mark", rank=2, cells=[money(p.last_paise) if p.last_paise else DASH for p in found]),
        Column(name="realised", rank=5, cells=[money(p.realised_paise) for p in found]),
        Column(name="unrealised", rank=5, cells=[money(p.unrealised_paise) for p in found]),
        Column(name="gross", rank=4, cells=[money(p.gross_paise) for p in found], footer=money(gross)),
        Column(name="charges", rank=3, cells=[money(p.charges_paise) for p in found], footer=money(costs)),
        Column(name="net", cells=[money(p.net_paise) for p in found], footer=money(net)),
    ])  # fmt: skip


def terms_words(at: Terms) -> str:
    """An order's prices: at market, at ₹12.00, from ₹11.00 on at ₹12.00."""
    price = f"at {money(at.limit_paise)}" if at.limit_paise else "at market"
    return f"from {money(at.trigger_paise)} on {price}" if at.trigger_paise else price


def _stops(found: list[Order], rests: list[Terms]) -> list[Column]:
    """Type and trigger, where an order has one that its limit does not say."""
    more = [[word for word in (each.intent.validity, each.intent.variety) if word in {"IOC", "amo"}] for each in found]
    if not any(more) and not any(at.trigger_paise for at in rests):
        return []
    kinds = [" ".join([at.order_type, *words]) for at, words in zip(rests, more, strict=True)]
    triggers = [money(at.trigger_paise) if at.trigger_paise else "" for at in rests]
    return [Column(name="type", left=True, rank=4, cells=kinds), Column(name="trigger", rank=3, cells=triggers)]


def _limit(at: Terms) -> str:
    return money(at.limit_paise) if at.limit_paise else "market"


def _price(order: Order, at: Terms) -> str:
    """What was paid on average, before a fill what is asked now."""
    return money(order.average_paise) if order.filled_quantity else _limit(at)
