"""Whether the ledger and the exchange's book are one: a pure function, so that a test can show that it fails."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.market import whole_paise
from tests.chaos.books import LIVE, Exchange, Ledger, OurOrder, OurPosition, TheirOrder

SAME = {"COMPLETE": "COMPLETE", "CANCELLED": "CANCELLED", "REJECTED": "REJECTED"}
SILENT = frozenset({"REJECTED", "REFUSED"})  # of which the exchange need not have heard


@dataclass
class Report:
    """What is wrong, in words, by what it is wrong with: a tag, a contract, a trade, the account."""

    lost: dict[str, str] = field(default_factory=dict)  # journalled or answered for, and its end is not known
    doubled: dict[str, str] = field(default_factory=dict)  # sent more than once, or filled beyond what was asked
    mismatched: dict[str, str] = field(default_factory=dict)  # the two books say different things

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.mismatched)

    def lines(self) -> list[str]:
        named = (("lost", self.lost), ("doubled", self.doubled), ("mismatched", self.mismatched))
        return [f"{kind}: {what}: {why}" for kind, found in named for what, why in sorted(found.items())]


def audit(ledger: Ledger, exchange: Exchange, *, answered: Mapping[str, str] | None = None) -> Report:
    """Compare the ledger with the exchange's book after every order has ended.

    answered: tag → state of the orders that a trader was told of; each must be in the ledger.
    """
    report = Report()
    ours = {order.tag: order for order in ledger.orders}
    theirs: defaultdict[str, list[TheirOrder]] = defaultdict(list)
    for order in exchange.orders:
        theirs[order.tag].append(order)
    for tag, state in (answered or {}).items():
        if tag not in ours:
            report.lost[tag] = f"a trader was told that it is {state}, and the ledger has no such order"
    for tag, order in ours.items():
        _order(report, order, theirs.get(tag, []), exchange.posts.get(tag, 0))
    for tag in theirs.keys() - ours.keys():
        report.mismatched[tag or "an order without a tag"] = "is at the exchange and in no ledger"
    _trades(report, ledger, exchange)
    _positions(report, ledger, exchange)
    _cash(report, ledger, exchange)
    return report


def _order(report: Report, ours: OurOrder, theirs: list[TheirOrder], posts: int) -> None:
    tag = ours.tag
    if ours.state in LIVE:
        there = ", ".join(order.status for order in theirs) or "unknown"
        report.lost[tag] = f"{ours.state} in the ledger, {there} at the exchange"
    filled = max(ours.filled, sum(order.filled for order in theirs))
    if len(theirs) > 1 or posts > 1:
        report.doubled[tag] = f"{len(theirs)} orders at the exchange, asked for {posts} times"
    elif filled > ours.quantity:
        report.doubled[tag] = f"{filled} filled of {ours.quantity}"
    if ours.state not in LIVE:
        wrong = _differences(ours, theirs[0]) if theirs else _absent(ours, posts)
        if wrong:
            report.mismatched[tag] = "; ".join(wrong)


def _absent(ours: OurOrder, posts: int) -> list[str]:
    if ours.state == "REFUSED" and posts:
        return ["REFUSED in the ledger and sent all the same"]
    if ours.state not in SILENT or ours.filled or ours.broker_id:
        return [f"{ours.state} in the ledger with {ours.filled} filled as {ours.broker_id!r}, not at the exchange"]
    return []


def _differences(ours: OurOrder, theirs: TheirOrder) -> list[str]:
    pairs: Iterable[tuple[str, object, object]] = (
        ("state", ours.state, SAME.get(theirs.status, theirs.status)),
        ("order id", ours.broker_id, theirs.order_id),
        ("contract", ours.symbol, theirs.symbol),
        ("side", ours.side, theirs.side),
        ("product", ours.product, theirs.product),
        ("quantity", ours.quantity, theirs.quantity),
        ("filled", ours.filled, theirs.filled),
        ("value of the fills", round(ours.average_paise * ours.filled), theirs.filled_paise),
    )
    return [f"{name}: ledger {one}, exchange {other}" for name, one, other in pairs if one != other]


def _trades(report: Report, ledger: Ledger, exchange: Exchange) -> None:
    orders = {order.order_id: (order.tag, order.symbol, order.side) for order in exchange.orders}
    nobody = ("of no order", "", "")
    theirs = {one.whole_id: (*orders.get(one.order_id, nobody), one.quantity, one.paise) for one in exchange.trades}
    ours = {fill.trade_id: (fill.tag, fill.symbol, fill.side, fill.quantity, fill.paise) for fill in ledger.fills}
    for trade_id in theirs.keys() | ours.keys():
        one, other = ours.get(trade_id), theirs.get(trade_id)
        if one != other:
            report.mismatched[f"trade {trade_id}"] = f"ledger {one}, exchange {other}"


def _positions(report: Report, ledger: Ledger, exchange: Exchange) -> None:
    """Units and cash by contract and product; then each row's own, with charges, by the orders that made it."""
    ours: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    theirs: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in ledger.positions:
        _add(ours[row.symbol, row.product], row.quantity, row.cash_paise)
    for position in exchange.positions:
        _add(theirs[position.symbol, position.product], position.quantity, position.cash_paise)
    for key in theirs.keys() | ours.keys():
        if ours[key] != theirs[key]:
            said = f"units and cash: ledger {ours[key]}, exchange {theirs[key]}"
            report.mismatched[f"position {' '.join(key)}"] = said
    whose = {order.tag: order.strategy for order in ledger.orders}
    for row in ledger.positions:
        one, other = (row.quantity, row.cash_paise, row.charges_paise), _made(row, exchange.orders, whose)
        if one != other:
            said = f"units, cash, charges: ledger {one}, the exchange's orders of it {other}"
            report.mismatched[f"position {row.symbol} {row.product} of {row.strategy or 'all'}"] = said


def _made(row: OurPosition, orders: Iterable[TheirOrder], whose: Mapping[str, str]) -> tuple[int, int, int]:
    """Units, cash and charges of what the exchange says of the orders that belong to a position of the ledger."""
    own = [
        order
        for order in orders
        if (order.symbol, order.product) == (row.symbol, row.product) and row.strategy in {"", whose.get(order.tag)}
    ]
    sign = {"BUY": 1, "SELL": -1}
    units = sum(sign[order.side] * order.filled for order in own)
    cash = -sum(sign[order.side] * order.filled_paise for order in own)
    return units, cash, whole_paise(sum((order.charges for order in own), Decimal(0)))


def _add(sums: list[int], units: int, cash_paise: int) -> None:
    sums[0] += units
    sums[1] += cash_paise


def _cash(report: Report, ledger: Ledger, exchange: Exchange) -> None:
    """What the account has spent, the positions' cash and the sum of the fills are one number, to the paisa."""
    spent = sum((1 if fill.side == "BUY" else -1) * fill.quantity * fill.paise for fill in ledger.fills)
    booked = -sum(row.cash_paise for row in ledger.positions)
    if not spent == booked == exchange.spent_paise:
        said = f"spent by fills {spent}, by positions {booked}, by the exchange {exchange.spent_paise} paise"
        report.mismatched["cash"] = said
