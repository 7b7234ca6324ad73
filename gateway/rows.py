"""Rows of the page's small tables, one function a table: {key, class, title, cells: [[text, class], …]}."""

import json
from collections.abc import Sequence
from typing import Any

from core.market import tick_paise
from core.orders.machine import terms
from core.records import LIVE, ActorStatus, Order, PlanStatus, Position, Terms
from core.rupees import grouped
from gateway.books import NET
from gateway.format import DASH, money, number, price, seconds, time_ist
from gateway.limits import Cell
from gateway.view import sign

TONES = {"COMPLETE": "good", "REFUSED": "bad", "REJECTED": "bad", "UNKNOWN": "bad"}


def row(key: str, cells: Sequence[Cell], class_: str = "", title: str = "") -> dict[str, Any]:
    return {"key": key, "class": class_, "title": title, "cells": [list(cell) for cell in cells]}


def order_row(order: Order) -> dict[str, Any]:
    """What rests now stands in the row; what was asked first, and how often it was modified, in its title."""
    intent, at = order.intent, terms(order)
    live = order.state in LIVE
    more = [word for word in (intent.validity, intent.variety.upper()) if word in {"IOC", "AMO"}]
    cells = [
        (time_ist(intent.created_ns), ""),
        (intent.symbol, ""),
        (intent.side, intent.side.lower()),
        (grouped(intent.quantity), "n"),
        (grouped(order.filled_quantity), "n"),
        (" ".join([at.order_type, *more]), "moved" if order.modifications else ""),
        (price(at.trigger_paise, zero=""), "n moved" if order.modifications else "n"),
        (price(at.limit_paise, zero="MKT"), "n moved" if order.modifications else "n"),
        (number(order.average_paise / 100, 2) if order.average_paise else DASH, "n"),
        (order.state, f"state {TONES.get(order.state, '')}"),
        (_terms(order, at) if live else "", "acts" if live else ""),
        (order.message, "said"),
    ]
    return row(intent.tag, cells, "live" if live else "over", _title(order))


def _title(order: Order) -> str:
    intent = order.intent
    whose = f"{intent.strategy}, {intent.product}: "
    moved = f", modified {order.modifications} times, first {_words(intent.limit_paise)}" if order.modifications else ""
    said = f": {order.message}" if order.message else ""
    return f"{whose}made {time_ist(intent.created_ns)}, last change {time_ist(order.updated_ns)}{moved}{said}"


def _words(paise: int) -> str:
    return price(paise, zero="at market")


def _terms(order: Order, at: Terms) -> str:
    """What the script needs to ask for other prices."""
    intent = order.intent
    return json.dumps({
        "says": f"{intent.side} {grouped(intent.quantity)} {intent.symbol}",
        "limit": _plain(at.limit_paise),
        "trigger": _plain(at.trigger_paise),
        "type": at.order_type,
    })  # fmt: skip


def _plain(paise: int) -> str:
    return f"{paise // 100}.{paise % 100:02d}" if paise else ""


def key_of(position: Position) -> str:
    """Of whom, in which product, of which contract: a position's one name on the page."""
    return f"{position.strategy or NET}-{position.product}-{position.symbol}"


def position_row(position: Position, lot: int, *, cached: bool) -> dict[str, Any]:
    """`cached`: the mark, and what is reckoned with it, is of quotes that are no price now. `lot` 0: in no chain.

    A net has no way out: each book has its own.
    """
    old = "stale" if cached and position.quantity else ""
    out = _leave(position, lot)
    cells = [
        (position.symbol, ""),
        (f"{position.strategy or NET} {position.product}", "of"),
        (grouped(position.quantity), f"n {sign(position.quantity)}"),
        (number(position.average_paise / 100, 2) if position.average_paise else DASH, "n"),
        (price(position.last_paise), f"n {old}"),
        (money(position.gross_paise), f"n {sign(position.gross_paise)} {old}"),
        (money(position.charges_paise), "n"),
        (money(position.net_paise), f"n {sign(position.net_paise)} {old}"),
        (out, "leave" if out else ""),
    ]
    tone = "" if position.quantity else "over"
    title = "marked on cached quotes" if old else ""
    return row(key_of(position), cells, f"{tone} {'' if position.strategy else 'net'}".strip(), title)


def _leave(position: Position, lot: int) -> str:
    """What the script puts into the ticket to leave the whole of it; empty for what is flat, or a sum."""
    if not (position.strategy and lot and abs(position.quantity) >= lot):
        return ""
    return json.dumps({
        "symbol": position.symbol,
        "index": position.index,
        "tick": tick_paise(position.index),
        "side": "SELL" if position.quantity > 0 else "BUY",
        "lots": abs(position.quantity) // lot,
        "limit": _plain(position.last_paise),
        "strategy": position.strategy,
        "product": position.product,
    })  # fmt: skip


def closing_row(position: Position) -> dict[str, Any]:
    side = "SELL" if position.quantity > 0 else "BUY"
    cells = [
        (position.symbol, ""),
        (f"{position.strategy} {position.product}", ""),
        (side, side.lower()),
        (grouped(abs(position.quantity)), "n"),
    ]
    return row(key_of(position), cells)


def plan_row(plan: PlanStatus) -> dict[str, Any]:
    """A plan with the last it has said; all of it in the title."""
    last = plan.words[-1] if plan.words else None
    tone = {"alarm": "bad", "warning": "slow"}.get(last.severity, "") if last else ""
    said = " · ".join(f"{time_ist(word.at_ns)} {word.message}" for word in plan.words)
    cells = [
        (plan.kind.replace("_", " "), ""),
        (f"{plan.index} {plan.strategy}", ""),
        ("running" if plan.running else "over", "state good" if plan.running else "state"),
        ("end" if plan.running else "", "end" if plan.running else ""),
        (last.message if last else "", f"said {tone}"),
    ]
    title = f"{plan.plan_id}, begun {time_ist(plan.created_ns)}" + (f": {said}" if said else "")
    return row(plan.plan_id, cells, "live" if plan.running else "over", title)


def actor_row(actor: ActorStatus, now_wall_ns: int) -> dict[str, Any]:
    tone = {"READY": "good", "STARTING": "slow", "SILENT": "slow"}.get(actor.state, "bad")
    age = seconds(now_wall_ns - actor.last_progress_ns) if actor.last_progress_ns else DASH
    return row(
        actor.name,
        [
            (actor.name, "name"),
            (actor.state, f"state {tone}"),
            (age, "n"),
            (f"↻{actor.incarnation - 1}" if actor.incarnation > 1 else "", "n slow"),
            (f"{actor.gaps} gaps" if actor.gaps else "", "n slow"),
        ],
        tone,
        f"{actor.name} {actor.state}" + (f": {actor.why}" if actor.why else ""),
    )
