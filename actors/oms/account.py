"""What the broker says the account holds, beside the journal: somebody may sell by hand, and a broker squares off.

The journal is made of this desk's own trades of its session and nothing here changes it: a difference is told, and
`exit_all` exits no more than the account has, so that a position that is gone becomes no short.

Two requests are never one moment, so a difference counts as far as live orders of its contract and product do not
explain it, and is told once two comparisons EVERY_NS apart have found the same. What is found is kept as a difference:
what the journal counts afterwards is in both, so it stays right as positions change.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Literal

import msgspec

from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.journal import Journal
from core.errors import LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.market import parse_symbol
from core.orders.books import Book
from core.orders.positions import market_date
from core.orders.validity import over
from core.ports import Clock
from core.records import Alert

EVERY_NS = 10_000_000_000  # wall, between two comparisons: a broker's calls are limited
SLOW_NS = 500_000_000  # wall; an answer that takes longer is not waited for again so soon, exits are due
FRESH_NS = 2 * EVERY_NS  # wall; an older one holds no exit back
UNREAD = 2  # times in a row that the positions could not be read, after which that is told
Key = tuple[str, str]  # contract, product


class _Off(msgspec.Struct):
    """A contract's difference: by product, units at the broker beyond those here; wall ns since when, and the words."""

    units: dict[str, int]
    since_ns: int
    words: str


class Account:
    """`compare` raises LedgerDown, LedgerFenced and NotLoggedIn; any other failure of the broker's is told here."""

    def __init__(self, journal: Journal, follow: Follower, broker: BrokerLink, clock: Clock) -> None:
        self._journal, self._follow, self._broker, self._clock = journal, follow, broker, clock
        self._more: dict[Key, int] = {}  # units at the broker beyond those here, in the last comparison
        self.seen: Mapping[Key, int] | None = None  # the account's positions as they were last read
        self._read_ns = self._asked_ns = self._took_ns = 0  # wall
        self._unread = 0  # times in a row
        self._off: dict[str, _Off] = {}  # by contract
        self._told: dict[str, dict[str, int]] = {}  # contract → the difference that an alarm has told

    def compare(self, *, now: bool = False) -> None:
        """Ask for the account's positions, if the last time is EVERY_NS ago or it must be `now`, and tell what differs.

        Not in a turn that is old: the next one does it. Nor `now` if the last answer took long.
        """
        at_ns = self._clock.wall_ns()
        waits = not now or self._took_ns > SLOW_NS
        if self._broker.over or (waits and 0 <= at_ns - self._asked_ns < EVERY_NS):
            return
        self._asked_ns = at_ns
        try:
            theirs = self._broker.positions()
        except (LedgerDown, LedgerFenced, NotLoggedIn):
            raise
        except VikalpError as error:
            self._unread += 1
            if self._unread == UNREAD:
                self._say("alarm", "", f"the account's positions cannot be read, nothing compares them: {error}")
            return
        finally:
            self._took_ns = self._clock.wall_ns() - at_ns
        if self._unread >= UNREAD:
            self._say("info", "", "the account's positions can be read again")
        self._unread, self._read_ns, self.seen = 0, at_ns, theirs
        self._more = self._differences(theirs)
        self._judge(theirs, at_ns)

    def missing(self, book: Book) -> int:
        """Units of `book` that the account does not have, as far as that is known and fresh; 0 or more.

        Those too that a live order may explain: it may yet trade, and then nobody else may have sold the same.
        """
        if not 0 <= self._clock.wall_ns() - self._read_ns < FRESH_NS:
            return 0
        more = self._more.get((book.symbol, book.product), 0)
        return min(abs(book.quantity), max(0, -more if book.quantity > 0 else more))

    def _differences(self, theirs: Mapping[Key, int]) -> dict[Key, int]:
        ours = self._ours()
        more = {key: theirs.get(key, 0) - ours.get(key, 0) for key in theirs.keys() | ours.keys()}
        return {key: units for key, units in more.items() if units and not self._expired(key[0])}

    def _unexplained(self) -> dict[str, dict[str, int]]:
        """By contract and product, what live orders cannot have made of it."""
        bought, sold = self._moving()
        out: dict[str, dict[str, int]] = defaultdict(dict)
        for key, more in sorted(self._more.items()):
            units = max(0, more - bought[key]) if more > 0 else min(0, more + sold[key])
            if units:
                out[key[0]][key[1]] = units
        return out

    def _ours(self) -> dict[Key, int]:
        return {(one.symbol, one.product): one.quantity for one in self._journal.open_nets().values()}

    def _moving(self) -> tuple[Counter[Key], Counter[Key]]:
        """Units that live orders may have bought and sold by now, uncounted; of those nobody waits for, none."""
        bought, sold = Counter[Key](), Counter[Key]()
        for order in map(self._follow.told, self._journal.live()):
            intent = order.intent
            if not order.lost:
                side = bought if intent.side == "BUY" else sold
                side[intent.symbol, intent.product] += intent.quantity - order.filled_quantity
        return bought, sold

    def _judge(self, theirs: Mapping[Key, int], at_ns: int) -> None:
        """One that a live order may explain for now is neither over nor new."""
        apart = {symbol for symbol, _ in self._more}
        self._off = {symbol: off for symbol, off in self._off.items() if symbol in apart}
        for symbol, units in self._unexplained().items():
            known = self._off.get(symbol)
            if known is None or known.units != units:
                self._off[symbol] = known = _Off(units, at_ns, self._words(symbol, units, theirs))
            if at_ns - known.since_ns >= EVERY_NS and self._told.get(symbol) != units:
                self._told[symbol] = units
                self._say("alarm", symbol, known.words)
        for symbol in [symbol for symbol in self._told if symbol not in apart]:
            del self._told[symbol]
            if not self._expired(symbol):
                self._say("info", symbol, f"{symbol}: the account holds what this desk counts again")

    def _words(self, symbol: str, units: Mapping[str, int], theirs: Mapping[Key, int]) -> str:
        ours = self._ours()
        sides = "; ".join(
            f"{theirs.get((symbol, product), 0):+d} {product} at the broker, {ours.get((symbol, product), 0):+d} here"
            for product in units
        )
        return (
            f"{symbol}: {sides}. Trades by hand, a square-off by the broker, or a position of an earlier day: this "
            "desk counts its own trades of its session alone, and exit_all exits no more of them than the account has"
        )

    def _expired(self, symbol: str) -> bool:
        """It is being settled, here and there, and not in one moment."""
        now_ns = self._clock.now_ns()
        contract, today = parse_symbol(symbol, market_date(now_ns)), market_date(now_ns)
        if contract.expiry is None or contract.expiry > today:
            return False
        return contract.expiry < today or over(contract, now_ns) is not None

    def _say(self, severity: Literal["info", "alarm"], symbol: str, message: str) -> None:
        subject = f"positions {symbol}".rstrip()
        self._journal.alert(
            Alert(at_wall_ns=self._clock.wall_ns(), severity=severity, subject=subject, message=message)
        )
