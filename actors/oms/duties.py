"""What the order manager does by the clock: snapshots, whole comparisons, the day's end, what a breached limit asks."""

from typing import Literal

import msgspec

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.config import OmsConfig
from actors.oms.day_end import DayEnd
from actors.oms.follow import Follower
from actors.oms.journal import Journal
from actors.oms.killing import KillSwitch
from actors.oms.risk_link import RiskLink
from actors.oms.standing import Standing
from core.errors import LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.matching.depth import Board
from core.orders import reconcile, snapshot
from core.orders.books import on_day, recent
from core.orders.positions import market_date, signed
from core.orders.reconcile import Report, Statement
from core.orders.windows import is_of
from core.ports import Clock
from core.records import Alert, Funds

COMPARE_NS = 60_000_000_000  # wall; between two whole comparisons, of what was read anyway
FUNDS_NS = 10_000_000_000  # wall; between two questions for the account's funds; AGAIN_NS at most, a look has its own
UNREAD = 3  # of those times, after which that is told
BEHIND_NS = 1_000_000_000  # market; since the last look at its moments: a clock that runs faster than the timer
ASKED_NS = 5_000_000_000  # market; since risk was last asked for a breach, where the clock is faster than the timer
DAY_NS = 86_400_000_000_000  # market; no pull of today is older
RISK = "risk"  # who pulls the kill switch for a limit
AGAIN_NS = 10_000_000_000  # wall; the second look at what the first found different


