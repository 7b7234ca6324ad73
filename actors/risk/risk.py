"""Answers whether an order may be sent, and keeps the book the limits look at.

in       marks · check, book, release, settle, limits, margin (awaited calls)
out      risk events in the ledger; the day's loss limit as an alert
state    orders let through, holdings, stops in a row (replayed from the ledger); marks (soft: the chains refill them)
restart  replays the ledger's orders, fills and settlements; entries are refused as stale until the first chain
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field

from core.orders.positions import mark
from core.ports import Bus, Clock, Ledger
from core.pricing import warm
from core.records import Alert, Chain, Fill, Intent, LimitUse, Margin, RiskEvent, Verdict
from core.risk.book import (
    Mark,
    RiskBook,
    agrees,
    at,
    day_charges_paise,
    day_net_paise,
    replay,
    with_end,
    with_fill,
    with_intent,
    with_marks,
)
from core.risk.limits.limits import LimitsConfig
from core.risk.margin import margin_of
from core.risk.margin_terms import MarginRules
from core.risk.verdict import in_words, verdict

_MARKED = ("bid_paise", "ask_paise", "last_paise", "exchange_ns", "prev_close_paise")


class RiskConfig(BaseModel, frozen=True, extra="forbid"):
    """The risk supervisor's settings."""

    limits: LimitsConfig = Field(default=LimitsConfig(), description="the pre-trade limits")
    margin: MarginRules = Field(default=MarginRules(), description="what a margin adds to the exchange's tables")
    pnl_every_s: int = Field(default=60, gt=0, description="market seconds between two writings of the day's result")


class RiskActor:
    """Holds each entry against every limit; what it lets through it counts as working until told of fill or end."""

    def __init__(self, config: RiskConfig, *, bus: Bus, clock: Clock, ledger: Ledger) -> None:
        self._config, self._bus, self._clock, self._ledger = config, bus, clock, ledger
        self._limits = config.limits.all()
        self._book = RiskBook()
        self._chains: Mapping[str, Chain] = {}
        self._told: dt.date | None = None  # the day whose loss limit was last reported as reached
        self._alerts: dict[dt.date | None, Alert] = {}  # of each such day, whether a ledger took the report or not
        self._written_ns = 0  # market time the day's result was last written, or tried
        self._progress_ns = 0

    def open(self) -> None:
        """Raises LedgerDown, to be tried again. A kernel that compiled later would hold every order up."""
        warm()
        self._reload()

    def check(self, intent: Intent) -> Verdict:
        """Every limit that refuses `intent`; empty lets it through. Raises LedgerDown: a refusal is written down."""
        self._progress_ns = self._clock.wall_ns()
        book = at(self._book, self._clock.now_ns())
        answer = verdict(self._limits, intent, book)
        if answer.refusals:
            self._record("refusal", intent.tag, f"{intent.strategy} {intent.symbol}: {in_words(answer)}")
            self._book = book
        else:
            self._book = with_intent(book, intent)
        return answer

    def book(self, fill: Fill) -> None:
        """Count a trade, once. One of an order this process has not seen is in the ledger, which is read again."""
        self._progress_ns = self._clock.wall_ns()
        if fill.tag not in self._book.placed:
            self._reload()
        self._book = with_fill(self._book, fill)

    def release(self, tag: str) -> None:
        """The order is over: what of it has not filled is no longer working."""
        self._book = with_end(self._book, tag)

    def settle(self, live: Collection[str], trades: Collection[str]) -> None:
        """What the order manager's journal holds; if it is not this, the ledger decides. Raises LedgerDown."""
        if not agrees(self._book, live, trades):
            self._reload()
            if self._chains:  # a contract that settled after the last of them is part of its day's result
                self._written_ns = 0
                self._report(self._book)

    def limits(self) -> Sequence[LimitUse]:
        """Use of every limit now, in the order refusals are listed."""
        book = at(self._book, self._clock.now_ns())
        return [limit.use(book) for limit in self._limits]

    def margin(self, intent: Intent) -> Margin:
        """What `intent` would block on top of what is held; StaleDataError while what it needs cannot be valued."""
        held = {symbol: holding.quantity for symbol, holding in self._book.holdings.items()}
        chain, rules = self._chains.get(intent.index), self._config.margin
        return margin_of(intent, chain, held=held, now_ns=self._clock.now_ns(), rules=rules)

    def on_marks(self, chain: Chain) -> None:
        """Mark the book: mids of two-sided quotes, else last trades, with the age of each."""
        if not chain.expiries.num_rows:
            return
        expiry = chain.expiries.slice(0, 1).to_pylist()[0]
        self._clock.advance(expiry["as_of_ns"])
        before = self._chains.get(expiry["index"])
        marks = _marks(chain.contracts, before.contracts if before is not None else None)
        book = with_marks(at(self._book, self._clock.now_ns()), marks)
        self._book, self._chains = book, {**self._chains, expiry["index"]: chain}
        self._progress_ns = self._clock.wall_ns()
        self._report(book)  # last: without the ledger the marks are still new

    def check_health(self) -> int:
        """Wall ns of the last chain, check or trade; 0 before the first."""
        return self._progress_ns

    def alerts(self) -> tuple[Alert, ...]:
        """One for each day that reached its loss limit."""
        return tuple(self._alerts.values())

    def _reload(self) -> None:
        book = replay(self._ledger.orders(), self._ledger.fills(), self._ledger.settlements())
        self._book = with_marks(at(book, self._book.now_ns), self._book.marks)

    def _report(self, book: RiskBook) -> None:
        if book.now_ns >= self._written_ns + self._config.pnl_every_s * 1_000_000_000 and book.holdings:
            self._written_ns = book.now_ns
            net, cost = day_net_paise(book), day_charges_paise(book)
            self._ledger.record_daily_pnl(f"{book.day}", net + cost, cost)
        loss, limit = -day_net_paise(book), self._config.limits.daily_loss.max_loss_paise
        if loss >= limit and self._told != book.day:
            said = f"the day's loss is ₹{loss / 100:,.2f} of ₹{limit / 100:,.2f}"
            alert = Alert(at_wall_ns=self._clock.wall_ns(), severity="alarm", subject="daily_loss", message=said)
            self._alerts.setdefault(book.day, alert)
            self._record("limit", "daily_loss", said)
            self._told = book.day

    def _record(self, kind: str, subject: str, message: str) -> None:
        now_ns = self._clock.now_ns()
        self._ledger.record_risk_event(RiskEvent(at_ns=now_ns, kind=kind, subject=subject, message=message))


def _marks(contracts: pa.RecordBatch, before: pa.RecordBatch | None) -> dict[str, Mark]:
    """Of the rows of CONTRACTS that are not as they were in the chain `before`: most quotes stand still for a while."""
    if before is not None and contracts["symbol"].equals(before["symbol"]):
        same = [contracts[name].to_numpy() == before[name].to_numpy() for name in _MARKED]
        contracts = contracts.filter(pa.array(~np.logical_and.reduce(same)))
    columns = (contracts[name].to_pylist() for name in ("symbol", *_MARKED))
    return {
        symbol: Mark(paise=mark(bid, ask, last), at_ns=at_ns, prev_close_paise=close)
        for symbol, bid, ask, last, at_ns, close in zip(*columns, strict=True)
    }
