"""What a day came to, beside what the broker says of it: counts, result by strategy, positions, differences."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from core.orders.books import ACCOUNT, Books, books_of, exit_mark, external, on_day
from core.orders.day_result import DayResult, Point, day_results, from_cost, sharpe
from core.orders.positions import market_date, signed
from core.orders.reconcile import Difference, Report, Statement, Tolerance, compare, lasting
from core.orders.windows import is_of
from core.records import Chain, Fill, Move, Order, Settled
from core.rupees import rupees

LISTED_NS = 10 * 60 * 1_000_000_000  # market; every broker lists an order within two minutes, at five times their speed
DRAWDOWN_SEEN = "of the snapshots, one every quarter of an hour, and the day's end"
Prices = Mapping[str, tuple[int, int, int, int]]  # by contract: bid, ask, last, previous close; paise, 0 unknown


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A session's facts as the ledger has them, those of other days too."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    settlements: tuple[Settled, ...] = ()
    moves: tuple[Move, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's position as the day ended; `mark_paise` 0 is unknown. `estimate`: the day's gross is one."""

    strategy: str
    symbol: str
    product: str
    quantity: int
    average_paise: float
    mark_paise: int
    day_gross_paise: int
    day_charges_paise: int
    estimate: bool


class EndOfDay(msgspec.Struct, frozen=True, kw_only=True):
    """The report. `results` by strategy, the account's under ""; `marks_from` and `broker` say what was read."""

    session: str
    date: dt.date
    orders: dict[str, int]  # by state
    fills: int
    units_bought: int
    units_sold: int
    cash_paise: int  # received − paid for the day's trades, before charges
    results: dict[str, DayResult]
    sharpe: float | None
    positions: tuple[Line, ...]
    external: dict[str, int]  # "contract product" → units at the broker that are nobody's here
    reconciliation: Report
    marks_from: str
    broker: str

    @property
    def account(self) -> DayResult:
        return self.results[ACCOUNT]


def statement(facts: Facts, on: dt.date, *, charges_paise: int | None = None) -> Statement:
    """The desk's side of the day: its orders and trades of `on`, what it holds at the end of it."""
    books = _books(facts, on)
    fills = _of_day(facts.fills, on)
    return Statement(
        orders=tuple(order for order in facts.orders if is_of(order.intent, on)),
        trades=fills,
        positions={key: book.quantity for key, book in books.nets.items() if book.quantity},
        charges_paise=charges_paise,
        cash_paise=cash_paise(fills),
    )


def broker_side(said: Statement, facts: Facts) -> Statement:
    """The broker's side without contracts that have settled here: a broker lists them until its own day is over."""
    if said.positions is None:
        return said
    settled = {row.symbol for row in facts.settlements}
    left = {key: units for key, units in said.positions.items() if key[0] not in settled}
    return msgspec.structs.replace(said, positions=left)


