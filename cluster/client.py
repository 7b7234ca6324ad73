"""Awaited calls to actors, with a deadline: the one place where Ray's exceptions become ours."""

import getpass
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from cluster.homes import pair_of
from core.errors import DeskError, VikalpError
from core.records import (
    Chain,
    DeskStatus,
    Fill,
    Funds,
    Intent,
    Kill,
    LimitUse,
    Margin,
    Move,
    Order,
    PlanStatus,
    Position,
    Product,
    Terms,
    Verdict,
    Who,
)

SLOW_S = 30.0  # for what goes through every order and position


class Calls:
    """Calls of guarded actors by name. Picklable; looks names up on first use, again after a death.

    A deadline is a moment of the called machine's clock, which is compared with ours on first use and after a failure.
    """

    def __init__(self, namespace: str, *, deadline_s: float = 5.0, who: Callable[[], Who] | None = None) -> None:
        """`who` says, at each call, for whom it is made; None: an actor's own, of which nobody asks that."""
        self._namespace, self._deadline_s, self._who = namespace, deadline_s, who
        self._handles: dict[str, Any] = {}
        self._ahead_ns: dict[str, int] = {}  # of our clock, by actor

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handles": {}, "_ahead_ns": {}}

    def call(self, actor: str, method: str, *args: Any, deadline_s: float | None = None) -> Any:
        """Return what `actor.method(*args)` returns; its VikalpErrors pass, DeskError for all that Ray says."""
        limit_s = deadline_s or self._deadline_s
        until = time.monotonic() + limit_s
        handle = self.handle(actor)
        try:
            ahead_ns = self._ahead_ns.get(actor)  # another thread's failure may forget it at any moment
            if ahead_ns is None:
                ahead_ns = self._ahead_ns[actor] = self._compared(actor, handle, until, limit_s)
            left = until - time.monotonic()
            deadline_ns = time.time_ns() + ahead_ns + int(left * 1e9)
            said = (self._who(),) if self._who is not None else ()
            return self.get(actor, handle.call.remote(method, args, deadline_ns, *said), left, of_s=limit_s)
        except DeskError:
            self._ahead_ns.pop(actor, None)
            raise

    def get(self, actor: str, reference: Any, limit_s: float, *, of_s: float | None = None) -> Any:
        """`of_s`: the whole time that was allowed, of which `limit_s` is left."""
        try:
            return ray.get(reference, timeout=max(0.0, limit_s))
        except GetTimeoutError as error:
            allowed = f"{round(of_s or limit_s, 1):g} s"
            raise DeskError(f"{actor} did not answer within {allowed}; see `vikalp status`") from error
        except RayTaskError as error:
            if isinstance(error.cause, VikalpError):
                raise error.cause from None
            raise DeskError(f"{actor} failed: {error.cause!r}") from error
        except RayActorError as error:
            self._handles.pop(actor, None)
            raise DeskError(f"{actor} is down or restarting; the call may or may not have run") from error
        except RayError as error:
            raise DeskError(f"{actor}: {error}") from error

    def _compared(self, actor: str, handle: Any, until: float, of_s: float) -> int:
        """How far the actor's clock is ahead of ours, ns; 0 where that is no more than the question took."""
        before = time.time_ns()
        theirs = self.get(actor, handle.wall_ns.remote(), until - time.monotonic(), of_s=of_s)
        after = time.time_ns()
        ahead = int(theirs) - (before + after) // 2
        return ahead if abs(ahead) > after - before else 0

    def handle(self, actor: str) -> Any:
        try:
            found = self._handles.get(actor)  # another thread's failure may forget it at any moment
            if found is None:
                found = self._handles[actor] = self._found(actor)
        except ValueError as error:
            raise DeskError(f"no actor {actor} on this desk; see `vikalp status`") from error
        except RayError as error:
            raise DeskError(f"Ray did not find {actor}: {error}") from error
        return found

    def _found(self, actor: str) -> Any:
        try:
            return ray.get_actor(actor, self._namespace)
        except ValueError:
            if not pair_of(actor):
                raise
            return ray.get_actor(pair_of(actor), self._namespace)


def this_process(program: str) -> Who:
    """Who asks, where that is whoever runs this process: the login name, the program, its pid and its machine."""
    return Who(user_id=getpass.getuser(), user_agent=f"{program} pid {os.getpid()} on {socket.gethostname()}")


