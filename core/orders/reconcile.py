"""What this desk counts beside what the broker says: every difference, typed, with what to do about it.

    compare(Statement(desk), Statement(broker), Tolerance()) -> Report

Two statements are never of one moment. What a live order may still explain is told as such (`explained`, severity info)
and is no mismatch; the rest is one for sure if it is `lasting`: if two comparisons some seconds apart both find it.
What a side does not know is None, is not compared, and is named in `Report.unread`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal

import msgspec

from core.orders.machine import terms
from core.orders.reconcile_words import TODO, Kind, term_words
from core.records import LIVE, Fill, Order
from core.rupees import rupees

Severity = Literal["info", "warning", "alarm"]
Key = tuple[str, str]  # contract, product
IN_FLIGHT = frozenset({"JOURNALLED", "UNKNOWN"})
MOVING: frozenset[Kind] = frozenset({"margin", "funds"})  # with every quote: the figures of two looks are never alike
ESTIMATES: frozenset[Kind] = frozenset({"average price", "margin", "funds", "charges", "cash"})  # money, no quantity


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One side's account of a session: orders with a tag of ours, their trades, and the account's figures.

    `positions` in signed units by contract and product, what is flat may be left out; `charges_paise` and `cash_paise`
    (received − paid for trades, before charges) of the day; `margin_paise` blocked, at the desk an estimate;
    `funds_paise` free to trade with.
    """

    orders: tuple[Order, ...] | None = None
    trades: tuple[Fill, ...] | None = None
    positions: Mapping[Key, int] | None = None
    margin_paise: int | None = None
    funds_paise: int | None = None
    charges_paise: int | None = None
    cash_paise: int | None = None


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which two figures are the same: paise, and of a margin the larger of a share of theirs and paise.

    A broker tells an average rounded; charges to the paisa need the contract note, which rounds by line.
    """

    average_paise: float = 1.0
    trade_paise: int = 0
    margin_share: float = 0.1
    margin_paise: int = 500_000
    funds_paise: int = 500_000
    charges_paise: int = 500
    cash_paise: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`expected` is what this desk counts, `found` what the broker says; `explained` why that may be so for now."""

    kind: Kind
    subject: str  # tag, trade id, contract and product, or account
    expected: str
    found: str
    severity: Severity
    todo: str
    explained: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What two looks must both have found for it to be the same: of what moves with the market, not the figures."""
        of = (self.kind, self.subject)
        return of if self.kind in MOVING else (*of, self.expected, self.found)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Every difference, orders first; how many of each were compared, and what was not read."""

    differences: tuple[Difference, ...] = ()
    compared: Mapping[str, int] = {}
    unread: tuple[str, ...] = ()

    @property
    def mismatches(self) -> tuple[Difference, ...]:
        """Those that no live order explains."""
        return tuple(one for one in self.differences if not one.explained)

    @property
    def clean(self) -> bool:
        return not self.mismatches


def compare(
    desk: Statement, broker: Statement, tolerance: Tolerance | None = None, *, must_list: Collection[str] = ()
) -> Report:
    """Every difference of the two, in the order of Statement's fields and there by tag, trade, contract.

    A broker may list an order late (`Broker.unlisted_ms`), so a live one that it does not list is explained, unless it
    is lost, or its tag is among `must_list`: those that have been there for longer.
    """
    tolerance = tolerance or Tolerance()
    by_tag = {order.intent.tag: order for order in desk.orders or ()}
    found: list[Difference] = []
    compared: dict[str, int] = {}
    unread: list[str] = []

    def part(name: str, ours: Any, theirs: Any, differ: Callable[[], Iterator[Difference]]) -> None:
        if ours is None or theirs is None:
            sides = [side for side, said in (("here", ours), ("at the broker", theirs)) if said is None]
            unread.append(f"{name} (not known {' and '.join(sides)})")
            return
        compared[name] = len(ours) if isinstance(ours, tuple | Mapping) else 1
        found.extend(differ())

    part("orders", desk.orders, broker.orders, lambda: _orders(by_tag, broker.orders or (), tolerance, must_list))
    part(
        "trades", desk.trades, broker.trades, lambda: _trades(desk.trades or (), broker.trades or (), by_tag, tolerance)
    )
    part("positions", desk.positions, broker.positions, lambda: _positions(desk, broker.positions or {}))
    for name in ("margin", "funds", "charges", "cash"):
        ours, theirs = getattr(desk, f"{name}_paise"), getattr(broker, f"{name}_paise")
        part(name, ours, theirs, lambda n=name, o=ours, t=theirs: _money(n, o, t, tolerance))  # type: ignore[misc]
    return Report(differences=tuple(found), compared=compared, unread=tuple(unread))


