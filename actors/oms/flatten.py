"""Getting flat: every cancel and every exit on its own, so that one that fails holds up no other."""

from collections.abc import Iterator

import msgspec

from actors.oms.gate import leaving
from actors.oms.journal import Journal
from actors.oms.send import Sender
from actors.oms.standing import Standing
from core.errors import VikalpError
from core.market import parse_symbol, tick_paise, usable_freeze
from core.matching.depth import Board, Depth
from core.orders.exits import exit_intents, whole_exit
from core.orders.machine import refused
from core.orders.positions import Holding, market_date
from core.ports import Clock
from core.records import LIVE, Alert, Intent, Order


class Flattener:
    def __init__(self, journal: Journal, send: Sender, *, standing: Standing, clock: Clock, exit_cross: float) -> None:
        self._journal, self._send, self._standing = journal, send, standing
        self._clock, self._exit_cross = clock, exit_cross

    def exit_all(self, board: Board, why: str) -> list[Order]:
        """Cancel what is live, then send limits that close every position, whatever the state; raises LedgerFenced.

        First what could not be cancelled, as REFUSED with the reason and the tag of the order that still lives; then
        the exits, those that could not be sent as REFUSED.
        """
        self._standing.check()
        kept = [order for live in self._journal.live() if (order := self._cancelled(live)) is not None]
        seed = f"exit_all {self._clock.wall_ns()}"
        holdings = list(self._journal.holdings.values())
        return kept + [order for holding in holdings for order in self._left(holding, board, seed, why)]

    def _cancelled(self, live: Order) -> Order | None:
        """None once the broker has taken the request."""
        try:
            order, said = self._send.take_back(live.intent.tag)
        except VikalpError as error:
            order, said = self._journal.orders[live.intent.tag], f"not cancelled: {error}"
        if order.state not in LIVE or not said:
            return None
        return self._failed(order.intent, f"it is still {order.state}: {said}")

    def _left(self, holding: Holding, board: Board, seed: str, why: str) -> Iterator[Order]:
        working = leaving(self._journal.orders, holding.symbol)
        if abs(holding.quantity) <= working:
            return
        try:
            intents = list(self._exits(holding, board.depth(holding.symbol), working, seed, why))
        except VikalpError as error:
            yield self._failed(whole_exit(holding, working=working, seed=seed, reason=why), f"not sent: {error}")
            return
        for intent in intents:
            yield self._sent(intent)

    def _sent(self, intent: Intent) -> Order:
        try:
            return self._send.submit(intent, "REDUCING")
        except VikalpError as error:
            return self._journal.orders.get(intent.tag) or self._failed(intent, f"not sent: {error}")

    def _exits(self, holding: Holding, depth: Depth | None, working: int, seed: str, why: str) -> Iterator[Intent]:
        """The intents that close what `holding` has open and no live exit is already taking off."""
        expiry = parse_symbol(holding.symbol).expiry
        assert expiry is not None, "only options are traded"
        return exit_intents(
            holding,
            depth,
            working=working,
            most=usable_freeze(holding.index, expiry, market_date(self._clock.now_ns())),
            tick=tick_paise(holding.index),
            cross=self._exit_cross,
            seed=seed,
            reason=why,
        )

    def _failed(self, intent: Intent, why: str) -> Order:
        """The answer, and an alarm: who asked may be gone by now."""
        words = f"exit all, {intent.tag} {intent.symbol}: {why}"
        self._journal.alert(
            Alert(at_wall_ns=self._clock.wall_ns(), severity="alarm", subject="orders exit all", message=words)
        )
        now_ns = self._clock.now_ns()
        return refused(msgspec.structs.replace(intent, created_ns=intent.created_ns or now_ns), now_ns, why)
