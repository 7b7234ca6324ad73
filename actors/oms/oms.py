"""The only place that sends orders: each intent at most once, every answer written down.

in       submit, cancel, exit_all (awaited calls) · ticks, snapshot, bars, past_bars, order_news
out      refresh, symbols · risk.check, risk.book, risk.release, risk.settle (awaited calls)
state    orders, fills, settlements, positions (hard: journalled before they are acted on, replayed at open)
restart  HALTED → takes the epoch → replays the ledger → reconciles with the broker by tag, once it is there → ACTIVE
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.config import OmsConfig
from actors.oms.flatten import Flattener
from actors.oms.follow import Follower
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.rounds import Rounds
from actors.oms.send import Sender
from actors.oms.settle import Settler
from actors.oms.standing import Standing, State
from actors.oms.symbols import Symbols
from core.matching.depth import Board
from core.orders.positions import position
from core.ports import Broker, Bus, Clock, Ledger, Risk
from core.records import Alert, Intent, Order, Position

__all__ = ["OmsActor", "OmsConfig"]
T = TypeVar("T")


class OmsActor:
    """Guarantees: an intent is committed before the broker sees it, a tag is sent at most once, a fill counts once.

    What is held of a contract past its expiry is settled once, by a record of the ledger.
    A submit that fails with anything but a VikalpError may have been sent: ask again with the same tag.
    """

    def __init__(
        self, config: OmsConfig, *, bus: Bus, clock: Clock, ledger: Ledger, broker: Broker, risk: Risk,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._clock, self._board, self._indices, self._progress_ns = clock, Board(), config.indices, 0
        journal = self._journal = Journal(ledger, clock)
        way, link = BrokerLink(broker, clock), RiskLink(risk, journal, clock)
        follow = Follower(journal, way, link, clock)
        standing = self._standing = Standing(config.state_after_start, journal, clock)
        send = Sender(journal, follow, broker=way, risk=link, standing=standing, clock=clock, pause=pause)
        account, self._settler = Account(journal, follow, way, clock), Settler(journal, link, clock)
        flatten = Flattener(
            journal, follow, send, account, broker=way, standing=standing, clock=clock, exit_cross=config.exit_cross
        )
        self._way, self._follow, self._send, self._flatten = way, follow, send, flatten
        self._symbols = Symbols(journal, bus, clock, config.indices)
        self._rounds = Rounds(
            journal, follow, flatten, self._settler, account, standing=standing, broker=way, risk=link,
            symbols=self._symbols, board=self._board, bus=bus, clock=clock, indices=config.indices,
        )  # fmt: skip

    def open(self) -> None:
        """Fence older order managers, then recover; raises LedgerDown, to be tried again. HALTED without broker."""
        self._journal.take_epoch()
        self._turn(self._rounds.open)

    def submit(self, intent: Intent) -> Order:
        """The order of this tag, sent now if it is new; a refused one is no error, it comes back REFUSED with words.

        Raises InputError or UnknownName for an intent that is no order at all, or another one than its tag names.
        """
        return self._turn(lambda: self._send.submit(intent, self._standing.state))

    def cancel(self, tag: str) -> Order:
        """Ask the broker to take the order back; the order as it is afterwards. UnknownName for a tag never sent."""
        return self._turn(lambda: self._send.cancel(tag))

    def exit_all(self, why: str) -> Sequence[Order]:
        """Cancel every live order, then exit every position by limits that cross; allowed in every state.

        The exits, and as REFUSED whatever could not be cancelled or sent. What an unsure order may still take off is
        left out, so that nothing is sold twice; the timer sends it once that order is known to be over.
        """
        return self._turn(lambda: self._flatten.exit_all(self._board, why))

    def orders(self) -> Sequence[Order]:
        """Every order of the session, oldest first, refusals included; of a live one also whether it is lost."""
        return [self._follow.told(order) for order in self._journal.orders.values()]

    def positions(self) -> Sequence[Position]:
        """Every symbol traded in the session, marked with its last quote."""
        return [position(holding, self._board.mark(holding.symbol)) for holding in self._journal.holdings.values()]

    def state(self) -> State:
        return self._standing.state

    def alerts(self) -> tuple[Alert, ...]:
        """Its latest alerts, oldest first; also those that no ledger has taken yet."""
        return self._journal.alerts

    def halt(self, why: str, keep: bool = True) -> State:  # noqa: FBT001, FBT002 remote calls have no keywords
        """No new orders until `resume`, or unless `keep` this process ends; LedgerDown: a crash would forget it."""
        return self._standing.want("HALTED", why, keep=keep)

    def reduce(self, why: str) -> State:
        """Exits only, until `resume`. Raises as `halt`."""
        return self._standing.want("REDUCING", why)

    def resume(self) -> State:
        """ACTIVE again, unless the ledger or a newer order manager stands against it."""
        return self._standing.want("ACTIVE", "resumed")

    def on_ticks(self, ticks: pa.RecordBatch) -> None:
        self._board.update(ticks)
        if ticks.num_rows:
            self._clock.advance(pc.max(ticks.column("exchange_ns")).as_py())
        self._turn(lambda: self._rounds.tick(ticks))

    on_snapshot = on_ticks

    def on_bars(self, bars: pa.RecordBatch) -> None:
        """Of the index's own, what a contract that expires today will settle at."""
        self._settler.take(bars)

    on_past_bars = on_bars

    def on_order_news(self, news: pa.RecordBatch) -> None:
        """The broker's socket tells of an order, or was opened anew: its book is looked at. SchemaError."""
        self._turn(lambda: self._rounds.hear(news))

    def on_gap(self, source: str) -> None:
        """Ticks of a feed were lost: its whole book again, so that no mark and no paper fill is of an old quote."""
        self._rounds.refresh([index for index in self._indices if source == f"feed.{index}"])

    def on_timer(self) -> None:
        self._turn(self._rounds.timer)

    def check_health(self) -> int:
        """Wall ns of the last tick, timer or order handled; 0 before the first."""
        return self._progress_ns

    def _turn(self, do: Callable[[], T]) -> T:
        self._way.begin()
        answer = do()
        self._symbols.tell()
        self._progress_ns = self._clock.wall_ns()
        return answer
