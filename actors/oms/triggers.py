"""Triggers that wait at the broker over night (GTT): each asked for once, found after a crash, followed, taken back.

A broker keeps no tag of a trigger. So before one is asked for the plan says what it asks for, and which triggers of the
same terms the broker lists already. After an answer that never came, or a crash, the one it lists beyond those is ours;
if it lists none for as long as an order may stay unlisted, there is none, and the plan decides anew. One that shows up
later still is taken back: never two for one position.

What a trigger has sent is an order of the desk's, under the trigger's name: a word first, then an intent, then the
broker is told by `adopt`; so its trades are the strategy's, and not somebody else's.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.follow import Follower
from actors.oms.journal import Journal
from actors.oms.risk_link import RiskLink
from actors.oms.running import Asked, Noted, Running, key, kind_of
from actors.oms.waited import Waited
from core.errors import InputError, LedgerDown, LedgerFenced, NotLoggedIn, VikalpError
from core.orders.answer import printable
from core.orders.gtt import Trigger, is_of
from core.orders.plans import Bracket, Gtt, Overnight, PlaceGtt, Plan, Protect, Severity, symbols
from core.orders.plans.triggers import gtt_seen
from core.ports import Clock
from core.records import LIVE, Intent, OrderEvent, Product

EVERY_NS = 5_000_000_000  # wall; between two looks at the broker's triggers while one of ours may wait
UNREAD = 3  # of those in a row, after which that is told
SEEN_NS = 10_000_000_000  # wall; a trigger that was to be taken back and still waits by then is asked for again
NRML: Product = "NRML"


class Say(Protocol):
    def __call__(self, one: Running, key: str, severity: Severity, message: str, *, told: str = "") -> None: ...


class Triggers:
    """`say` keeps a plan's word, once a key. Raises LedgerDown, LedgerFenced and NotLoggedIn; the rest is told here."""

    def __init__(
        self, journal: Journal, follow: Follower, account: Account, *, broker: BrokerLink, risk: RiskLink, clock: Clock,
        say: Say, warn: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._journal, self._follow, self._account = journal, follow, account
        self._broker, self._risk, self._clock, self._say, self._warn = broker, risk, clock, say, warn
        self._listed: dict[str, Trigger] = {}  # by id, as it was last read
        self._missing = Waited(clock)  # by name: no list that was read had it
        self._back: dict[str, int] = {}  # name → wall ns at which it was asked to be taken back
        self._looked_ns = self._unread = 0  # wall; times in a row
        self._nights: dict[str, Running] = {}  # by id, plans of which, or of whose triggers, something may yet come

    @property
    def changing(self) -> frozenset[str]:
        """Names of those being taken back."""
        return frozenset(self._back)

    def begin(self, plans: Iterable[Running]) -> None:
        """After a start: the broker is told again which orders are ours, before its book is read."""
        self._nights = {}
        for one in plans:
            self.watch(one)
        for one in self._nights.values():
            for each in one.triggers:
                if order_id := each.said("sent"):
                    self._broker.adopt(order_id, each.name)

    def watch(self, one: Running) -> None:
        """Follow the triggers of a plan, if it is one that has some."""
        if isinstance(one.plan, Overnight) and self._waits(one):
            self._nights[one.plan.plan_id] = one

    def hurry(self) -> None:
        """Look at the broker's triggers at the next turn: somebody closes what they protect."""
        self._looked_ns = 0

    def seen(self, one: Running) -> dict[str, Gtt]:
        """What the plan sees of its triggers, by name."""
        return {each.name: self._seen(each) for each in one.triggers} if one.plan.plan_id in self._nights else {}

    def place(self, one: Running, asked: PlaceGtt) -> None:
        """Write down that it is asked for, then ask for it, once; not before the broker's list was read just now."""
        book = self._journal.book(one.plan.strategy, asked.symbol, NRML)
        if book is None or self._account.missing(book):
            self._warn(f"plan {one.plan.plan_id}: no trigger is placed, the account has less of {asked.symbol}")
            return
        if not self._read() or self._broker.over:
            return
        before = tuple(sorted(row.trigger_id for row in self._listed.values() if is_of(row, asked, 0)))
        low, high = (f"{leg.trigger_paise / 100:.2f}" for leg in asked.legs)
        words = f"a trigger to {asked.side} {asked.quantity} {asked.symbol} at {low} or {high} is asked for"
        noted = msgspec.json.encode(Noted(asked, before)).decode()
        self._say(one, key(asked.name), "info", f"{words}: {noted}", told=words)
        answer = self._broker.place_gtt(asked)
        self._looked_ns = 0
        if answer.kind == "ACK":
            self._say(one, key(asked.name, "is"), "info", answer.broker_id, told=f"trigger {answer.broker_id} waits")
        elif answer.kind == "REFUSED":
            said = printable(answer.message) or "without a word"
            self._say(one, key(asked.name, "refused"), "warning", said, told=f"no trigger was placed: {said}")

    def take_back(self, name: str, trigger_id: str) -> None:
        """Ask for it to be deleted; whether it was is what the list says."""
        answer = self._broker.cancel_gtt(trigger_id)
        self._back[name], self._looked_ns = self._clock.wall_ns(), 0
        if answer.kind != "ACK":
            self._warn(f"trigger {trigger_id} was not taken back yet: {printable(answer.message)}")

    def follow(self, *, now: bool = False) -> None:
        """Read the broker's triggers if one of ours may be among them: find them, adopt what they have sent.

        Those of plans that are over are taken back.
        """
        if not self._nights or (not now and 0 <= self._clock.wall_ns() - self._looked_ns < EVERY_NS):
            return
        self._nights = {plan_id: one for plan_id, one in self._nights.items() if self._waits(one)}
        every = [(one, each) for one in self._nights.values() for each in one.triggers]
        mine = [(one, each) for one, each in every if not self._settled(one, each)]
        if not mine or not self._read():
            return
        mine.sort(key=lambda pair: bool(pair[1].said("absent")))  # of two asked alike the one that is waited for
        claimed = {each.trigger_id for _, each in every}
        for one, each in mine:
            self._find(one, each, claimed)
            row = self._listed.get(each.trigger_id)
            if row is not None and row.status == "triggered":
                self._adopt(one, each, row)
            elif row is not None and row.status == "active" and (one.over or each.said("absent")):
                if each.name not in self._back:
                    self.take_back(each.name, row.trigger_id)
            elif one.over:
                self._close(one, each, row)
        self._back = {name: since for name, since in self._back.items() if self._leaves(name, since, mine)}

    def _waits(self, one: Running) -> bool:
        """Whether something may yet come of a trigger of the plan, or of the plan."""
        return not one.over or any(not self._settled(one, each) for each in one.triggers)

    def _read(self) -> bool:
        if self._broker.over:
            return False
        at_ns = self._clock.wall_ns()
        try:
            rows = self._broker.gtts()
        except (LedgerDown, LedgerFenced, NotLoggedIn):
            raise
        except VikalpError as error:
            self._looked_ns, self._unread = at_ns, self._unread + 1
            self._missing.clear()  # nobody knows what the broker had meanwhile
            if self._unread == UNREAD:
                self._warn(f"the broker's triggers cannot be read, nobody follows them: {error}")
            return False
        self._listed, self._looked_ns, self._unread = {row.trigger_id: row for row in rows}, at_ns, 0
        return True

    def _seen(self, each: Asked) -> Gtt:
        asked = each.asked
        if each.said("refused"):
            return Gtt(name=asked.name, quantity=asked.quantity, status="refused")
        if each.said("absent"):
            return Gtt(name=asked.name, quantity=asked.quantity, status="gone")
        order = self._journal.orders.get(asked.name)
        return gtt_seen(asked, self._listed.get(each.trigger_id) if each.trigger_id else None, order)

    def _settled(self, one: Running, each: Asked) -> bool:
        return bool(each.said("over") or each.said("refused")) or (one.over and self._ended(each))

    def _ended(self, each: Asked) -> bool:
        order = self._journal.orders.get(each.name)
        return order is not None and order.state not in LIVE

    def _find(self, one: Running, each: Asked, claimed: set[str]) -> None:
        """The broker's row of it, by its id or its terms; where there is none for long enough it is absent."""
        if not each.trigger_id:
            rows = sorted(self._candidates(each, claimed), key=lambda row: int(row.trigger_id))
            if rows:
                claimed.add(rows[0].trigger_id)
                told = f"trigger {rows[0].trigger_id} is the one that was asked for"
                self._say(one, key(each.name, "is"), "info", rows[0].trigger_id, told=told)
        if each.trigger_id in self._listed or each.said("absent"):
            self._missing.forget(each.name)
            return
        if self._missing.more(each.name) >= self._broker.unlisted_ms * 1_000_000:
            words = "the broker lists no such trigger"
            self._say(one, key(each.name, "absent"), "warning", words)

    def _candidates(self, each: Asked, claimed: set[str]) -> Iterator[Trigger]:
        for row in self._listed.values():
            if row.trigger_id not in claimed | each.before and is_of(row, each.asked, 0):
                yield row

    def _adopt(self, one: Running, each: Asked, row: Trigger) -> None:
        """What it has sent becomes an order of the plan's; each part is done once, wherever the last life ended."""
        if not row.order_id:
            if one.over:
                self._close(one, each, row)
            return  # refused: the plan sees that it failed
        name, order = each.name, self._journal.orders.get(each.name)
        self._say(one, key(name, "sent"), "info", row.order_id, told=f"trigger {row.trigger_id} sent {row.order_id}")
        self._broker.adopt(row.order_id, name)
        if order is None:
            order = self._journal.intend(self._intent(one, each, row))
            self._risk.doubt()  # it reads the ledger
        if order.state in LIVE and not order.broker_id:
            event = OrderEvent(tag=name, state="OPEN", at_ns=self._clock.now_ns(), message="sent by its trigger")
            self._follow.learn(event, broker_id=row.order_id)

    def _intent(self, one: Running, each: Asked, row: Trigger) -> Intent:
        stop = 0 if each.asked.side == "SELL" else 1
        return Intent(
            tag=each.name, strategy=one.plan.strategy, index=one.plan.index, symbol=row.symbol, side=row.side,
            quantity=row.quantity, order_type="LIMIT", limit_paise=row.legs[row.fired].limit_paise, product=NRML,
            purpose="exit", reason="stop" if row.fired == stop else "target", plan=one.plan.plan_id,
            created_ns=self._clock.now_ns(),
        )  # fmt: skip

    def _close(self, one: Running, each: Asked, row: Trigger | None) -> None:
        """Of a plan that is over: nothing more comes of it, so it is looked for no longer."""
        absent = one.words.get(key(each.name, "absent"))
        late_ns = self._broker.unlisted_ms * 1_000_000  # it may still show up
        if row is not None or (absent is not None and self._clock.now_ns() - absent.at_ns >= late_ns):
            self._say(one, key(each.name, "over"), "info", "nothing more comes of its trigger")

    def _leaves(self, name: str, since_ns: int, mine: list[tuple[Running, Asked]]) -> bool:
        """Whether a request to take it back is still on its way."""
        row = next((self._listed.get(each.trigger_id) for _, each in mine if each.name == name), None)
        active = row is not None and row.status == "active"
        return active and 0 <= self._clock.wall_ns() - since_ns < SEEN_NS


def check_night(plan: Plan, running: Iterable[Plan], *, keeps: bool) -> None:
    """InputError for a trigger at a broker that keeps none, or beside another plan of the same position."""
    if not isinstance(plan, Overnight | Protect | Bracket):
        return
    if (isinstance(plan, Overnight) or plan.exit.overnight) and not keeps:
        raise InputError(
            f"plan {plan.plan_id}: this desk's broker keeps no triggers over night (GTT), as on paper there are none; "
            "by day bracket and protect keep the stop at the exchange"
        )
    if isinstance(plan, Bracket):
        return
    beside: tuple[type, ...] = (Overnight, Protect, Bracket) if isinstance(plan, Overnight) else (Overnight,)
    for other in running:
        same = (other.strategy, other.product, symbols(other)) == (plan.strategy, plan.product, symbols(plan))
        if same and isinstance(other, beside):
            raise InputError(
                f"plan {plan.plan_id}: plan {other.plan_id} ({kind_of(other)}) has the stop of {plan.symbol} already, "
                "and both would close it: end one first; exit.overnight lets them take turns"
            )
