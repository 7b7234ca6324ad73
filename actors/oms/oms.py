"""The only place that sends orders: each intent at most once, every answer written down.

in       submit, cancel, exit_all (awaited calls) · ticks, snapshot, bars, past_bars, order_news
out      refresh, symbols · risk.check, book, rests, release, settle (awaited calls)
state    orders, fills, settlements, positions (hard: journalled before they are acted on, replayed at open)
restart  HALTED → takes the epoch → replays the ledger → reconciles with the broker by tag, once it is there → ACTIVE
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from actors.oms.config import OmsConfig
from actors.oms.parts import parts
from actors.oms.standing import State
from core.errors import InputError
from core.matching.depth import Board
from core.orders.answer import printable
from core.orders.books import position_of, recent
from core.orders.positions import market_date
from core.ports import Bus, Clock, KillFile, Ledger, Risk
from core.ports.account import AccountBroker
from core.records import Alert, Intent, Kill, LimitUse, Move, Order, PlanStatus, Position, Product, Terms

__all__ = ["OmsActor", "OmsConfig"]
T = TypeVar("T")


class OmsActor:
    """Guarantees: an intent is committed before the broker sees it, a tag is sent at most once, a fill counts once.

    What is held of a contract past its expiry is settled once, by a record of the ledger.
    A submit that fails with anything but a VikalpError may have been sent: ask again with the same tag.
    """

    def __init__(
        self, config: OmsConfig, *, bus: Bus, clock: Clock, ledger: Ledger, broker: AccountBroker, risk: Risk,
        kill_file: KillFile | None = None, pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._clock, self._board, self._indices, self._progress_ns = clock, Board(), config.indices, 0
        self._parts = parts(
            config, self._board, bus=bus, clock=clock, ledger=ledger, broker=broker, risk=risk, kill_file=kill_file,
            pause=pause,
        )  # fmt: skip
        self._journal = self._parts.journal

    def open(self) -> None:
        """Fence older order managers, then recover; raises LedgerDown, to be tried again. HALTED without broker."""
        self._journal.take_epoch()
        self._turn(self._parts.rounds.open)

    def submit(self, intent: Intent) -> Order:
        """The order of this tag, sent now if it is new; a refused one is no error, it comes back REFUSED with words.

        Raises InputError or UnknownName for an intent that is no order at all, or another one than its tag names.
        """
        if intent.plan:
            raise InputError(f"order {intent.tag} names plan {intent.plan}: a plan sends its orders itself, name none")
        return self._turn(lambda: self._parts.send.submit(intent, self._parts.standing.state))

    def modify(self, tag: str, terms: Terms) -> Order:
        """Ask the broker once for other terms of the order; the order afterwards, with words if it was not done."""
        return self._turn(lambda: self._parts.send.modify(tag, terms).order)

    def cancel(self, tag: str) -> Order:
        """Ask the broker to take the order back; the order as it is afterwards. UnknownName for a tag never sent."""
        return self._turn(lambda: self._parts.send.cancel(tag).order)

    def exit_all(self, why: str) -> Sequence[Order]:
        """Cancel every live order, then exit every position by limits that cross; allowed in every state.

        The exits, and as REFUSED whatever could not be cancelled or sent. What an unsure order may still take off is
        left out, so that nothing is sold twice; the timer sends it once that order is known to be over.
        """
        return self._turn(lambda: self._exit_all(printable(why)))

    def start_plan(self, body: str) -> PlanStatus:
        """Keep a plan, JSON of core.orders.plans.Plan, and run it until it is over; the first of its id stays."""
        return self._turn(lambda: self._parts.plans.start(body))

    def plans(self) -> Sequence[PlanStatus]:
        """Plans that run, or have ended on the market's day, oldest first."""
        return self._parts.plans.statuses()

    def all_plans(self) -> Sequence[PlanStatus]:
        """Every plan of the session, which of a LIVE desk is the account's whole life."""
        return self._parts.plans.statuses(every=True)

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        """The plan leaves what it has entered, by its own rules. UnknownName for no plan."""
        return self._turn(lambda: self._parts.plans.end(plan_id, printable(why)))

    def convert(  # noqa: PLR0917 remote calls have no keywords
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, strategy: str, who: str,
        move_id: str,
    ) -> Move:  # fmt: skip
        """As core.ports.Trading."""
        mover = self._parts.moving
        return self._turn(
            lambda: mover.convert(
                symbol, product_from, product_to, quantity, strategy=strategy, who=who, move_id=move_id
            )
        )

    def adopt(  # noqa: PLR0917 remote calls have no keywords
        self, symbol: str, product: Product, strategy: str, who: str, move_id: str, price_paise: int = 0
    ) -> Move:
        """As core.ports.Trading."""
        mover = self._parts.moving
        return self._turn(
            lambda: mover.adopt(symbol, product, strategy=strategy, who=who, move_id=move_id, price_paise=price_paise)
        )

    def moves(self) -> Sequence[Move]:
        return self._parts.moving.moves()

    def orders(self) -> Sequence[Order]:
        """Orders that live, of the market's day or of a position that is held, oldest first, refusals included.

        Of a live one also whether it is lost. Of each position they are all its orders, so that they add up to it.
        """
        return [self._parts.follow.told(order) for order in self._journal.recent(market_date(self._clock.now_ns()))]

    def all_orders(self) -> Sequence[Order]:
        """Every order of the session, which of a LIVE desk is the account's whole life; as `orders`."""
        return [self._parts.follow.told(order) for order in self._journal.orders.values()]

    def order(self, tag: str) -> Order | None:
        """That order, of whatever day; None if there is none."""
        return self._journal.orders.get(tag)

    def positions(self) -> Sequence[Position]:
        """Of every strategy what it holds, or has traded on the last day of a trade, marked with its last quote."""
        books = recent(self._journal.books)
        return [position_of(book, self._board.mark(book.symbol, book.quantity)) for book in books]

    def state(self) -> State:
        return self._parts.standing.state

    def tells(self) -> tuple[State, str]:
        """Its state, and the circuit breaker's with the reason; that is empty while it is CLOSED."""
        return self.state(), self._parts.guards.broken

    def budget(self) -> tuple[LimitUse, ...]:
        """How much of the order budget is used now, of all kinds together."""
        return self._parts.guards.uses()

    def alerts(self) -> tuple[Alert, ...]:
        """Its latest alerts, oldest first; also those that no ledger has taken yet."""
        return self._journal.alerts

    def halt(self, why: str, keep: bool = True) -> State:  # noqa: FBT001, FBT002 remote calls have no keywords
        """No new orders until `resume`, or unless `keep` this process ends; LedgerDown: a crash would forget it."""
        return self._parts.standing.want("HALTED", why, keep=keep)

    def reduce(self, why: str) -> State:
        """Exits only, until `resume`. Raises as `halt`."""
        return self._parts.standing.want("REDUCING", why)

    def resume(self) -> State:
        """ACTIVE again, once nothing else stands against it: ledger, login, broker's book, a newer order manager."""
        return self._parts.standing.want("ACTIVE", "resumed")

    def kill(self, why: str, who: str, square_off: bool = False) -> Kill:  # noqa: FBT001, FBT002 remote calls have no keywords
        """Nothing new, every order cancelled, entries first, positions closed if asked; holds until `release`."""
        return self._turn(lambda: self._parts.killing.start(self._board, why, who, square_off=square_off))

    def release(self, why: str, who: str) -> State:
        """Let go of the kill switch: HALTED, until `resume`. InputError without a reason; LedgerDown: still pulled."""
        return self._turn(lambda: self._parts.killing.release(why, who))

    def killed(self) -> Kill | None:
        return self._parts.killing.pulled

    def on_ticks(self, ticks: pa.RecordBatch) -> None:
        self._board.update(ticks)
        if ticks.num_rows:
            self._clock.advance(pc.max(ticks.column("exchange_ns")).as_py())
        self._turn(lambda: self._parts.rounds.tick(ticks))

    on_snapshot = on_ticks

    def on_bars(self, bars: pa.RecordBatch) -> None:
        """Of the index's own, what a contract that expires today will settle at."""
        self._parts.settler.take(bars)

    on_past_bars = on_bars

    def on_order_news(self, news: pa.RecordBatch) -> None:
        """The broker's socket tells of an order, or was opened anew: its book is looked at. SchemaError."""
        self._turn(lambda: self._parts.rounds.hear(news))

    def on_gap(self, source: str) -> None:
        """Ticks of a feed were lost: its whole book again, so that no mark and no paper fill is of an old quote."""
        self._parts.rounds.refresh([index for index in self._indices if source == f"feed.{index}"])

    def wait(self, longest_s: float) -> None:
        """Between two timers: until the kill switch wants something done, or `longest_s` seconds."""
        self._parts.rounds.wait(longest_s)

    def on_timer(self) -> None:
        self._turn(self._timer)

    def check_health(self) -> int:
        """Wall ns of the last tick, timer or order handled; 0 before the first."""
        return self._progress_ns

    def _timer(self) -> None:
        self._parts.rounds.timer()
        if self._parts.standing.follows and not self._journal.away:
            self._parts.standing.attempt(self._parts.moving.go_on)

    def _exit_all(self, why: str) -> Sequence[Order]:
        self._parts.plans.abandon(f"everything was to be closed: {why}")
        self._parts.plans.take_back()
        return self._parts.flatten.exit_all(self._board, why)

    def _turn(self, do: Callable[[], T]) -> T:
        self._parts.broker.begin()
        answer = do()
        self._parts.symbols.tell()
        self._progress_ns = self._clock.wall_ns()
        return answer