class Duties:
    """Called on the timer while broker and ledger are followed; raises LedgerDown, LedgerFenced and NotLoggedIn."""

    def __init__(
        self,
        config: OmsConfig,
        journal: Journal,
        standing: Standing,
        *,
        follow: Follower,
        account: Account,
        broker: BrokerLink,
        risk: RiskLink,
        killing: KillSwitch,
        day_end: DayEnd,
        clock: Clock,
    ) -> None:
        self._config, self._journal, self._standing = config, journal, standing
        self._follow, self._account = follow, account
        self._broker, self._risk, self._killing, self._day_end, self._clock = broker, risk, killing, day_end, clock
        self._snapped_ns = self._seen_ns = self._risked_ns = 0  # market
        self._compared_ns = self._funds_ns = 0  # wall
        self._report = Report()
        self._unread = 0  # times in a row that the funds could not be read
        self._told: set[tuple[str, ...]] = set()  # differences, by their identity
        self._funds: tuple[Funds, Funds] | None = None  # as risk counts them, and as the broker said at that moment
        self._breaches: set[str] = set()  # of a day: pulled for once, and not again after a person released it

    def go_on(self, board: Board) -> None:
        self._risked_ns = self._clock.now_ns()  # the timer has asked
        self._moments(board)
        self._ask_funds()
        every = AGAIN_NS if self._report.mismatches else COMPARE_NS
        if not (self._broker.over or 0 <= self._clock.wall_ns() - self._compared_ns < every):
            self._compared_ns = self._clock.wall_ns()
            self._compare()

    def catch_up(self, board: Board) -> None:
        """With ticks: what goes by the market's clock, where that runs ahead of the timer, as a replay's does.

        Live the timer has always been there before.
        """
        now_ns = self._clock.now_ns()
        if 0 <= now_ns - self._seen_ns < BEHIND_NS:
            return
        if not 0 <= now_ns - self._risked_ns < ASKED_NS:
            self._risked_ns = now_ns
            self._risk.renew()
        self._moments(board)
        if self._killing.pulled is not None:
            self._killing.go_on(board)

    def _moments(self, board: Board) -> None:
        self._seen_ns = self._clock.now_ns()
        self._breach()
        if not self._standing.said_no:
            self._day_end.go_on()
        self._snap(board)

    def _breach(self) -> None:
        """A limit that was passed pulls the kill switch, once a day and limit."""
        words = self._risk.breach
        limit = words.partition(":")[0]
        name = f"{market_date(self._clock.now_ns())} {limit}"
        if words and name not in self._breaches:
            self._breaches.add(name)
            if not self._pulled_for(limit):
                self._killing.pull(words, RISK, square_off=self._config.kill.breach_square_off)

    def _pulled_for(self, limit: str) -> bool:
        """Whether the ledger has it that an order manager before this one pulled for it today."""
        now_ns = self._clock.now_ns()
        try:
            said = self._journal.kills(now_ns - DAY_NS)
        except LedgerDown:
            return False  # rather twice than not at all
        of_risk = (one for one in said if one.pulled and one.who == RISK and one.why.partition(":")[0] == limit)
        return any(market_date(one.at_ns) == market_date(now_ns) for one in of_risk)

    def _snap(self, board: Board) -> None:
        now_ns = self._clock.now_ns()
        if not snapshot.due(self._snapped_ns, now_ns):
            return
        first, self._snapped_ns = not self._snapped_ns, now_ns
        if first:
            return  # of the next quarter of an hour
        books = on_day(self._journal.books, market_date(now_ns))
        nets = self._journal.held()
        prices = {book.symbol: _prices(board, book.symbol, nets[book.symbol], now_ns) for book in recent(books)}
        taken = snapshot.snapshot(
            now_ns,
            books,
            self._journal.live(),
            marks={symbol: mark for symbol, (mark, _) in prices.items()},
            closes={symbol: close for symbol, (_, close) in prices.items()},
            state=self._standing.state,
            why=self._standing.said,
            killed=bool(self._standing.killed),
            limits=self._risk.limits(),
        )
        self._journal.snapshot(taken)

    def _compare(self) -> None:
        """Orders, trades, positions and cash; what two looks find alike is a risk event and an alert."""
        theirs = self._theirs()
        if theirs is None:
            return
        earlier, self._report = self._report, reconcile.compare(self._ours(), theirs)
        for gone in reconcile.over(self._told, self._report):
            self._told.discard(gone)
            self._say("info", f"{' '.join(gone)}: this desk and the broker agree again")
        for one in reconcile.lasting(earlier, self._report):
            if one.identity not in self._told:
                self._told.add(one.identity)
                words = f"{one.kind} {one.subject}: {one.expected} here, {one.found} at the broker; {one.todo}"
                self._journal.event("difference", one.subject, words, one.severity)
                self._say("warning" if one.severity == "info" else one.severity, words)

    def _ask_funds(self) -> None:
        """Every FUNDS_NS, and once risk can be told."""
        at_ns = self._clock.wall_ns()
        if 0 <= at_ns - self._funds_ns < FUNDS_NS:
            return
        self._funds = None
        if not self._risk.agreed or self._broker.over:
            return
        self._funds_ns = at_ns
        try:
            asked_ns = self._clock.now_ns()  # whose clock a broker's own figure has, market or machine, differs
            theirs = msgspec.structs.replace(self._broker.margins(), at_ns=asked_ns)
            ours = self._risk.funds(theirs)
        except (LedgerDown, LedgerFenced, NotLoggedIn):
            raise
        except VikalpError as error:
            self._unread += 1
            if self._unread == UNREAD:
                self._say("warning", f"the account's funds cannot be read, risk goes by its own figure: {error}")
        else:
            self._unread = 0
            if ours is not None and theirs.margin_paise is not None:
                self._funds = ours, theirs

    def _ours(self) -> Statement:
        today = market_date(self._clock.now_ns())
        recent = {one.intent.tag: one for one in (*self._journal.of_day(today), *self._journal.live())}
        trades, nets = tuple(self._journal.trades_of(today)), self._journal.open_nets().values()
        ours = self._funds[0] if self._funds else None
        return Statement(
            orders=tuple(one for one in recent.values() if one.state != "REFUSED" and is_of(one.intent, today)),
            trades=trades,
            positions={(one.symbol, one.product): one.quantity for one in nets},
            margin_paise=ours.margin_paise if ours else None,
            funds_paise=ours.available_paise if ours else None,
            cash_paise=-sum(signed(one) * one.price_paise for one in trades),
        )

    def _theirs(self) -> Statement | None:
        """What the last look at the broker read; None before the first."""
        if self._follow.seen is None:
            return None
        orders, trades = self._follow.seen
        known = self._journal.orders
        mine = tuple(one for one in trades if one.tag in known)
        funds = self._funds[1] if self._funds else None
        return Statement(
            orders=tuple(one for one in orders if one.intent.tag in known),
            trades=mine,
            positions=self._account.seen,
            margin_paise=funds.margin_paise if funds else None,
            funds_paise=funds.available_paise if funds else None,
            cash_paise=-sum(signed(one) * one.price_paise for one in mine),
        )

    def _say(self, severity: Literal["info", "warning", "alarm"], words: str) -> None:
        at_ns = self._clock.wall_ns()
        self._journal.alert(Alert(at_wall_ns=at_ns, severity=severity, subject="reconciliation", message=words))


def _prices(board: Board, symbol: str, quantity: int, now_ns: int) -> tuple[int, int]:
    """Mark and previous close of what is held, paise, 0 unknown; a quote of an earlier day is that day's close."""
    depth = board.depth(symbol)
    if depth is None:
        return 0, 0
    if market_date(depth.at_ns) < market_date(now_ns):
        return (closed := board.mark(symbol)), closed
    return board.mark(symbol, quantity), depth.prev_close_paise
