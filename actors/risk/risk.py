"""Answers whether an order may be sent, and keeps the book the limits look at.

in       marks · check, book, rests, release, settle, lease, limits, set_limits, funds, margin (awaited calls)
out      risk events in the ledger; warnings and the day's loss limit as alerts
state    orders let through, holdings, stops in a row, limits, the day's best results and what was warned of (all in the
         ledger); marks (soft: of the chains)
restart  replays the ledger's orders, fills and settlements; entries are refused as stale until the first chain
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from actors.risk.config import RiskConfig
from actors.risk.lease import why_no_lease
from actors.risk.limit_versions import LimitVersions
from actors.risk.rows import marks_of
from actors.risk.watch import Watch, uses
from core.ports import Bus, Clock, Ledger
from core.pricing import warm
from core.records import Alert, Chain, Fill, Funds, Intent, LimitUse, Margin, Verdict
from core.risk.book import RiskBook, at, with_end, with_fill, with_limit, with_marks, with_values
from core.risk.case import Memory, prime
from core.risk.desk_verdict import desk_verdict
from core.risk.free import counted, without
from core.risk.funds import Account
from core.risk.hedge import as_judged, is_rest, let_through
from core.risk.margin import margin_of
from core.risk.parts import with_highs
from core.risk.replay import replay
from core.risk.resting import agrees, dearer
from core.risk.values import values_of

__all__ = ["RiskActor", "RiskConfig"]


class RiskActor:
    """Holds each entry against every limit; what it lets through it counts as working until told of fill or end."""

    def __init__(self, config: RiskConfig, *, bus: Bus, clock: Clock, ledger: Ledger) -> None:
        self._config, self._bus, self._clock, self._ledger = config, bus, clock, ledger
        self._limits, self._watch = LimitVersions(config.limits, ledger), Watch(config, clock, ledger)
        account = Account(cash_paise=config.funds.cash_paise, collateral_paise=config.funds.collateral_paise)
        self._book = RiskBook(account=account, memory=Memory(config.margin))
        self._chains: Mapping[str, Chain] = {}
        self._progress_ns = 0

    def open(self) -> None:
        """Raises LedgerDown, to be tried again. A kernel that compiled later would hold every order up."""
        warm()
        self._limits.load()
        self._watch.load()
        self._reload()

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        """Every limit that refuses `intent`; empty lets it through. Raises LedgerDown: a refusal is written down.

        Other terms are judged in the place of the order that rests, which counts as it does until `rests`; they are one
        more in the rate of orders.
        """
        self._progress_ns = self._clock.wall_ns()
        book = at(self._book, self._clock.now_ns())
        judged, rest = as_judged(intent, book, replaces), is_rest(intent, book, replaces)
        answer = desk_verdict(self._limits.config, judged, without(book, replaces) if rest else book)
        if answer.refusals:
            self._watch.refused(intent, answer, replaces)
        self._book = book if answer.refusals else let_through(book, intent, judged, replaces)
        return answer if judged is intent else msgspec.structs.replace(answer, purpose="entry")

    def book(self, fill: Fill) -> None:
        """Count a trade, once. One of an order this process has not seen is in the ledger, which is read again."""
        self._progress_ns = self._clock.wall_ns()
        if fill.tag not in self._book.placed:
            self._reload()
        self._book = with_fill(self._book, fill)

    def release(self, tag: str) -> None:
        """The order is over: what of it has not filled is no longer working."""
        self._book = with_end(self._book, tag)

    def rests(self, tag: str, limit_paise: int) -> None:
        """The order counts at another limit now; at 0 at its intent's."""
        self._book = with_limit(self._book, tag, limit_paise)

    def settle(self, live: Mapping[str, int], trades: Collection[str]) -> None:
        """What the order manager's journal holds; if it is not this, the ledger decides. Raises LedgerDown."""
        if not agrees(self._book, live, trades):
            self._reload()
            if self._chains:  # a contract that settled after the last of them is part of its day's result
                self._watch.again()
                self._watch.look(self._book, self._limits.config)
        self._book = dearer(self._book, live)

    def lease(self) -> int:
        """Milliseconds from now for which entries may be sent; 0 while it cannot judge them, or nobody may enter."""
        return 0 if self.unsound() else self._config.lease_ms

    def breach(self) -> str:
        """The limit whose breach pulls the kill switch, "name: how"; empty while there is none."""
        return self._watch.breach(at(self._book, self._clock.now_ns()), self._limits.config)

    def unsound(self) -> str:
        """Why no entry may be sent on its word, in words; empty if one may."""
        book, max_age_ms = at(self._book, self._clock.now_ns()), self._limits.config.stale_quote.max_age_ms
        return why_no_lease(book, max_age_ms, self._ledger)

    def limits(self) -> Sequence[LimitUse]:
        """Use of every limit now, in the order refusals are listed; then of each strategy's own, where they differ."""
        return uses(self._limits.config, at(self._book, self._clock.now_ns()))

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> int:
        """Change limits while running, all or none, by dotted path; the version in force. InputError, LedgerDown."""
        return self._limits.set(changes, who, why)

    def funds(self, found: Funds) -> Funds | None:
        """What the broker says of the account, whose figure counts where it is less; and what is counted here."""
        account = msgspec.structs.replace(self._book.account, broker=found)
        self._book = msgspec.structs.replace(self._book, account=account)
        return counted(self._book)

    def margin(self, intent: Intent) -> Margin:
        """What `intent` would block on top of what is held; StaleDataError while what it needs cannot be valued."""
        held = {symbol: holding.quantity for symbol, holding in self._book.holdings.items()}
        now_ns, chain = self._clock.now_ns(), self._chains.get(intent.index)
        return margin_of(intent, chain, held=held, now_ns=now_ns, rules=self._config.margin)

    def on_marks(self, chain: Chain) -> None:
        """Mark the book with the chain's quotes, each with its age, and value what is held anew."""
        if not chain.expiries.num_rows:
            return
        index, as_of_ns = (chain.expiries[name][0].as_py() for name in ("index", "as_of_ns"))
        self._clock.advance(as_of_ns)
        book = with_marks(at(self._book, self._clock.now_ns()), marks_of(chain, self._chains.get(index)))
        book = with_values(book, values_of(chain, self._book.values.get(index)))
        book = with_highs(book, self._watch.day.highs(book.day))
        prime(book, index)
        self._book, self._chains = book, {**self._chains, index: chain}
        self._progress_ns = self._clock.wall_ns()
        self._watch.look(book, self._limits.config)  # last: without the ledger the marks are still new

    def check_health(self) -> int:
        """Wall ns of the last chain, check or trade; 0 before the first."""
        return self._progress_ns

    def alerts(self) -> tuple[Alert, ...]:
        """Limits that were reached or nearly used up, the newest of each and day."""
        return self._watch.alerts()

    def _reload(self) -> None:
        old, ledger = self._book, self._ledger
        book = replay(ledger.orders(), ledger.fills(), ledger.settlements(), ledger.moves())
        book = with_marks(at(book, old.now_ns), old.marks)
        book = msgspec.structs.replace(book, values=old.values, account=old.account, memory=old.memory)
        self._book = self._watch.day.carry(book, old)