def lasting(earlier: Report, later: Report) -> tuple[Difference, ...]:
    """Mismatches of `later` that `earlier` had alike: no two moments explain them."""
    before = {one.identity for one in earlier.mismatches}
    return tuple(one for one in later.mismatches if one.identity in before)


def over(told: Collection[tuple[str, ...]], later: Report) -> tuple[tuple[str, ...], ...]:
    """Of the differences that were told (`identity`), those of moving figures that `later` was read for and has not."""
    there = {one.identity for one in later.mismatches}
    return tuple(one for one in sorted(told) if one[0] in MOVING and one[0] in later.compared and one not in there)


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {**msgspec.to_builtins(report), "mismatches": len(report.mismatches), "clean": report.clean}


def in_words(report: Report) -> str:
    """A line for the whole and one for each difference, mismatches first."""
    counts = ", ".join(f"{count} {name}" for name, count in report.compared.items()) or "nothing"
    bad = report.mismatches
    lines = [f"{counts} compared: {f'{len(bad)} mismatches' if bad else 'no mismatch'}"]
    if report.unread:
        lines[0] += f"; not compared: {', '.join(report.unread)}"
    for one in (*bad, *(one for one in report.differences if one.explained)):
        why = f"explained: {one.explained}" if one.explained else one.todo
        lines.append(
            f"{one.severity}: {one.kind}, {one.subject}: {one.expected} here, {one.found} at the broker; {why}"
        )
    return "\n".join(lines)


def rows(report: Report) -> list[tuple[str, str, str, str, str, str]]:
    """Cells of a table, a row a difference: severity, kind, of, here, at the broker, what to do or why it is so."""
    return [
        (one.severity, one.kind, one.subject, one.expected, one.found, one.explained or one.todo)
        for one in report.differences
    ]


def _orders(
    ours: Mapping[str, Order], theirs: tuple[Order, ...], tolerance: Tolerance, must_list: Collection[str]
) -> Iterator[Difference]:
    book = {order.intent.tag: order for order in reversed(theirs)}  # of two with one tag the first
    times = Counter(order.intent.tag for order in theirs)
    for tag in sorted(ours.keys() | book.keys()):
        here, there = ours.get(tag), book.get(tag)
        if times[tag] > 1:
            yield _difference("order doubled", tag, "1 order", f"{times[tag]} orders")
        if here is None:
            yield _difference("order missing here", tag, "none", _whole(book[tag]))
        elif there is None:
            if here.state == "REFUSED" or (here.state in {"REJECTED", "CANCELLED"} and not here.broker_id):
                continue  # never sent, or proved never to have arrived
            late = "" if tag in must_list else _late(here)
            yield _difference("order missing at the broker", tag, _whole(here), "none", late)
        else:
            yield from _order(tag, here, there, tolerance)


def _late(here: Order) -> str:
    """Why an order may be missing in the broker's book; empty if it may not."""
    if here.state not in LIVE or here.lost:
        return ""
    if here.state in IN_FLIGHT:
        return "no answer to it is known yet, it is looked up by its tag"
    return "it lives here, a broker may list it late"