class RiskClient(Calls):
    """core.ports.Risk over Ray. Raises DeskError when risk cannot be reached."""

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        return self.call("risk", "check", intent, replaces)  # type: ignore[no-any-return]

    def book(self, fill: Fill) -> None:
        self.call("risk", "book", fill)

    def release(self, tag: str) -> None:
        self.call("risk", "release", tag)

    def rests(self, tag: str, limit_paise: int) -> None:
        self.call("risk", "rests", tag, limit_paise)

    def settle(self, live: Mapping[str, int], trades: Collection[str]) -> None:
        self.call("risk", "settle", live, trades)

    def lease(self) -> int:
        return self.call("risk", "lease")  # type: ignore[no-any-return]

    def unsound(self) -> str:
        return self.call("risk", "unsound")  # type: ignore[no-any-return]

    def breach(self) -> str:
        return self.call("risk", "breach")  # type: ignore[no-any-return]

    def funds(self, found: Funds) -> Funds | None:
        return self.call("risk", "funds", found)  # type: ignore[no-any-return]

    def limits(self) -> Sequence[LimitUse]:
        return self.call("risk", "limits")  # type: ignore[no-any-return]

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> object:
        return self.call("risk", "set_limits", dict(changes), who, why)

    def margin(self, intent: Intent) -> Margin:
        return self.call("risk", "margin", intent)  # type: ignore[no-any-return]


class OrdersClient(Calls):
    """core.ports.Orders over Ray."""

    def submit(self, intent: Intent) -> Order:
        return self.call("oms", "submit", intent)  # type: ignore[no-any-return]

    def modify(self, tag: str, terms: Terms) -> Order:
        return self.call("oms", "modify", tag, terms)  # type: ignore[no-any-return]

    def cancel(self, tag: str) -> Order:
        return self.call("oms", "cancel", tag)  # type: ignore[no-any-return]

    def exit_all(self, why: str) -> Sequence[Order]:
        return self.call("oms", "exit_all", why, deadline_s=SLOW_S)  # type: ignore[no-any-return]

    def orders(self) -> Sequence[Order]:
        return self.call("oms", "orders")  # type: ignore[no-any-return]

    def all_orders(self) -> Sequence[Order]:
        return self.call("oms", "all_orders", deadline_s=SLOW_S)  # type: ignore[no-any-return]

    def positions(self) -> Sequence[Position]:
        return self.call("oms", "positions")  # type: ignore[no-any-return]

    def state(self) -> str:
        return self.call("oms", "state")  # type: ignore[no-any-return]

    def halt(self, why: str) -> str:
        return self.call("oms", "halt", why)  # type: ignore[no-any-return]

    def reduce(self, why: str) -> str:
        return self.call("oms", "reduce", why)  # type: ignore[no-any-return]

    def resume(self) -> str:
        return self.call("oms", "resume")  # type: ignore[no-any-return]

    def kill(self, why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001 as core.ports.Trading has it
        return self.call("oms", "kill", why, who, square_off)  # type: ignore[no-any-return]

    def killed(self) -> Kill | None:
        return self.call("oms", "killed")  # type: ignore[no-any-return]

    def release(self, why: str, who: str) -> str:
        return self.call("oms", "release", why, who)  # type: ignore[no-any-return]

    def start_plan(self, body: str) -> PlanStatus:
        return self.call("oms", "start_plan", body)  # type: ignore[no-any-return]

    def plans(self) -> Sequence[PlanStatus]:
        return self.call("oms", "plans")  # type: ignore[no-any-return]

    def all_plans(self) -> Sequence[PlanStatus]:
        return self.call("oms", "all_plans", deadline_s=SLOW_S)  # type: ignore[no-any-return]

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        return self.call("oms", "end_plan", plan_id, why)  # type: ignore[no-any-return]

    def convert(  # noqa: PLR0917 as core.ports.Trading has it
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, strategy: str, who: str,
        move_id: str,
    ) -> Move:  # fmt: skip
        return self.call(  # type: ignore[no-any-return]
            "oms", "convert", symbol, product_from, product_to, quantity, strategy, who, move_id
        )

    def adopt(  # noqa: PLR0917 as core.ports.Trading has it
        self, symbol: str, product: Product, strategy: str, who: str, move_id: str, price_paise: int
    ) -> Move:
        return self.call(  # type: ignore[no-any-return]
            "oms", "adopt", symbol, product, strategy, who, move_id, price_paise
        )

    def moves(self) -> Sequence[Move]:
        return self.call("oms", "moves")  # type: ignore[no-any-return]


class RayDeskClient(OrdersClient):
    """core.ports.DeskClient: everything the page, the command line and a notebook may ask."""

    def chain(self, index: str) -> Chain | None:
        return self.call(f"shard.{index}", "chain")  # type: ignore[no-any-return]

    def status(self) -> DeskStatus:
        reference = self.handle("supervisor").status.remote()
        return self.get("supervisor", reference, self._deadline_s)  # type: ignore[no-any-return]

    def budget(self) -> Sequence[LimitUse]:
        return self.call("oms", "budget")  # type: ignore[no-any-return]

    def limits(self) -> Sequence[LimitUse]:
        return self.call("risk", "limits")  # type: ignore[no-any-return]

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> object:
        return self.call("risk", "set_limits", dict(changes), who, why)

    def margin(self, intent: Intent) -> Margin:
        return self.call("risk", "margin", intent)  # type: ignore[no-any-return]
