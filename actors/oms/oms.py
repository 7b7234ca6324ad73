"""The only place that sends orders: each intent at most once, every answer written down.

in       submit, cancel, exit_all (awaited calls) · ticks, snapshot, bars, past_bars
out      refresh · risk.check, risk.book, risk.release, risk.settle (awaited calls)
state    orders, fills, settlements, positions (hard: journalled before they are acted on, replayed at open)
restart  HALTED → takes the epoch → replays the ledger → reconciles with the broker by tag → ACTIVE
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from actors.oms.flatten import Flattener
from actors.oms.follow import Follower
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.send import Sender
from actors.oms.settle import Settler
from actors.oms.standing import Standing, State
from core.matching.depth import Board
from core.orders.positions import position
from core.ports import Broker, Bus, Clock, Ledger, Risk
from core.records import Alert, Intent, Order, Position
from core.schemas import NO_TICKS


class OmsConfig(BaseModel, frozen=True, extra="forbid"):
    """The order manager's settings."""

    timer_ms: int = Field(default=500, gt=0, description="milliseconds between looks at the broker's book and trades")
    state_after_start: State = Field(default="ACTIVE", description="state a clean reconcile leads to")
    absent_after_ms: int = Field(
        default=15_000, gt=0, description="milliseconds without the order in the broker's book until it was never taken"
    )
    exit_cross: float = Field(
        default=0.05, ge=0, lt=1, description="how far exit_all's limits reach beyond the best price; 0.05 is 5 %"
    )
    indices: tuple[str, ...] = Field(default=(), description="indices whose feeds are asked for a full book at start")


class OmsActor:
    """Guarantees: an intent is committed before the broker sees it, a tag is sent at most once, a fill counts once.

    What is held of a contract past its expiry is settled once, by a record of the ledger.
    A submit that fails with anything but a VikalpError may have been sent: ask again with the same tag.
    """

    def __init__(
        self, config: OmsConfig, *, bus: Bus, clock: Clock, ledger: Ledger, broker: Broker, risk: Risk
    ) -> None:
        self._config, self._bus, self._clock = config, bus, clock
        self._journal = Journal(ledger, clock)
        self._risk = RiskLink(risk, self._journal, clock)
        self._follow = Follower(self._journal, broker, self._risk, clock, absent_after_ms=config.absent_after_ms)
        standing = self._standing = Standing(config.state_after_start, self._journal, clock)
        self._send = Sender(self._journal, self._follow, broker=broker, risk=self._risk, standing=standing, clock=clock)
        self._flatten = Flattener(
            self._journal, self._follow, self._send, standing=standing, clock=clock, exit_cross=config.exit_cross
        )
        self._settler = Settler(self._journal, self._risk, clock)
        self._board = Board()
        self._opened = False
        self._progress_ns = 0

    def open(self) -> None:
        """Fence older order managers, then recover; raises LedgerDown or what the broker raises, to be tried again."""
        self._journal.take_epoch()
        self._recover()
        self._opened = True

    def submit(self, intent: Intent) -> Order:
        """The order of this tag, sent now if it is new; a refused one is no error, it comes back REFUSED with words.

        Raises InputError or UnknownName for an intent that is no order at all, or another one than its tag names.
        """
        self._progress_ns = self._clock.wall_ns()
        return self._send.submit(intent, self._standing.state)

    def cancel(self, tag: str) -> Order:
        """Ask the broker to take the order back; the order as it is afterwards. UnknownName for a tag never sent."""
        return self._send.cancel(tag)

    def exit_all(self, why: str) -> Sequence[Order]:
        """Cancel every live order, then exit every position by limits that cross; allowed in every state.

        The exits, and as REFUSED whatever could not be cancelled or sent. What an unsure order may still take off is
        left out, so that nothing is sold twice; the timer sends it once that order is known to be over.
        """
        return self._flatten.exit_all(self._board, why)

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

    def halt(self, why: str) -> State:
        """No new orders until `resume`, a crash or not; exit_all still works. LedgerDown: a crash would forget it."""
        return self._standing.want("HALTED", why)

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
        if not self._standing.against:
            self._standing.attempt(lambda: self._follow.match(ticks))
        self._progress_ns = self._clock.wall_ns()

    def on_snapshot(self, ticks: pa.RecordBatch) -> None:
        self.on_ticks(ticks)

    def on_bars(self, bars: pa.RecordBatch) -> None:
        """Of the index's own, what a contract that expires today will settle at."""
        self._settler.take(bars)

    def on_past_bars(self, bars: pa.RecordBatch) -> None:
        self.on_bars(bars)

    def on_gap(self, source: str) -> None:
        """Ticks of a feed were lost: its whole book again, so that no mark and no paper fill is of an old quote."""
        self._refresh([index for index in self._config.indices if source == f"feed.{index}"])

    def on_timer(self) -> None:
        """Tell risk what it missed, follow the broker; without the ledger, see whether it is back."""
        if self._opened and not self._standing.fenced:
            if not self._standing.against:
                self._risk.settle()
            lost = self._standing.against or self._journal.away
            self._standing.attempt(self._recover if lost else self._look, asks_broker=True)
            self._flatten.go_on(self._board)
        self._progress_ns = self._clock.wall_ns()

    def check_health(self) -> int:
        """Wall ns of the last tick, timer or order handled; 0 before the first."""
        return self._progress_ns

    def _look(self) -> None:
        self._follow.reconcile()
        self._refresh(self._settler.settle(self._board))  # after the broker's last trades

    def _recover(self) -> None:
        self._follow.recover()
        self._standing.restore()
        self._journal.say()
        self._refresh(self._config.indices)

    def _refresh(self, indices: Sequence[str]) -> None:
        for index in indices:
            self._bus.publish("refresh", NO_TICKS, index=index)