def _order(tag: str, here: Order, there: Order, tolerance: Tolerance) -> Iterator[Difference]:
    live = "it lives here, the next look takes the broker's word" if here.state in LIVE and not here.lost else ""
    if _identity(here) != _identity(there):
        yield _difference("order identity", tag, _identity(here), _identity(there))
    if here.state != there.state:
        yield _difference("state", tag, here.state, there.state, live)
    if here.filled_quantity != there.filled_quantity:
        yield _difference("filled quantity", tag, f"{here.filled_quantity}", f"{there.filled_quantity}", live)
    elif here.filled_quantity and abs(here.average_paise - there.average_paise) > tolerance.average_paise:
        yield _difference("average price", tag, *(rupees(one.average_paise, most=4) for one in (here, there)))
    asked, rests = terms(here), terms(there)
    resting = here.state == there.state == "OPEN" and asked.order_type != "MARKET"  # a broker makes a limit of that
    if resting and asked != rests:
        yield _difference("terms", tag, term_words(asked), term_words(rests))


def _trades(
    ours: tuple[Fill, ...], theirs: tuple[Fill, ...], orders: Mapping[str, Order], tolerance: Tolerance
) -> Iterator[Difference]:
    here, there = {fill.trade_id: fill for fill in ours}, {fill.trade_id: fill for fill in theirs}
    for trade in sorted(here.keys() | there.keys()):
        one, other = here.get(trade), there.get(trade)
        known = one or other
        assert known is not None, "of one of the two sides"
        order = orders.get(known.tag)
        live = "its order lives here" if order is not None and order.state in LIVE and not order.lost else ""
        if one is None:
            yield _difference("trade missing here", trade, "none", _trade(known), live and f"{live}, it is on its way")
        elif other is None:
            lags = live and f"{live}, the broker's list may lag"
            yield _difference("trade missing at the broker", trade, _trade(known), "none", lags)
        else:
            yield from _one_trade(trade, one, other, tolerance)


def _one_trade(trade: str, one: Fill, other: Fill, tolerance: Tolerance) -> Iterator[Difference]:
    whose = [f"{fill.side} {fill.symbol} of order {fill.tag}" for fill in (one, other)]
    if whose[0] != whose[1]:
        yield _difference("trade identity", trade, *whose)
    if one.quantity != other.quantity:
        yield _difference("trade quantity", trade, f"{one.quantity}", f"{other.quantity}")
    if abs(one.price_paise - other.price_paise) > tolerance.trade_paise:
        yield _difference("trade price", trade, rupees(one.price_paise), rupees(other.price_paise))


def _positions(desk: Statement, theirs: Mapping[Key, int]) -> Iterator[Difference]:
    """As far as live orders of the contract and product do not explain it (as actors/oms/account.py does)."""
    ours, bought, sold = desk.positions or {}, Counter[Key](), Counter[Key]()
    for order in desk.orders or ():
        if order.state in LIVE and not order.lost:
            moving = bought if order.intent.side == "BUY" else sold
            moving[order.intent.symbol, order.intent.product] += order.intent.quantity - order.filled_quantity
    for key in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(key, 0), theirs.get(key, 0)
        if here == there:
            continue
        explained = -sold[key] <= there - here <= bought[key]
        why = f"live orders may have bought {bought[key]} and sold {sold[key]} of it" if explained else ""
        yield _difference("position", " ".join(key), f"{here:+d}", f"{there:+d}", why)


def _money(name: Kind, ours: int, theirs: int, tolerance: Tolerance) -> Iterator[Difference]:
    most: float = getattr(tolerance, f"{name}_paise")
    if name == "margin":
        most = max(most, tolerance.margin_share * abs(theirs))
    if abs(ours - theirs) > most:
        yield _difference(name, "account", rupees(ours), rupees(theirs))


def _difference(kind: Kind, subject: str, expected: str, found: str, explained: str = "") -> Difference:
    severity: Severity = "info" if explained else "warning" if kind in ESTIMATES else "alarm"
    return Difference(
        kind=kind, subject=subject, expected=expected, found=found, severity=severity, todo=TODO[kind],
        explained=explained,
    )  # fmt: skip


def _identity(order: Order) -> str:
    intent = order.intent
    return f"{intent.side} {intent.quantity} {intent.symbol} {intent.product}"


def _whole(order: Order) -> str:
    return f"{order.state} {_identity(order)}, {order.filled_quantity} filled"


def _trade(fill: Fill) -> str:
    return f"{fill.side} {fill.quantity} {fill.symbol} at {rupees(fill.price_paise)}"