def end_of_day(
    session: str,
    on: dt.date,
    facts: Facts,
    broker: Sequence[Statement],
    *,
    prices: Prices,
    points: Mapping[str, Sequence[Point]] | None = None,
    earlier: Sequence[int] = (),
    as_of_ns: int,
    marks_from: str,
    broker_says: str,
    tolerance: Tolerance | None = None,
) -> EndOfDay:
    """`broker` is what it said, once or twice: of two only what both differ in is a mismatch; empty: it was not read.

    `points` are the day's results by strategy as snapshots measured them, `earlier` the net paise of earlier days. A
    live order must be in the broker's book once it is LISTED_NS older than `as_of_ns`, market time.
    """
    books = _books(facts, on)
    nets = {symbol: 0 for symbol, _ in books.nets}
    for (symbol, _), book in books.nets.items():
        nets[symbol] += book.quantity
    marks = {symbol: exit_mark(nets[symbol], *prices[symbol][:3]) for symbol in nets if symbol in prices}
    closes = {symbol: prices[symbol][3] for symbol in nets if symbol in prices}
    results = day_results(
        facts.orders, facts.fills, facts.settlements, moves=facts.moves, on=on, marks=marks, closes=closes,
        points=points,
    )  # fmt: skip
    ours, fills = statement(facts, on, charges_paise=results[ACCOUNT].charges_paise), _of_day(facts.fills, on)
    theirs = [broker_side(said, facts) for said in broker] or [Statement()]
    last = theirs[-1].positions
    return EndOfDay(
        session=session, date=on, orders=dict(sorted(Counter(order.state for order in ours.orders or ()).items())),
        fills=len(fills), units_bought=sum(fill.quantity for fill in fills if fill.side == "BUY"),
        units_sold=sum(fill.quantity for fill in fills if fill.side == "SELL"), cash_paise=cash_paise(fills),
        results=results, sharpe=sharpe([*earlier, *_counted(results[ACCOUNT])]),
        positions=tuple(_lines(books, marks, closes)),
        external={} if last is None else {" ".join(key): units for key, units in external(books, last).items()},
        reconciliation=_compared(ours, theirs, tolerance, as_of_ns), broker=broker_says,
        marks_from="; ".join([marks_from, *_gap(results)]),
    )  # fmt: skip


def cash_paise(fills: Iterable[Fill]) -> int:
    """Received − paid, before charges."""
    return sum(-signed(fill) * fill.price_paise for fill in fills)


def prices_of(chain: Chain) -> dict[str, tuple[int, int, int, int]]:
    """Bid, ask, last and previous close of each contract of a chain."""
    names = ("symbol", "bid_paise", "ask_paise", "last_paise", "prev_close_paise")
    columns = [chain.contracts.column(name).to_pylist() for name in names]
    return {symbol: tuple(row) for symbol, *row in zip(*columns, strict=True)}


def filled_up(chains: Prices, snapshots: Prices) -> dict[str, tuple[int, int, int, int]]:
    """Of each contract what the day's last chains say; of one that is not in them, and a close they lack, snapshots."""
    found = {**snapshots, **chains}
    return {
        symbol: (bid, ask, last, close or (snapshots[symbol][3] if symbol in snapshots else 0))
        for symbol, (bid, ask, last, close) in found.items()
    }


def as_json(report: EndOfDay) -> dict[str, Any]:
    """The report as JSON has it, with the sums that its readers would make."""
    told = msgspec.to_builtins(report)
    for name, result in report.results.items():
        told["results"][name] |= {"gross_paise": result.gross_paise, "net_paise": result.net_paise}
    bad = len(report.reconciliation.mismatches)
    return {**told, "mismatches": bad, "clean": not bad}


