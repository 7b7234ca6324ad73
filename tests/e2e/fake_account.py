"""An invented order manager and risk: orders fill at once, rest or are refused by simple rules (fake_desk.py)."""

import dataclasses
import time
from collections.abc import Mapping

import msgspec

from core.errors import DeskError, InputError, UnknownName
from core.records import Intent, Kill, LimitUse, Margin, Order, PlanStatus, PlanWord, Position, Terms
from tests.e2e import synthetic
from tests.fakes_moves import FakeMoves


class FakeClock:
    def __init__(self) -> None:
        self._now = synthetic.OPEN_NS

    def now_ns(self) -> int:
        return self._now

    def wall_ns(self) -> int:
        return time.time_ns()

    def advance(self, to_ns: int) -> None:
        self._now = max(self._now, to_ns)


@dataclasses.dataclass
class FakeAccount(FakeMoves):
    clock: FakeClock
    book: dict[str, Order] = dataclasses.field(default_factory=dict)
    held: dict[tuple[str, str, str], Position] = dataclasses.field(default_factory=dict)
    begun: dict[str, PlanStatus] = dataclasses.field(default_factory=dict)
    switch: Kill | None = None
    halted: bool = False
    lots: int = 20
    mute: bool = False

    def submit(self, intent: Intent) -> Order:
        if intent.tag in self.book:
            return self.book[intent.tag]
        self._take(intent)
        if self.mute:
            self.mute = False
            raise DeskError("oms did not answer within 5 s; see `vikalp status`")
        return self.book[intent.tag]

    def _take(self, intent: Intent) -> None:
        order = Order(intent=intent, state="OPEN", updated_ns=self.clock.now_ns())
        if self.switch is not None:
            said = f"state: the kill switch is pulled by {self.switch.who}: {self.switch.why}"
            order = msgspec.structs.replace(order, state="REFUSED", message=said)
        elif intent.quantity >= 100 * synthetic.LOTS[intent.index]:
            said = f"order_size: an order may be 20 lots (asked {intent.quantity} units, allowed 20 lots)"
            order = msgspec.structs.replace(order, state="REFUSED", message=said)
        elif intent.order_type != "SL" and not (intent.side == "BUY" and intent.limit_paise < 100):
            order = self._filled(order)
        self.book[intent.tag] = order

    def _filled(self, order: Order) -> Order:
        intent = order.intent
        signed = intent.quantity if intent.side == "BUY" else -intent.quantity
        key = (intent.strategy, intent.symbol, intent.product)
        old = self.held.get(key)
        self.held[key] = Position(
            symbol=intent.symbol,
            index=intent.index,
            quantity=signed + (old.quantity if old else 0),
            average_paise=float(intent.limit_paise),
            last_paise=intent.limit_paise + intent.limit_paise // 10,
            realised_paise=0,
            unrealised_paise=signed * (intent.limit_paise // 10),
            charges_paise=2_360 + (old.charges_paise if old else 0),
            strategy=intent.strategy,
            product=intent.product,
        )
        return msgspec.structs.replace(
            order, state="COMPLETE", filled_quantity=intent.quantity, average_paise=float(intent.limit_paise)
        )

    def cancel(self, tag: str) -> Order:
        if tag not in self.book:
            raise UnknownName(f"no order {tag}; `vikalp orders` lists them")
        self.book[tag] = msgspec.structs.replace(self.book[tag], state="CANCELLED", message="cancelled by a person")
        return self.book[tag]

    def modify(self, tag: str, to: Terms) -> Order:
        if tag not in self.book:
            raise UnknownName(f"no order {tag}; `vikalp orders` lists them")
        order = self.book[tag]
        if to.limit_paise == 66_600:
            return msgspec.structs.replace(order, message="the broker refused to modify it: too late")
        self.book[tag] = msgspec.structs.replace(
            order,
            resting_type=to.order_type,
            resting_limit_paise=to.limit_paise,
            resting_trigger_paise=to.trigger_paise,
            modifications=order.modifications + 1,
        )
        return self.book[tag]

    def kill(self, why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001
        if not why.strip():
            raise InputError("the kill switch: expected who pulls it and why, as words; found none")
        self.switch = Kill(pulled=True, who=who, why=why, square_off=square_off, at_ns=self.clock.now_ns())
        for tag, order in list(self.book.items()):
            if order.state == "OPEN":
                self.cancel(tag)
        if square_off:
            self.exit_all(why)
        return self.switch

    def killed(self) -> Kill | None:
        return self.switch

    def release(self, why: str, who: str) -> str:
        if not why.strip():
            raise InputError("to release the kill switch say who does and why")
        self.switch, self.halted = None, True
        return "HALTED"

    def start_plan(self, body: str) -> PlanStatus:
        made = msgspec.json.decode(body)
        begun = PlanStatus(
            plan_id=made["plan_id"],
            kind=made["type"],
            strategy=made["strategy"],
            index=made["index"],
            running=True,
            body=body,
            words=(self._word(made["plan_id"], "begun", "it waits for its entry"),),
            created_ns=made["created_ns"],
        )
        return self.begun.setdefault(begun.plan_id, begun)

    def _word(self, plan_id: str, key: str, message: str) -> PlanWord:
        return PlanWord(plan_id=plan_id, key=key, severity="info", message=message, at_ns=self.clock.now_ns())

    def plans(self) -> list[PlanStatus]:
        return list(self.begun.values())

    all_plans = plans

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        if plan_id not in self.begun:
            raise UnknownName(f"no plan {plan_id}")
        plan = self.begun[plan_id]
        words = (*plan.words, self._word(plan_id, "done", f"nothing was entered: {why}"))
        self.begun[plan_id] = msgspec.structs.replace(plan, running=False, words=words)
        return self.begun[plan_id]

    def halt(self, why: str) -> str:
        self.halted = True
        return "HALTED"

    def reduce(self, why: str) -> str:
        return "REDUCING"

    def resume(self) -> str:
        self.halted = False
        return "ACTIVE"

    def exit_all(self, why: str) -> list[Order]:
        for tag, order in list(self.book.items()):
            if order.state == "OPEN":
                self.cancel(tag)
        done = {key: position for key, position in self.held.items() if position.quantity}
        for key, position in done.items():
            self.held[key] = msgspec.structs.replace(
                position, quantity=0, realised_paise=position.unrealised_paise, unrealised_paise=0
            )
        return list(self.book.values())[: len(done)]

    def orders(self) -> list[Order]:
        return list(self.book.values())

    all_orders = orders

    def positions(self) -> list[Position]:
        return list(self.held.values())

    def budget(self) -> list[LimitUse]:
        return [LimitUse(limit="orders_a_day", used=12, allowed=1_000, unit="orders a day")]

    def limits(self) -> list[LimitUse]:
        entries = sum(order.state not in {"REFUSED", "CANCELLED"} for order in self.book.values())
        return [
            LimitUse(limit="market_hours", used=0, allowed=1, unit="session"),
            LimitUse(limit="stale_quote", used=0, allowed=10_000, unit="ms"),
            LimitUse(limit="order_size", used=0, allowed=self.lots, unit="lots"),
            LimitUse(limit="position", used=31, allowed=40, unit="lots"),
            LimitUse(limit="trades_per_day", used=entries, allowed=100, unit="trades"),
            LimitUse(limit="consecutive_stops", used=0, allowed=2, unit="stops in a row"),
            LimitUse(limit="daily_loss", used=8_250.5, allowed=25_000, unit="rupees"),
        ]

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> None:
        for name, value in changes.items():
            if name != "order_size.max_lots" or not isinstance(value, int):
                raise InputError(f"{name}: no limit has that field")
            self.lots = value

    def margin(self, intent: Intent) -> Margin:
        premium = intent.quantity * intent.limit_paise if intent.side == "BUY" else 0
        span = 0 if intent.side == "BUY" else intent.quantity * 220_000
        return Margin(
            premium_paise=premium, span_paise=span, exposure_paise=span // 5, charges_paise=2_360, estimate=True
        )
