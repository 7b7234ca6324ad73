"""The desk's own state for the page: banner, clock, P&L, and the small tables with their rows by key."""

from collections.abc import Sequence
from typing import Any

from core.records import LIVE, ActorStatus, LimitUse, Order, Position
from gateway.context import Context
from gateway.format import DASH, grouped, missing, money, number, price, seconds, time_ist
from gateway.view import Shown, sign

Cell = tuple[str, str]  # text, class
TABLES: dict[str, dict[str, str]] = {
    "orders": {
        "time": "Time",
        "symbol": "Contract",
        "side": "Side",
        "quantity": "Qty",
        "filled": "Filled",
        "limit": "Limit",
        "average": "Avg",
        "state": "State",
        "message": "Said",
        "cancel": "",
    },
    "positions": {
        "symbol": "Contract",
        "quantity": "Qty",
        "average": "Avg",
        "last": "Mark",
        "gross": "P&L gross",
        "charges": "Charges",
        "net": "P&L net",
    },
    "limits": {"name": "Limit", "bar": "", "used": "Used", "allowed": "Allowed"},
    "actors": {"name": "Actor", "state": "State", "age": "Age", "restarts": "Restarts", "gaps": "Gaps"},
}


def banner(context: Context, shown: Shown) -> None:
    """Mode, what the market says, phase, clock, order manager, ledger, P&L and whatever does not answer."""
    view = context.poll.view
    status = view.status
    texts, classes = shown.texts, shown.classes
    # A replay's clock moves with the data; the clock here is the actor's own, so it is never behind the chain.
    texts["market-clock"] = time_ist(context.clock.now_ns())
    texts["mode"] = status.mode if status else "STARTING"
    classes["mode"] = f"mode mode-{texts['mode'].lower()}"
    texts["market-says"] = status.market_says if status else "the desk's status is not known yet"
    texts["phase"] = status.phase if status else DASH
    classes["phase"] = f"badge {'good' if status and status.phase == 'open' else 'slow'}"
    oms = status.oms_state if status else "UNREACHABLE"
    texts["oms-state"] = oms
    classes["oms-state"] = f"badge {'good' if oms == 'ACTIVE' else 'slow' if oms == 'REDUCING' else 'bad'}"
    texts["ledger-state"] = "ok" if status and status.ledger_ok else "DOWN" if status else DASH
    classes["ledger-state"] = f"badge {'good' if status and status.ledger_ok else 'bad'}"
    for name in ("gross", "charges", "net"):
        total = sum(getattr(position, f"{name}_paise") for position in view.positions)
        texts[f"pnl-{name}"] = money(total)
        classes[f"pnl-{name}"] = "fig" if name == "charges" else f"fig {sign(total)}"
    trouble = [f"{name} unreachable: {why}" for name, why in view.unreachable.items()]
    alerts = list(status.alerts)[-1:] if status else []
    trouble += [f"{alert.severity}: {alert.subject}: {alert.message}" for alert in alerts]
    texts["trouble"] = " · ".join(trouble)
    classes["trouble"] = "on bad" if view.unreachable else "on" if trouble else ""


def tables(context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of the four small tables; a row is {key, class, cells: [[text, class], …]} in TABLES' column order."""
    view = context.poll.view
    now = context.clock.wall_ns()
    actors = view.status.actors if view.status else ()
    return {
        "orders": [_order(order) for order in reversed(view.orders)],
        "positions": [_position(position) for position in view.positions],
        "limits": [_limit(limit) for limit in view.limits],
        "actors": [_actor(actor, now) for actor in actors],
    }


def _row(key: str, cells: Sequence[Cell], class_: str = "") -> dict[str, Any]:
    return {"key": key, "class": class_, "cells": [list(cell) for cell in cells]}


def _order(order: Order) -> dict[str, Any]:
    intent = order.intent
    live = order.state in LIVE
    tone = {"COMPLETE": "good", "REFUSED": "bad", "REJECTED": "bad", "UNKNOWN": "bad"}.get(order.state, "")
    return _row(
        intent.tag,
        [
            (time_ist(order.updated_ns or intent.created_ns), ""),
            (intent.symbol, ""),
            (intent.side, intent.side.lower()),
            (grouped(intent.quantity), "n"),
            (grouped(order.filled_quantity), "n"),
            (price(intent.limit_paise, zero="MKT"), "n"),
            (number(order.average_paise / 100, 2) if order.average_paise else DASH, "n"),
            (order.state, f"state {tone}"),
            (order.message, "said"),
            ("cancel" if live else "", "cancel" if live else ""),
        ],
        "live" if live else "over",
    )


def _position(position: Position) -> dict[str, Any]:
    return _row(
        position.symbol,
        [
            (position.symbol, ""),
            (grouped(position.quantity), f"n {sign(position.quantity)}"),
            (number(position.average_paise / 100, 2), "n"),
            (price(position.last_paise), "n"),
            (money(position.gross_paise), f"n {sign(position.gross_paise)}"),
            (money(position.charges_paise), "n"),
            (money(position.net_paise), f"n {sign(position.net_paise)}"),
        ],
        "" if position.quantity else "over",
    )


def _limit(limit: LimitUse) -> dict[str, Any]:
    share = 0.0 if missing(limit.used) or limit.allowed <= 0 else min(max(limit.used / limit.allowed, 0.0), 1.0)
    tone = "bad" if share >= 1 else "slow" if share >= 0.75 else ""
    used, allowed = (_in_unit(value, limit.unit) for value in (limit.used, limit.allowed))
    return _row(
        limit.limit,
        [(limit.limit.replace("_", " "), ""), (f"{share:.3f}", f"bar {tone}"), (used, "n"), (allowed, "n dim")],
    )


def _in_unit(value: float, unit: str) -> str:
    if unit == "paise":
        return money(value)
    if unit in ("₹", "rupees"):
        return money(value * 100)
    return f"{number(value, 0 if float(value).is_integer() else 1)} {unit}"


def _actor(actor: ActorStatus, now_wall_ns: int) -> dict[str, Any]:
    tone = {"READY": "good", "STARTING": "slow", "SILENT": "slow"}.get(actor.state, "bad")
    age = seconds(now_wall_ns - actor.last_progress_ns) if actor.last_progress_ns else DASH
    return _row(
        actor.name,
        [
            (actor.name, "name"),
            (actor.state, f"state {tone}"),
            (age, "n"),
            (f"↻{actor.incarnation - 1}" if actor.incarnation > 1 else "", "n slow"),
            (f"{actor.gaps} gaps" if actor.gaps else "", "n slow"),
        ],
        tone,
    )
