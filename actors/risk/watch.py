"""What risk says without being asked: a limit nearly used up, the day's loss limit reached, the day's result."""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from actors.risk.config import RiskConfig
from actors.risk.day import Day
from core.market import parse_symbol
from core.ports import Clock, Ledger
from core.records import Alert, Intent, LimitUse, RiskEvent, Verdict
from core.risk.book import RiskBook, alive, day_charges_paise, day_net_paise
from core.risk.limits.expiry_day import expires_today
from core.risk.limits.limits import REACHED, LimitsConfig
from core.risk.parts import day_realised_paise, of_index, own, strategies
from core.risk.sound import seen
from core.risk.verdict import in_words as refusals_in_words
from core.risk.warnings import Warned, in_words, warnings
from core.rupees import rupees

Severity = Literal["info", "warning", "alarm"]
LOOK_NS = 1_000_000_000  # market time between two looks at every limit


class Watch:
    """Events go to the ledger, alerts are kept whether a ledger took the event or not."""

    def __init__(self, config: RiskConfig, clock: Clock, ledger: Ledger) -> None:
        self._config, self._clock, self._ledger = config, clock, ledger
        self.day = Day(ledger, every_s=config.pnl_every_s)
        self._warned = Warned()
        self._told: dt.date | None = None  # the day whose loss limit was last reported as reached
        self._alerts: dict[tuple[dt.date | None, str], Alert] = {}
        self._written_ns = self._looked_ns = 0  # market time the day's result was last written, or tried

    def load(self) -> None:
        """Take up what was said and seen before this process. Raises LedgerDown."""
        kept = self.day.load()
        if kept.date:
            date = dt.date.fromisoformat(kept.date)
            self._warned, self._told = Warned(date, frozenset(kept.warned)), date if kept.lost else None

    def alerts(self) -> tuple[Alert, ...]:
        """The newest of each limit and day."""
        return tuple(self._alerts.values())

    def breach(self, book: RiskBook, limits: LimitsConfig) -> str:
        """The first of `kill_on` that the whole desk has passed, and in words how; empty while there is none.

        And until a chain has come for all that is held: at its cost a book has neither lost nor given back anything.
        """
        now = uses(limits, book) if seen(book) else ()
        found = [use for use in now if use.limit in self._config.kill_on and _passed(use)]
        return f"{found[0].limit}: {in_words(found[0])}" if found else ""

    def refused(self, intent: Intent, answer: Verdict, replaces: str = "") -> None:
        """An order that was refused, now, or other terms for `replaces`: whose, by which limits. Raises LedgerDown."""
        self._record(
            "refusal", replaces or intent.tag, f"{intent.strategy} {intent.symbol}: {refusals_in_words(answer)}",
            severity="info", by=", ".join(one.limit for one in answer.refusals),
            action="the order was not modified" if replaces else "the order was not sent",
        )  # fmt: skip

    def _record(
        self, kind: str, subject: str, message: str, *, severity: Severity, action: str, by: str = "risk"
    ) -> None:
        event = RiskEvent(
            at_ns=self._clock.now_ns(), kind=kind, subject=subject, message=message, severity=severity,
            triggered_by=by, action_taken=action,
        )  # fmt: skip
        self._ledger.record_risk_event(event)

    def again(self) -> None:
        """The day's result has changed by what was not told: write it at the next look."""
        self._written_ns = 0

    def look(self, book: RiskBook, limits: LimitsConfig) -> None:
        """Say what is to be said of the book as it is now. Raises LedgerDown; the alerts are there all the same."""
        if not seen(book):
            return
        if book.now_ns >= self._written_ns + self._config.pnl_every_s * 1_000_000_000 and book.holdings:
            self._written_ns = book.now_ns
            net, cost = day_net_paise(book), day_charges_paise(book)
            realised = day_realised_paise(book)
            parts = {"realised_paise": realised, "unrealised_paise": net + cost - realised}
            self._ledger.record_daily_pnl(f"{book.day}", net + cost, cost, parts)
        self._loss(book, limits)
        if book.now_ns >= self._looked_ns + LOOK_NS and (book.holdings or book.placed):
            self._looked_ns = book.now_ns
            self._warn(book, limits)
            self.day.keep(book, limits, self._warned.limits, lost=self._told == book.day)

    def _loss(self, book: RiskBook, limits: LimitsConfig) -> None:
        loss, limit = -day_net_paise(book), limits.daily_loss.max_loss_paise
        if loss < limit or self._told == book.day:
            return
        said = f"the day's loss is {rupees(loss)} of {rupees(limit)}"
        self._alert(book.day, "alarm", "daily_loss", said)
        stops = "the kill switch is pulled" if "daily_loss" in self._config.kill_on else "only exits pass"
        self._record("limit", "daily_loss", said, severity="alarm", by="daily_loss", action=stops)
        self._told = book.day

    def _warn(self, book: RiskBook, limits: LimitsConfig) -> None:
        new, warned = warnings(uses(limits, book), self._warned, book.day)
        for use in new:
            self._alert(book.day, "warning", use.limit, in_words(use))
        for use in new:
            self._record("warning", use.limit, in_words(use), severity="warning", by=use.limit, action="told")
        self._warned = warned  # what the ledger did not take is said at the next look

    def _alert(self, day: dt.date | None, severity: Severity, subject: str, said: str) -> None:
        alert = Alert(at_wall_ns=self._clock.wall_ns(), severity=severity, subject=subject, message=said)
        known = self._alerts.get((day, subject))
        if known is not None and severity == known.severity == "warning":
            return  # re-armed and told again: the event says when, the alert stands
        if known is not None and known.severity == "alarm":
            return
        self._alerts[day, subject] = alert


def uses(limits: LimitsConfig, book: RiskBook) -> Sequence[LimitUse]:
    """Use of every limit, in the order refusals are listed; then of each strategy's own, if there is more than one.

    Between the two what is less on an index's expiry day, where something of it is held or working.
    """
    found = [limit.use(book) for limit in limits.all()]
    for index in sorted(book.values):
        if expires_today(book, index) and index in _traded(book):
            part = of_index(book, index)
            less = (limits.expiry_day.of(limit) for limit in limits.all())
            found += [_named(one.use(part), f"{index}, expiry day") for one in less if one is not None]
    names = strategies(book)
    if len(names) < 2 and not any(name in limits.strategies for name in names):
        return found
    for name in names:
        alone = own(book, name)
        found += [_named(limit.use(alone), name) for limit in limits.of(name).portfolio()]
    return found


def _passed(use: LimitUse) -> bool:
    return use.used > use.allowed or (use.limit in REACHED and use.used == use.allowed)


def _traded(book: RiskBook) -> set[str]:
    working = {order.intent.index for order in book.placed.values() if order.left}
    return working | {parse_symbol(symbol).index for symbol, _ in alive(book)}


def _named(use: LimitUse, whose: str) -> LimitUse:
    return msgspec.structs.replace(use, limit=f"{use.limit} of {whose}")
