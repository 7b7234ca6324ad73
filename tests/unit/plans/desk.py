"""A small order manager, broker and market for one plan: fills in parts, refuses, delays, loses answers, crashes."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from core.matching.depth import Depth, Level
from core.orders import plans
from core.orders.machine import advance, refused, remaining, resting, terms
from core.orders.plans import Cancel, CancelGtt, Done, Gtt, Modify, PlaceGtt, Plan, Say, Send, Step, View
from core.records import LIVE, Intent, Order, OrderEvent, Terms
from tests.fakes_orders import NOON, SECOND

TICK = 5


def book(bid: int, ask: int, *, last: int = 0, units: int = 10_000, at_ns: int = NOON) -> Depth:
    """One level a side; 0 is an empty side. `last` 0 is the mid."""
    return Depth(
        bids=(Level(bid, units),) if bid else (),
        asks=(Level(ask, units),) if ask else (),
        last_paise=last or (bid + ask) // 2 // TICK * TICK,
        at_ns=at_ns,
    )


class Desk:
    """`chance` decides what goes wrong; without one nothing does and every marketable order fills whole at once."""

    def __init__(self, plan: Plan, prices: dict[str, Depth], *, lot: int, chance: Random | None = None) -> None:
        self.plan, self.lot, self.chance = plan, lot, chance
        self.now = plan.created_ns
        self.depth = dict(prices)
        self.orders: dict[str, Order] = {}
        self.triggered: set[str] = set()
        self.said: dict[str, int] = {}
        self.says: list[Say] = []
        self.done: Done | None = None
        self.changes: dict[str, Terms | None] = {}  # asked of the broker, not yet seen; None is a cancel
        self.forgotten: set[str] = set()  # of those, what the order manager knows nothing of since it crashed
        self.base: dict[str, int] = {}  # held before the plan
        self.ending = ""
        self.refuse: Callable[[Intent], str] = lambda intent: ""
        self.checks: list[Callable[[Desk], None]] = []
        self.sent: list[Intent] = []
        self.fill_share = 1.0
        self.gtts: dict[str, Gtt] = {}
        self.placed: list[PlaceGtt] = []
        self.refuse_changes = False
        self.steps_done, self.crash_at = 0, -1  # it dies once so many steps are done, and what else was decided is lost

    # what the plan sees

    def view(self, **changes: object) -> View:
        made = View(
            now_ns=self.now,
            wall_ns=self.now,
            orders=dict(self.orders),
            said=dict(self.said),
            depth=dict(self.depth),
            changing=frozenset(self.changes) - self.forgotten,
            held={symbol: self.held(symbol) for symbol in self.symbols()},
            ending=self.ending,
            gtts=dict(self.gtts),
        )
        return msgspec.structs.replace(made, **changes)

    def symbols(self) -> set[str]:
        return {*self.base, *(order.intent.symbol for order in self.orders.values()), *plans.symbols(self.plan)}

    def held(self, symbol: str) -> int:
        return self.base.get(symbol, 0) + sum(
            order.filled_quantity * (1 if order.intent.side == "BUY" else -1)
            for order in self.orders.values()
            if order.intent.symbol == symbol
        )

    def steps(self) -> tuple[Step, ...]:
        return plans.steps(self.plan, self.view())

    # the order manager

    def turn(self, *, crash: bool = False) -> tuple[Step, ...]:
        """Do what the plan wants until it wants nothing more; with `crash` die after some of the first steps."""
        seen: list[Step] = []
        for _ in range(60):
            found = self.steps()
            again = self.steps()
            assert found == again, "the same view gives the same steps"
            if crash and found and self.chance:
                found = found[: self.chance.randrange(len(found))]
                self.apply(found)
                self.forgotten = set(self.changes)
                return found
            self.quiet_after(found)
            if not found:
                return tuple(seen)
            self.apply(found)
            seen += found
        raise AssertionError(f"the plan never rests: {found}")

    def quiet_after(self, found: Sequence[Step]) -> None:
        """Asked again with every step on its way and none answered, the plan wants nothing more."""
        orders, said, changing = dict(self.orders), dict(self.said), set(self.changes) - self.forgotten
        gtts = dict(self.gtts)
        for step in found:
            if isinstance(step, Send):
                orders[step.intent.tag] = Order(intent=step.intent, state="JOURNALLED", updated_ns=self.now)
            elif isinstance(step, Modify | Cancel):
                changing.add(step.order)
            elif isinstance(step, Say):
                said[step.key] = self.now
            elif isinstance(step, Done):
                said[plans.DONE] = self.now
            elif isinstance(step, PlaceGtt):
                gtts[step.name] = Gtt(name=step.name, quantity=step.quantity)
            elif isinstance(step, CancelGtt):
                changing.add(step.name)
        after = plans.steps(self.plan, self.view(orders=orders, said=said, changing=frozenset(changing), gtts=gtts))
        assert not after, f"{found} and then, without news, {after}"

    def apply(self, found: Iterable[Step]) -> None:
        for step in found:
            if self.steps_done == self.crash_at:
                self.crash_at = -1
                return
            self.steps_done += 1
            if isinstance(step, Send):
                self._send(step.intent)
            elif isinstance(step, Modify):
                self._ask(step.order, step.terms)
            elif isinstance(step, Cancel):
                self._ask(step.order, None)
            elif isinstance(step, Say):
                self.said[step.key] = self.now
                self.says.append(step)
            elif isinstance(step, Done):
                self.said[plans.DONE] = self.now
                self.done = step
            elif isinstance(step, PlaceGtt):
                self.placed.append(step)
                self.gtts[step.name] = Gtt(name=step.name, quantity=step.quantity, trigger_id="7", status="active")
            elif isinstance(step, CancelGtt):
                self.gtts[step.name] = msgspec.structs.replace(self.gtts[step.name], status="gone")
            self.check()

    def check(self) -> None:
        for one in self.checks:
            one(self)

    def _send(self, intent: Intent) -> None:
        assert intent.tag not in self.orders, "a tag is sent once"
        assert intent.order_type != "MARKET", "nothing leaves without a price"
        assert intent.limit_paise > 0
        assert intent.limit_paise % TICK == 0
        assert intent.quantity > 0
        assert intent.quantity % self.lot == 0
        self.sent.append(intent)
        why = self.refuse(intent) or ("by chance" if self._maybe(0.08) else "")
        if why:
            self.orders[intent.tag] = refused(intent, self.now, why)
        elif self._maybe(0.2):
            self.orders[intent.tag] = Order(
                intent=intent, state=self.chance.choice(["JOURNALLED", "UNKNOWN"]), updated_ns=self.now
            )
        else:
            self.orders[intent.tag] = Order(intent=intent, state="OPEN", broker_id=intent.tag, updated_ns=self.now)
        if not self.chance:
            self.match(only=intent.tag)

    def _ask(self, tag: str, wanted: Terms | None) -> None:
        order = self.orders[tag]
        assert order.state == "OPEN"
        assert tag not in self.changes or tag in self.forgotten, "one change at a time"
        self.forgotten.discard(tag)
        if wanted is not None:
            assert order.modifications < 25
            assert wanted != terms(order)
            self.orders[tag] = msgspec.structs.replace(
                order, modifications=order.modifications + 1, updated_ns=self.now
            )
        self.changes[tag] = wanted
        if not self._maybe(0.3):
            self._settle(tag)

    def _settle(self, tag: str) -> None:
        """The broker's answer to a change."""
        wanted, order = self.changes.pop(tag), self.orders[tag]
        self.forgotten.discard(tag)
        if order.state not in LIVE:
            return
        if self.refuse_changes or self._maybe(0.15) or (wanted is not None and self._wrong(order, wanted)):
            self.orders[tag] = msgspec.structs.replace(order, message="refused", updated_ns=self.now)
        elif wanted is None:
            self._advance(tag, "CANCELLED")
        else:
            self.triggered.discard(tag)
            self.orders[tag] = msgspec.structs.replace(resting(order, wanted), updated_ns=self.now)
            if not self.chance:
                self.match(only=tag)

    def _wrong(self, order: Order, wanted: Terms) -> bool:
        """A stop must lie beyond the last price."""
        last = self.depth[order.intent.symbol].last_paise
        if wanted.order_type != "SL":
            return False
        return wanted.trigger_paise >= last if order.intent.side == "SELL" else wanted.trigger_paise <= last

    def _advance(self, tag: str, state: str, filled: int = 0) -> None:
        event = OrderEvent(tag=tag, state=state, at_ns=self.now, filled_quantity=filled)
        self.orders[tag] = advance(self.orders[tag], event, broker_id=tag)
        self.check()

    # the market

    def quote(self, symbol: str, bid: int, ask: int, *, last: int = 0) -> None:
        self.depth[symbol] = book(bid, ask, last=last, at_ns=self.now)
        self.match()

    def wait(self, seconds: float, *, fresh: bool = True) -> None:
        """Time goes by; quotes stay as they are, told anew if fresh."""
        self.now += int(seconds * SECOND)
        if fresh:
            for symbol, depth in self.depth.items():
                self.depth[symbol] = msgspec.structs.replace(depth, at_ns=self.now)
            self.match()

    def run(self, seconds: float, *, step: float = 1.0) -> tuple[Step, ...]:
        """Turns and time in turn."""
        seen: list[Step] = list(self.turn())
        for _ in range(int(seconds / step)):
            if self.done:
                break
            self.wait(step)
            seen += self.turn()
        return tuple(seen)

    def match(self, only: str = "") -> None:
        """Fill what the books have come to."""
        for tag, order in list(self.orders.items()):
            if order.state != "OPEN" or only not in {"", tag}:
                continue
            depth, now, side = self.depth[order.intent.symbol], terms(order), order.intent.side
            if now.order_type == "SL" and tag not in self.triggered:
                last = depth.last_paise
                if not (last <= now.trigger_paise if side == "SELL" else last >= now.trigger_paise):
                    continue
                self.triggered.add(tag)
            best = (depth.bids if side == "SELL" else depth.asks)[:1]
            reached = best and (
                best[0].paise >= now.limit_paise if side == "SELL" else best[0].paise <= now.limit_paise
            )
            if reached:
                self._fill(tag, order, best[0].paise)

    def _fill(self, tag: str, order: Order, paise: int) -> None:
        lots = remaining(order) // self.lot
        if self.chance:
            lots = self.chance.randrange(lots + 1)
        elif self.fill_share < 1:
            lots = int(lots * self.fill_share)
        if lots:
            filled = order.filled_quantity + lots * self.lot
            average = (order.average_paise * order.filled_quantity + paise * lots * self.lot) / filled
            self.orders[tag] = msgspec.structs.replace(order, average_paise=average)
            self._advance(tag, "OPEN", filled)

    def _maybe(self, share: float) -> bool:
        return self.chance is not None and self.chance.random() < share

    def chances(self) -> None:
        """What may happen at any time: late answers, lost orders found or not, prices move, some rest is cancelled."""
        assert self.chance is not None
        for tag in list(self.changes):
            if self._maybe(0.5):
                self._settle(tag)
        for tag, order in list(self.orders.items()):
            if order.state in {"JOURNALLED", "UNKNOWN"} and self._maybe(0.5):
                self._advance(tag, self.chance.choice(["OPEN", "OPEN", "OPEN", "REJECTED"]))
            elif order.state == "OPEN" and self._maybe(0.01):
                self._advance(tag, "CANCELLED")
        for symbol, depth in list(self.depth.items()):
            self._move(symbol, depth)
        self.match()

    def _move(self, symbol: str, depth: Depth) -> None:
        assert self.chance is not None
        if self._maybe(0.2):
            return  # nothing is heard of it
        mid = max(4 * TICK, depth.last_paise + self.chance.randrange(-30, 31) * TICK)
        wide = self.chance.randrange(1, 8) * TICK
        last = max(TICK, mid + self.chance.choice([-1, 0, 1]) * wide)
        self.depth[symbol] = book(max(TICK, mid - wide), mid + wide, last=last, at_ns=self.now)

    def fair_weather(self, ending: str, *, seconds: int = 300) -> None:
        """Nothing goes wrong any more: what is on its way is answered, and the plan is told to end."""
        if self.done:
            return
        self.chance, self.ending = None, ending
        self.forgotten.clear()
        for tag in list(self.changes):
            self._settle(tag)
        for tag, order in list(self.orders.items()):
            if order.state in LIVE:
                self._advance(tag, "OPEN")
        self.wait(1)
        self.run(seconds)

    # what came of it

    def of(self, side: str, purpose: str | None = None) -> list[Order]:
        return [
            order for order in self.orders.values()
            if order.intent.side == side and (purpose is None or order.intent.purpose == purpose)
        ]  # fmt: skip

    def filled(self, side: str, purpose: str | None = None) -> int:
        return sum(order.filled_quantity for order in self.of(side, purpose))

    def working(self, side: str, purpose: str | None = None) -> int:
        return sum(remaining(order) for order in self.of(side, purpose))

    def alarmed(self) -> bool:
        return any(say.severity == "alarm" for say in self.says)


def random_day(desk: Desk, *, turns: int = 120, crash: float = 0.15) -> None:
    """Turns, chances and crashes until the plan is over, then fair weather for what is left of it."""
    assert desk.chance is not None
    for _ in range(turns):
        if desk.done:
            return
        desk.turn(crash=desk.chance.random() < crash)
        desk.now += desk.chance.randrange(50, 3_000) * SECOND // 1000
        desk.chances()