def markdown(report: EndOfDay) -> str:
    """The report for people."""
    recon = report.reconciliation
    orders = ", ".join(f"{count} {state}" for state, count in report.orders.items()) or "none"
    ratio = "not yet, it needs 20 days" if report.sharpe is None else f"{report.sharpe:.2f}"
    lines = [
        f"# End of day {report.date}, session {report.session}",
        "",
        f"- orders: {orders}",
        f"- trades: {report.fills}; {report.units_bought} units bought, {report.units_sold} sold",
        f"- cash of the trades: {rupees(report.cash_paise)} before charges",
        f"- marks: {report.marks_from}",
        f"- broker: {report.broker}",
        f"- drawdown: {DRAWDOWN_SEEN}",
        f"- Sharpe ratio of the daily results: {ratio}",
        "",
        "## Result",
        "",
        *_table(
            "strategy", "realised", "unrealised", "gross", "charges", "net", "trades", "won", "lost", "drawdown",
            rows=[_result(*row) for row in sorted(report.results.items(), key=lambda row: row[0] == ACCOUNT)],
        ),
        "",
        "## Positions",
        "",
        *_table("strategy", "contract", "product", "units", "average", "mark", "day gross", rows=[
            [one.strategy, one.symbol, one.product, f"{one.quantity:+d}", rupees(one.average_paise, most=4),
             rupees(one.mark_paise) if one.mark_paise else "unknown",
             f"{rupees(one.day_gross_paise)}{' (estimate)' if one.estimate else ''}"]
            for one in report.positions if one.quantity
        ]),
        *(f"- external: {units:+d} {key} at the broker, nobody's here" for key, units in report.external.items()),
        "",
        f"## Differences: {len(recon.mismatches)}",
        "",
        *_table("severity", "what", "of", "here", "at the broker", "to do", rows=[
            [one.severity, one.kind, one.subject, one.expected, one.found, one.explained or one.todo]
            for one in recon.differences
        ]),
        *(f"- not compared: {what}" for what in recon.unread),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def in_short(report: EndOfDay) -> str:
    """One sentence of the mismatches, for an alert."""
    found = report.reconciliation.mismatches
    first = "; ".join(f"{one.kind} of {one.subject}: {one.expected} here, {one.found} there" for one in found[:3])
    more = f"; {len(found) - 3} more" if len(found) > 3 else ""
    return f"end of day {report.date}: {len(found)} differences from the broker: {first}{more}"


def _compared(ours: Statement, theirs: Sequence[Statement], tolerance: Tolerance | None, as_of_ns: int) -> Report:
    old = {order.intent.tag for order in ours.orders or () if order.intent.created_ns <= as_of_ns - LISTED_NS}
    reports = [compare(ours, said, tolerance, must_list=old) for said in theirs]
    last = reports[-1]
    if len(reports) == 1:
        return last
    stay: set[Difference] = set(lasting(reports[0], last))
    kept = tuple(one for one in last.differences if one.explained or one in stay)
    return msgspec.structs.replace(last, differences=kept)


def _books(facts: Facts, on: dt.date) -> Books:
    known = {order.intent.tag for order in facts.orders}
    fills = [fill for fill in facts.fills if fill.tag in known and market_date(fill.at_ns) <= on]
    settled = [row for row in facts.settlements if market_date(row.at_ns) <= on]
    moves = [move for move in facts.moves if market_date(move.at_ns) <= on]
    return on_day(books_of(facts.orders, fills, settled, moves), on)


def _of_day(fills: Iterable[Fill], on: dt.date) -> tuple[Fill, ...]:
    return tuple(fill for fill in fills if market_date(fill.at_ns) == on)


def _lines(books: Books, marks: Mapping[str, int], closes: Mapping[str, int]) -> Iterable[Line]:
    for _, book in sorted(books.books.items()):
        mark, close = marks.get(book.symbol, 0), closes.get(book.symbol, 0)
        yield Line(
            strategy=book.strategy, symbol=book.symbol, product=book.product, quantity=book.quantity,
            average_paise=book.holding.average_paise, mark_paise=mark,
            day_gross_paise=book.day_gross_paise(mark, close), day_charges_paise=book.day_charges_paise,
            estimate=from_cost(book, closes),
        )  # fmt: skip


def _counted(account: DayResult) -> list[int]:
    return [] if account.no_close else [account.net_paise]


def _gap(results: Mapping[str, DayResult]) -> list[str]:
    symbols = sorted({symbol for result in results.values() for symbol in result.no_close})
    if not symbols:
        return []
    kept = ", and the account's is not kept as the day's result" if results[ACCOUNT].no_close else ""
    of = f"no previous close of {', '.join(symbols)} is known"
    return [f"{of}: results of what was carried in of it count from its cost, an estimate{kept}"]


def _result(name: str, one: DayResult) -> list[str]:
    money = (one.realised_paise, one.unrealised_paise, one.gross_paise, one.charges_paise, one.net_paise)
    counts = (one.trades, one.winners, one.losers)
    fall = "unknown" if one.max_drawdown_paise is None else rupees(one.max_drawdown_paise)
    title = f"{name or 'account'}{' (estimate)' if one.no_close else ''}"
    return [title, *map(rupees, money), *map(str, counts), fall]


def _table(*columns: str, rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["none"]
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
