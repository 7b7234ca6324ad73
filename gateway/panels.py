"""The desk's own state for the page: banner, clock, P&L, and the small tables with their rows by key."""

from collections.abc import Sequence
from typing import Any

from core.errors import UnknownName
from core.records import LIVE, Alert, Kill
from gateway.books import with_nets
from gateway.context import Context
from gateway.format import DASH, mode, money, time_ist, what_passes
from gateway.limits import cells, near
from gateway.rows import actor_row, closing_row, order_row, plan_row, position_row, row
from gateway.view import Shown, sign

ALERT_S = 60.0  # an alert that is no alarm goes away after this
TABLES: dict[str, dict[str, str]] = {
    "orders": {
        "time": "Time",
        "symbol": "Contract",
        "side": "Side",
        "quantity": "Qty",
        "filled": "Filled",
        "type": "Type",
        "trigger": "Trigger",
        "limit": "Limit",
        "average": "Avg",
        "state": "State",
        "acts": "",
        "message": "Said",
    },
    "positions": {
        "symbol": "Contract",
        "of": "Of",
        "quantity": "Qty",
        "average": "Avg",
        "last": "Mark",
        "gross": "P&L gross",
        "charges": "Charges",
        "net": "P&L net",
        "leave": "",
    },
    "closing": {"symbol": "Contract", "of": "Of", "side": "Side", "quantity": "Qty"},
    "plans": {"kind": "Kind", "of": "Of", "state": "State", "end": "", "message": "Said"},
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
    texts["mode"] = mode(status) if status else "STARTING"
    classes["mode"] = f"mode mode-{texts['mode'].lower().replace(' ', '-')}"
    texts["market-says"] = status.market_says if status else "the desk's status is not known yet"
    texts["phase"] = status.phase if status else DASH
    classes["phase"] = f"badge {'good' if status and status.phase == 'open' else 'slow'}"
    oms = status.oms_state if status else "UNREACHABLE"
    texts["oms-state"] = oms
    texts["what-passes"] = what_passes(oms)
    classes["oms-state"] = f"badge {'good' if oms == 'ACTIVE' else 'slow' if oms == 'REDUCING' else 'bad'}"
    texts["ledger-state"] = "ok" if status and status.ledger_ok else "DOWN" if status else DASH
    classes["ledger-state"] = f"badge {'good' if status and status.ledger_ok else 'bad'}"
    for name in ("gross", "charges", "net"):
        total = sum(getattr(position, f"{name}_paise") for position in view.positions)
        texts[f"pnl-{name}"] = money(total)
        classes[f"pnl-{name}"] = "fig" if name == "charges" else f"fig {sign(total)}"
    trouble = [f"{name} unreachable: {why}" for name, why in view.unreachable.items()]
    trouble += [f"circuit breaker {status.breaker}"] if status and status.breaker else []
    shown_alerts = current(status.alerts, context.clock.wall_ns()) if status else []
    trouble += [
        f"{time_ist(a.at_wall_ns)} by the wall clock, {a.severity}: {a.subject}: {a.message}" for a in shown_alerts
    ]
    texts["trouble"] = " · ".join(trouble)
    classes["trouble"] = "on bad" if view.unreachable or _alarmed(shown_alerts) else "on" if trouble else ""
    texts["exit-says"] = _exit_says(context)
    texts["killed-says"] = _killed_says(view.killed, context) if view.killed else ""
    classes["killed"] = "on" if view.killed else ""
    warned = sum(near(limit, context) for limit in view.uses)
    texts["limits-warned"] = f"{warned} at 80 % or more" if warned else ""


def current(alerts: Sequence[Alert], now_wall_ns: int) -> list[Alert]:
    """The newest alert for ALERT_S; the newest alarm until another one, and what its subject has said since; newest
    first.

    An info of the same subject after an alarm is its recovery, as far as anybody can tell.
    """
    newest = [alert for alert in alerts[-1:] if now_wall_ns - alert.at_wall_ns < ALERT_S * 1e9]
    last = max((at for at, alert in enumerate(alerts) if alert.severity == "alarm"), default=None)
    if last is None:
        return newest
    alarm = alerts[last]
    since = [alert for alert in alerts[last + 1 :] if alert.subject == alarm.subject and alert.severity == "info"][-1:]
    return newest + [alert for alert in (*since, alarm) if alert not in newest]


def _alarmed(shown: Sequence[Alert]) -> bool:
    """Whether an alarm is shown that nothing of the same subject has followed."""
    over = {alert.subject for alert in shown if alert.severity == "info"}
    return any(alert.severity == "alarm" and alert.subject not in over for alert in shown)


def _killed_says(kill: Kill, context: Context) -> str:
    """Who, when and why, and what is left to be done."""
    working = sum(order.state in LIVE for order in context.poll.view.orders)
    held = sum(1 for position in context.poll.view.positions if position.quantity)
    orders = f"orders not over yet: {working}" if working else "every order is over"
    positions = (
        f", {held} position{'s' if held > 1 else ''} {'being closed' if kill.square_off else 'open'}" if held else ""
    )
    when = f"{time_ist(kill.at_ns)} IST, market" if kill.at_ns else "an unknown time"
    return f"Pulled by {kill.who} at {when}: {kill.why}. Nothing is sent; {orders}{positions}."


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
        "orders": [order_row(order) for order in reversed(oldest_first)],
        "positions": [
            position_row(position, _lot(context, position.symbol), cached=_cached(context, position.index))
            for position in with_nets(view.positions)
        ],
        "closing": [closing_row(position) for position in view.positions if position.quantity],
        "plans": [plan_row(plan) for plan in sorted(view.plans, key=lambda plan: (not plan.running, -plan.created_ns))],
        "limits": [
            row(limit.limit.replace(" ", "-"), [(limit.limit.replace("_", " "), ""), *cells(limit, context)])
            for limit in view.uses
        ],
        "actors": [actor_row(actor, now) for actor in actors],
    }


def _lot(context: Context, symbol: str) -> int:
    """Units in a lot by the newest chain, as the ticket has it; 0 where no chain has the contract."""
    try:
        kept, found = context.store.find(symbol)
    except UnknownName:
        return 0
    return int(kept.expiry(found["expiry"])["lot"])


def _cached(context: Context, index: str) -> bool:
    """Whether what is marked by the index's chain is marked by old quotes."""
    kept = context.store.latest(index) if index in context.store.indices else None
    return kept is None or context.cached(kept)
