"""The only place that sends orders: each intent at most once, every answer written down.

in       submit, cancel, exit_all (awaited calls) · ticks, snapshot
out      refresh · risk.check, risk.book, risk.release (awaited calls)
state    orders, fills, positions (hard: journalled before they are acted on, replayed at open)
restart  HALTED → takes the epoch → replays the ledger → reconciles with the broker by tag → ACTIVE
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from actors.oms.follow import Follower
from actors.oms.gate import leaving
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.send import Sender
from actors.oms.standing import LedgerTrouble, Standing, State
from core.errors import UnknownName
from core.market import freeze, tick_paise
from core.matching.depth import Board
from core.orders.exits import exit_intents
from core.orders.machine import refused
from core.orders.positions import Holding, market_date, position
from core.ports import Broker, Bus, Clock, Ledger, Risk
from core.records import LIVE, Intent, Order, Position
from core.schemas import TICKS


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

    A submit that fails with anything but a VikalpError may have been sent: ask again with the same tag.
    """

    def __init__(
        self, config: OmsConfig, *, bus: Bus, clock: Clock, ledger: Ledger, broker: Broker, risk: Risk
    ) -> None:
        self._config, self._bus, self._clock, self._broker = config, bus, clock, broker
        self._risk = RiskLink(risk)
        self._journal = Journal(ledger, clock)
        self._follow = Follower(self._journal, broker, self._risk, clock, absent_after_ms=config.absent_after_ms)
        self._send = Sender(self._journal, self._follow, broker, self._risk, clock)
        self._board = Board()
        self._standing = Standing(config.state_after_start, self._journal, clock)
        self._opened = False
        self._progress_ns = 0

    def open(self) -> None:
        """Fence older order managers, then recover; raises LedgerDown or what the broker raises, to be tried again."""
        self._journal.take_epoch()
        self._recover()
        self._opened = True

    def submit(self, intent: Intent) -> Order:
        """The order of this tag, sent now if it is new; a refused one is no error, it comes back REFUSED with words.

        Raises InputError or UnknownName for an intent that is no order at all.
        """
        return self._submit(intent, self._standing.state)

    def cancel(self, tag: str) -> Order:
        """Ask the broker to take the order back; the order as it is afterwards. UnknownName for a tag never sent."""
        order = self._journal.orders.get(tag)
        if order is None:
            raise UnknownName(f"no order has the tag {tag!r}; `vikalp orders` lists those of this session")
        if order.state in LIVE and not order.broker_id:
            self._standing.attempt(self._follow.reconcile)
            order = self._journal.orders[tag]
        if order.state in LIVE and order.broker_id:
            self._broker.cancel(order.broker_id)
            self._standing.attempt(self._follow.reconcile)
        return self._journal.orders[tag]

    def exit_all(self, why: str) -> Sequence[Order]:
        """Cancel every live order, then exit every position by limits that cross; allowed in every state.

        The orders it sent. What an unsure order may still take off is left out, so that nothing is sold twice.
        """
        for order in self._journal.live():
            self.cancel(order.intent.tag)
        seed, sent = f"exit_all {self._clock.wall_ns()}", []
        for holding in list(self._journal.holdings.values()):
            sent += [self._submit(intent, "REDUCING") for intent in self._exits(holding, seed, why)]
        return sent

    def orders(self) -> Sequence[Order]:
        """Every order of the session, oldest first, refusals included."""
        return list(self._journal.orders.values())

    def positions(self) -> Sequence[Position]:
        """Every symbol traded in the session, marked with its last quote."""
        return [position(holding, self._board.mark(holding.symbol)) for holding in self._journal.holdings.values()]

    def state(self) -> State:
        return self._standing.state

    def halt(self, why: str) -> State:
        """No new orders until `resume`; exit_all still works."""
        return self._standing.want("HALTED", why)

    def reduce(self, why: str) -> State:
        """Exits only, until `resume`."""
        return self._standing.want("REDUCING", why)

    def resume(self) -> State:
        """ACTIVE again, unless the ledger or a newer order manager stands against it."""
        return self._standing.want("ACTIVE", "resumed")

    def on_ticks(self, ticks: pa.RecordBatch) -> None:
        self._board.update(ticks)
        if ticks.num_rows:
            self._clock.advance(pc.max(ticks.column("exchange_ns")).as_py())
        if not self._standing.against:
            self._standing.attempt(lambda: self._match(ticks))
        self._progress_ns = self._clock.wall_ns()

    def on_snapshot(self, ticks: pa.RecordBatch) -> None:
        self.on_ticks(ticks)

    def on_timer(self) -> None:
        """Tell risk what it is owed, follow the broker; without the ledger, see whether it is back."""
        self._risk.settle()
        if self._opened and not self._standing.fenced:
            self._standing.attempt(self._recover if self._standing.against else self._follow.reconcile)
        self._progress_ns = self._clock.wall_ns()

    def check_health(self) -> int:
        """Wall ns of the last tick, timer or order handled; 0 before the first."""
        return self._progress_ns

    def _submit(self, intent: Intent, state: State) -> Order:
        known = self._journal.orders.get(intent.tag)
        if known is not None:
            return known
        self._progress_ns = self._clock.wall_ns()
        if self._standing.against:
            return self._unsent(intent, self._standing.against)
        try:
            self._send.send(intent, state=state, why=self._standing.why)
        except LedgerTrouble as error:
            self._standing.lose(error)
            # Once journalled it may have been sent: it stays unsure until the ledger is back and the broker is asked.
            return self._journal.orders.get(intent.tag) or self._unsent(intent, str(error))
        self._standing.attempt(self._follow.collect)
        return self._journal.orders[intent.tag]

    def _unsent(self, intent: Intent, why: str) -> Order:
        return refused(intent, self._clock.now_ns(), f"state: HALTED, {why}; nothing was sent")

    def _match(self, ticks: pa.RecordBatch) -> None:
        self._broker.on_ticks(ticks)
        if self._journal.live():
            self._follow.collect()

    def _exits(self, holding: Holding, seed: str, why: str) -> Iterator[Intent]:
        now_ns = self._clock.now_ns()
        return exit_intents(
            holding,
            self._board.depth(holding.symbol),
            working=leaving(self._journal.orders, holding.symbol),
            most=freeze(holding.index, market_date(now_ns)),
            tick=tick_paise(holding.index),
            cross=self._config.exit_cross,
            seed=seed,
            reason=why,
        )

    def _recover(self) -> None:
        self._follow.recover()
        self._standing.against = ""
        for index in self._config.indices:
            self._bus.publish("refresh", pa.RecordBatch.from_pylist([], schema=TICKS), index=index)
