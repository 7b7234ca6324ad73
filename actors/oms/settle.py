"""What is held of a contract that has expired is settled, once: from the index's own bars, or its published close."""

import datetime as dt
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from core.errors import InputError, UnknownDate
from core.market import (
    Contract,
    Settlement,
    SettlementPrice,
    exchange_of,
    next_session,
    parse_symbol,
    settlement,
    settlement_price,
    to_ns,
)
from core.matching.depth import Board
from core.orders.expiry import end_of, settled_at
from core.orders.positions import market_date
from core.ports import Clock
from core.records import Alert, Settled
from core.rupees import rupees
from core.schemas import Kind

ASKS, ASK_NS = 5, 3_000_000_000  # times a feed is asked for its bars again, and wall time between two of them


class _Window(NamedTuple):
    """Bars of one length and index that lie in the settlement window of a day: start → (open, close)."""

    ends: Settlement
    bars: dict[int, tuple[int, int]]


class Settler:
    """Keeps the bars of the window an index settles in; a feed gives them again on refresh, so a restart loses none."""

    def __init__(self, journal: Journal, risk: RiskLink, clock: Clock) -> None:
        self._journal, self._risk, self._clock = journal, risk, clock
        self._windows: dict[tuple[str, int], _Window] = {}  # by index and seconds, of the newest day only
        self._asked: dict[tuple[str, dt.date], tuple[int, int]] = {}  # index, day: how often, and when last (wall)
        self._warned: set[str] = set()

    def take(self, bars: pa.RecordBatch) -> None:
        """Keep what a batch of BARS has of an index itself, inside the day's settlement window."""
        own = pa.array(bars.column("kind").to_numpy() == Kind.INDEX)
        for row in bars.filter(own).to_pylist():
            if row["symbol"] == row["index"]:
                self._keep(row["index"], row["seconds"], row["start_ns"], (row["open_paise"], row["close_paise"]))

    def settle(self, board: Board) -> list[str]:
        """Settle every holding past its contract's last trade whose settlement price is known; raises as the ledger.

        The indices whose feed is to give its bars again: a message of it may have been lost. What has no price even so
        stays as it is, with one alarm, until the index's next session tells its close.
        """
        now_ns, lacking = self._clock.now_ns(), {}
        for symbol in sorted({book.symbol for book in self._journal.open_books().values()}):
            contract = parse_symbol(symbol)
            ends = end_of(contract)
            if now_ns < to_ns(ends.last_trade):
                continue
            try:
                settled = settled_at(contract, self._price(ends, board))
            except (InputError, UnknownDate) as error:
                lacking[contract] = str(error)
                continue
            self._pay(settled, self._journal.held()[symbol])
        indices = dict.fromkeys(contract.index for contract in lacking)
        return [index for index in indices if self._asks(index, lacking, now_ns)]

    def _asks(self, index: str, lacking: Mapping[Contract, str], now_ns: int) -> bool:
        """Whether to ask the index's feed now; once it has been asked in vain, every contract has its alarm."""
        own = {contract: why for contract, why in lacking.items() if contract.index == index}
        today = market_date(now_ns)
        times, before_ns = self._asked.get((index, today), (0, 0))
        wall_ns = self._clock.wall_ns()
        if times and wall_ns - before_ns < ASK_NS:
            return False
        if times < ASKS and any(contract.expiry == today for contract in own):
            self._asked[index, today] = times + 1, wall_ns
            return True
        for contract, why in own.items():
            self._warn(contract, why)
        return False

    def _keep(self, index: str, seconds: int, start_ns: int, bar: tuple[int, int]) -> None:
        day = market_date(start_ns)
        window = self._windows.get((index, seconds))
        if window is None or window.ends.expiry < day:
            window = self._windows[index, seconds] = _Window(settlement(index, day), {})
        if window.ends.expiry == day and window.ends.begin_ns <= start_ns < window.ends.end_ns:
            window.bars[start_ns] = bar

    def _price(self, ends: Settlement, board: Board) -> SettlementPrice:
        """By the published close, else by the shortest bars that cover the window; InputError where neither does."""
        index = board.depth(ends.index)
        published = None
        if index is not None and index.prev_close_paise > 0:
            told = market_date(index.at_ns)
            if told > ends.expiry and told == next_session(exchange_of(ends.index), ends.expiry):
                published = index.prev_close_paise
        windows = sorted((seconds, window) for (name, seconds), window in self._windows.items() if name == ends.index)
        usable = [(seconds, window.bars) for seconds, window in windows if window.ends.expiry == ends.expiry]
        for seconds, bars in usable[:-1]:
            try:
                return _priced(ends, published, seconds, bars)
            except InputError:  # the longer ones may be whole
                continue
        seconds, bars = usable[-1] if usable else (60, {})
        return _priced(ends, published, seconds, bars)

    def _pay(self, settled: Settled, quantity: int) -> None:
        told = self._journal.settle(settled)
        self._risk.doubt()  # it reads the settlement where it stands, in the ledger
        words = (
            f"{quantity:+d} of {told.symbol} expired and settled at {rupees(told.value_paise)} a unit: "
            f"{told.index} at {told.close_paise / 100:,.2f} ({told.source})"
        )
        self._journal.event("settlement", told.symbol, words)
        self._say("info", words)

    def _warn(self, contract: Contract, why: str) -> None:
        if contract.symbol in self._warned:
            return
        self._say("alarm", f"{contract.symbol} has expired and is still in the book: {why}")
        self._warned.add(contract.symbol)

    def _say(self, severity: Literal["info", "alarm"], message: str) -> None:
        self._journal.alert(
            Alert(at_wall_ns=self._clock.wall_ns(), severity=severity, subject="settlement", message=message)
        )


def _priced(
    ends: Settlement, published_paise: int | None, seconds: int, bars: dict[int, tuple[int, int]]
) -> SettlementPrice:
    rows = np.array([(at, *bar) for at, bar in sorted(bars.items())], np.int64).reshape(-1, 3)
    return settlement_price(
        ends,
        published_paise=published_paise,
        start_ns=rows[:, 0],
        seconds=seconds,
        open_paise=rows[:, 1],
        close_paise=rows[:, 2],
    )
