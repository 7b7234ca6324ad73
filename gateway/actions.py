"""What a person does on the page: orders, the kill switch, plans. Each answer goes back to the page in words."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import InputError, VikalpError
from core.orders.machine import terms
from core.records import Intent, Margin, Order
from core.rupees import grouped
from gateway.context import Context
from gateway.format import money, paise
from gateway.models import MOST_LOTS, ModifyRequest, OrderRequest
from gateway.ticket import NOT_SENT, intent_of, modified


class Actions:
    """`say(about, **words)` reaches the page; `about` is margin, order or desk. `who` goes into the journal."""

    def __init__(self, context: Context, say: Callable[..., None], who: str = "page") -> None:
        self._context, self._say, self._who = context, say, who

    async def take(self, asked: Mapping[str, Any]) -> None:
        """Do what was asked; whatever the desk refuses or cannot do is said on the page."""
        what = asked.get("do")
        about = "margin" if what == "margin" else "order" if what == "order" else "desk"
        try:
            match what:
                case "margin":
                    intent = self._intent(asked)
                    self._margin(intent, await asyncio.to_thread(self._context.desk.margin, intent), asked)
                case "order":
                    await self._send(self._intent(asked))
                case "cancel":
                    self._order(await asyncio.to_thread(self._context.desk.cancel, str(asked.get("tag"))), "desk")
                case "modify":
                    await self._modify(asked)
                case "kill" | "release" | "end":
                    await self._steer(what, asked)
                case "exit":
                    orders = await asyncio.to_thread(self._context.desk.exit_all, "exit-all on the page")
                    self._exited(orders)
                case _:
                    raise InputError(
                        f"the page asked for {what!r}, expected index, expiry, margin, order, modify, cancel, exit, "
                        "kill, release, end"
                    )
        except (VikalpError, OSError) as error:
            said = {"asked": asked.get("asked"), "tag": asked.get("tag")}
            self._say(about, text=str(error), tone="bad", failed=True, **said)
        self._context.poll.nudge()

    async def _send(self, intent: Intent) -> None:
        """Without an answer nobody knows whether it was sent: it stays on the ticket, to be asked for by its tag."""
        try:
            order = await asyncio.to_thread(self._context.desk.submit, intent)
        except NOT_SENT:
            raise
        except (VikalpError, OSError) as error:
            said = f"{error}; it may have been sent. Send again asks with the same tag, so that there is one order"
            self._order(Order(intent=intent, state="UNKNOWN", message=said), unanswered=True)
        else:
            self._order(order)

    async def _modify(self, asked: Mapping[str, Any]) -> None:
        """Other prices for an order that rests; empty ones stay as they are."""
        prices = {f"{name}_paise": paise(str(asked[name]), name) for name in ("limit", "trigger") if asked.get(name)}
        tag, request = str(asked.get("tag")), ModifyRequest(**prices)
        order = await asyncio.to_thread(modified, self._context.desk, tag, request)
        at = terms(order)
        done = all(getattr(at, name) == wanted for name, wanted in prices.items())
        what = f"{order.intent.side} {grouped(order.intent.quantity)} {order.intent.symbol}"
        words = "modified" if done else order.message or "asked for, not confirmed by the broker yet"
        self._say("desk", text=f"{what}: {words}", tone="good" if done or not order.message else "bad")

    async def _steer(self, what: str, asked: Mapping[str, Any]) -> None:
        """The kill switch and the end of a plan: each with the reason that was typed."""
        desk, why = self._context.desk, " ".join(str(asked.get("why") or "").split())
        if not why:
            raise InputError("a reason is needed: a few words, which go into the journal")
        if what == "kill":
            kill = await asyncio.to_thread(desk.kill, why, self._who, asked.get("square_off") is True)
            self._say("desk", text=f"KILLED: {kill.why}", tone="bad")
        elif what == "release":
            state = await asyncio.to_thread(desk.release, why, self._who)
            self._say("desk", text=f"the kill switch is released; orders are {state}", tone="good")
        else:
            plan = await asyncio.to_thread(desk.end_plan, str(asked.get("plan")), why)
            self._say("desk", text=f"plan {plan.plan_id} {'is ending' if plan.running else 'is over'}", tone="good")

    def _exited(self, orders: Sequence[Order]) -> None:
        """What became of an exit-all: a refusal, or no answer, is never good news."""
        failed = [order for order in orders if order.state in {"REFUSED", "REJECTED", "UNKNOWN"}]
        sent = (
            f"exit all: {len(orders) - len(failed)} of {len(orders)} orders sent"
            if orders
            else "exit all: no working order and no open position is left"
        )
        why = "; ".join(f"{order.intent.symbol} {order.state}: {order.message}" for order in failed)
        self._say("desk", text=f"{sent}; {why}" if failed else sent, tone="bad" if failed else "good")

    def _intent(self, asked: Mapping[str, Any]) -> Intent:
        order_type = asked.get("type")
        try:
            request = OrderRequest(
                symbol=str(asked.get("symbol")),
                side=asked.get("side"),  # type: ignore[arg-type]  # pydantic checks it
                lots=_lots(str(asked.get("lots"))),
                order_type=order_type,  # type: ignore[arg-type]
                limit_paise=paise(str(asked.get("limit"))) if order_type != "MARKET" else 0,
                trigger_paise=paise(str(asked.get("trigger")), "trigger") if order_type == "SL" else 0,
                product=asked.get("product") or "NRML",
                strategy=str(asked.get("strategy") or "manual"),
                purpose=asked.get("purpose"),  # type: ignore[arg-type]
                tag=str(asked.get("tag") or ""),
            )
        except ValidationError as error:
            wrong = error.errors()[0]
            raise InputError(f"{wrong['loc'][0]}: not {wrong['input']!r}") from error
        return intent_of(request, self._context.store, self._context.clock.now_ns())

    def _margin(self, intent: Intent, margin: Margin, asked: Mapping[str, Any]) -> None:
        self._say(
            "margin",
            asked=asked.get("asked"),
            quantity=grouped(intent.quantity),
            premium=money(margin.premium_paise),
            span=money(margin.span_paise),
            exposure=money(margin.exposure_paise),
            margin=money(margin.total_paise),
            charges=money(margin.charges_paise),
            estimate="estimate" if margin.estimate else "",
        )

    def _order(self, order: Order, about: str = "order", *, unanswered: bool = False) -> None:
        bad = order.state in ("REFUSED", "REJECTED", "UNKNOWN")
        intent = order.intent
        text = f"{order.state}: {intent.side} {grouped(intent.quantity)} {intent.symbol}"
        if order.message:
            text += f" — {order.message}"
        self._say(about, text=text, tone="bad" if bad else "good", tag=intent.tag, unanswered=unanswered)


def _lots(typed: str) -> int:
    """The page says so itself before it asks; this is for whatever else speaks on its socket."""
    if not (typed.isascii() and typed.isdigit()) or not 1 <= int(typed) <= MOST_LOTS:
        raise InputError(f"lots: a whole number of 1 or more, at most {MOST_LOTS}, was {typed!r}")
    return int(typed)
