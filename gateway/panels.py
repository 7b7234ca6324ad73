"""The desk's own state for the page: banner, clock, P&L, and the small tables with their rows by key."""

from collections.abc import Sequence
from typing import Any

from core.records import LIVE, ActorStatus, Alert, Order, Position
from gateway.context import Context
from gateway.format import DASH, grouped, money, number, price, seconds, time_ist
from gateway.limits import Cell, cells
from gateway.view import Shown, sign

ALERT_S = 60.0  # an alert that is no alarm goes away after this
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
        "cancel": "",
        "message": "Said",
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
    "closing": {"symbol": "Contract", "side": "Side", "quantity": "Qty"},
    "limits": {"name": "Limit", "bar": "", "use": "Now"},
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
    shown_alerts = current(status.alerts, context.clock.wall_ns()) if status else []
    trouble += [
        f"{time_ist(a.at_wall_ns)} by the wall clock, {a.severity}: {a.subject}: {a.message}" for a in shown_alerts
    ]
    texts["trouble"] = " · ".join(trouble)
    alarmed = view.unreachable or any(alert.severity == "alarm" for alert in shown_alerts)
    classes["trouble"] = "on bad" if alarmed else "on" if trouble else ""
    texts["exit-says"] = _exit_says(context)


def current(alerts: Sequence[Alert], now_wall_ns: int) -> list[Alert]:
    """The newest alert for ALERT_S, and the newest alarm until another one; newest first."""
    newest = [alert for alert in alerts[-1:] if now_wall_ns - alert.at_wall_ns < ALERT_S * 1e9]
    alarms = [alert for alert in alerts if alert.severity == "alarm"][-1:]
    return newest + [alarm for alarm in alarms if alarm not in newest]


def _exit_says(context: Context) -> str:
    held = sum(1 for position in context.poll.view.positions if position.quantity)
    working = sum(1 for order in context.poll.view.orders if order.state in LIVE)
    cancelled = f"Cancel every working order ({working} now)"
    if not held:
        return f"{cancelled}? No position is open."
    closed = "this position" if held == 1 else f"these {held} positions"
    reach = f"up to {context.exit_cross * 100:g} % beyond the best price (setting oms.exit_cross)"
    return f"{cancelled}, and close {closed} with limit orders that reach {reach}?"


def tables(context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of the small tables: {key, class, title, cells: [[text, class], …]} in TABLES' column order."""
    view = context.poll.view
    now = context.clock.wall_ns()
    actors = view.status.actors if view.status else ()
    oldest_first = sorted(view.orders, key=lambda order: order.intent.created_ns)
    return {
        "orders": [_order(order) for order in reversed(oldest_first)],
        "positions": [_position(position, cached=_cached(context, position.index)) for position in view.positions],
        "closing": [_closing(position) for position in view.positions if position.quantity],
        "limits": [
            row(limit.limit, [(limit.limit.replace("_", " "), ""), *cells(limit, context)]) for limit in view.limits
        ],
        "actors": [_actor(actor, now) for actor in actors],
    }


def row(key: str, cells: Sequence[Cell], class_: str = "", title: str = "") -> dict[str, Any]:
    return {"key": key, "class": class_, "title": title, "cells": [list(cell) for cell in cells]}


def _order(order: Order) -> dict[str, Any]:
    intent = order.intent
    live = order.state in LIVE
    tone = {"COMPLETE": "good", "REFUSED": "bad", "REJECTED": "bad", "UNKNOWN": "bad"}.get(order.state, "")
    return row(
        intent.tag,
        [
            (time_ist(intent.created_ns), ""),
            (intent.symbol, ""),
            (intent.side, intent.side.lower()),
            (grouped(intent.quantity), "n"),
            (grouped(order.filled_quantity), "n"),
            (price(intent.limit_paise, zero="MKT"), "n"),
            (number(order.average_paise / 100, 2) if order.average_paise else DASH, "n"),
            (order.state, f"state {tone}"),
            ("cancel" if live else "", "cancel" if live else ""),
            (order.message, "said"),
        ],
        "live" if live else "over",
        f"made {time_ist(intent.created_ns)}, last change {time_ist(order.updated_ns)}"
        + (f": {order.message}" if order.message else ""),
    )


def _cached(context: Context, index: str) -> bool:
    """Whether what is marked by the index's chain is marked by old quotes."""
    kept = context.store.latest(index) if index in context.store.indices else None
    return kept is None or context.cached(kept)


def _position(position: Position, *, cached: bool) -> dict[str, Any]:
    """`cached`: the mark, and what is reckoned with it, is of quotes that are no price now."""
    old = "stale" if cached and position.quantity else ""
    return row(
        position.symbol,
        [
            (position.symbol, ""),
            (grouped(position.quantity), f"n {sign(position.quantity)}"),
            (number(position.average_paise / 100, 2), "n"),
            (price(position.last_paise), f"n {old}"),
            (money(position.gross_paise), f"n {sign(position.gross_paise)} {old}"),
            (money(position.charges_paise), "n"),
            (money(position.net_paise), f"n {sign(position.net_paise)} {old}"),
        ],
        "" if position.quantity else "over",
        "marked on cached quotes" if old else "",
    )


def _closing(position: Position) -> dict[str, Any]:
    side = "SELL" if position.quantity > 0 else "BUY"
    return row(position.symbol, [(position.symbol, ""), (side, side.lower()), (grouped(abs(position.quantity)), "n")])


def _actor(actor: ActorStatus, now_wall_ns: int) -> dict[str, Any]:
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
