"""What persons and programs ask actors to do, as lines of the audit log: who, from where, what, before and after.

A caller that says who it is is the page, the API, the command line, a notebook, the host. Actors among each other say
nothing: an order of a strategy names it, and is a line of the ledger's own. The line is written when the act is done
and before its caller is answered, outside of the actor's turn, so that nothing waits for it but who asked. What the
ledger does not take then is written as soon as it does, by this process: a kill switch does not wait for a ledger.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from core.errors import LedgerDown, VikalpError
from core.orders.answer import printable
from core.records import Intent, Move, Order, PlanStatus, Who

log = structlog.get_logger()
AGAIN_S = 1.0  # between two tries of what the ledger has not taken
MOST = 1_000  # that are kept for it
# What only looks. Anything else that somebody asks for is an act.
LOOKS = frozenset(
    {
        "chain",
        "status",
        "order",
        "orders",
        "all_orders",
        "positions",
        "plans",
        "all_plans",
        "killed",
        "state",
        "limits",
        "budget",
        "margin",
        "progress",
        "moves",
    }
)

Value = Mapping[str, object]


class Audits(Protocol):
    """The part of core.ports.Ledger that is needed here."""

    def audit(
        self, actor: str, action: str, detail: Value, *, who: Who | None = None, entity: tuple[str, str] = ("", ""),
        old: Value | None = None, new: Value | None = None,
    ) -> None: ...  # fmt: skip


class Act(NamedTuple):
    """Something that somebody has asked for; `old` is what it is about, as it was."""

    who: Who
    method: str
    args: tuple[Any, ...]
    old: Value | None


class Acts:
    """Of one actor, called `name`; without a ledger nothing is written. Called from several threads."""

    def __init__(self, name: str, ledger: Audits | None) -> None:
        self._name, self._ledger = name, ledger
        self._left: deque[Callable[[Audits], None]] = deque()
        self._lock = threading.Lock()

    def begin(self, actor: Any, who: Who | None, method: str, args: tuple[Any, ...]) -> Act | None:
        """In the actor's turn, before it does it; None where there is nothing to write."""
        if who is None or self._ledger is None or method in LOOKS:
            return None
        return Act(who, method, args, _before(actor, method, args))

    def end(self, act: Act | None, outcome: Any) -> Any:
        """`outcome` is the answer, or the error that the caller is told; it comes back."""
        if act is None or self._ledger is None:
            return outcome
        entity, new = _entity(self._name, act, outcome), _value(outcome)
        detail = {"asked": [_plain(one) for one in act.args]}

        def write(ledger: Audits) -> None:
            ledger.audit(self._name, act.method, detail, who=act.who, entity=entity, old=act.old, new=new)

        try:
            write(self._ledger)
        except LedgerDown as error:
            log.warning("an act is not in the ledger yet", actor=self._name, act=act.method, who=act.who.user_id,
                        error=f"{error}")  # fmt: skip
            self._later(self._ledger, write)
        except VikalpError as error:  # the act is done: told this, its caller would do it again
            self._unwritten(error)
        return outcome

    def _later(self, ledger: Audits, write: Callable[[Audits], None]) -> None:
        with self._lock:
            if len(self._left) >= MOST:
                log.error("an act is not in the ledger and never will be: too many wait for it", actor=self._name)
                return
            self._left.append(write)
            if len(self._left) == 1:
                threading.Thread(target=self._again, args=(ledger,), name="acts", daemon=True).start()

    def _again(self, ledger: Audits) -> None:
        while True:
            try:
                self._left[0](ledger)
            except LedgerDown:
                time.sleep(AGAIN_S)
                continue
            except VikalpError as error:  # one the ledger cannot hold stops no other
                self._unwritten(error)
            with self._lock:
                self._left.popleft()
                if not self._left:
                    return

    def _unwritten(self, error: VikalpError) -> None:
        log.warning("an act that the ledger cannot hold", actor=self._name, error=f"{error}")


def _before(actor: Any, method: str, args: tuple[Any, ...]) -> Value | None:
    if method in {"submit", "modify", "cancel"}:
        tag = args[0].tag if isinstance(args[0], Intent) else args[0]
        found = actor.order(tag)
        return _value(found) if found is not None else None
    state = getattr(actor, "state", None)
    return {"state": state()} if state is not None else None


def _entity(name: str, act: Act, outcome: object) -> tuple[str, str]:
    if isinstance(outcome, Order):
        return "order", outcome.intent.tag
    if isinstance(outcome, PlanStatus):
        return "plan", outcome.plan_id
    if isinstance(outcome, Move):
        return "position", f"{outcome.symbol} {outcome.product} {outcome.strategy}"
    first = act.args[0] if act.args else ""
    if isinstance(first, Intent):
        return "order", first.tag
    if act.method in {"modify", "cancel"}:
        return "order", printable(f"{first}")
    return ("plan", printable(f"{first}")) if act.method == "end_plan" else ("actor", name)


def _value(said: object) -> Value:
    if isinstance(said, VikalpError):
        return {"error": f"{said}"}
    if isinstance(said, Order):
        whole = _plain(said)
        return {name: whole[name] for name in whole if name != "intent"}
    if isinstance(said, list | tuple):
        return {"orders": [{"tag": one.intent.tag, "state": one.state} for one in said if isinstance(one, Order)]}
    if isinstance(said, msgspec.Struct):
        return dict(_plain(said))
    return {"state": said} if isinstance(said, str) else {"answer": _plain(said)}


def _plain(said: object) -> Any:
    return _clean(msgspec.to_builtins(said, enc_hook=str))


def _clean(said: Any) -> Any:
    """In words that a ledger can hold: nobody acts unseen by a NUL in what he says."""
    if isinstance(said, str):
        return printable(said)
    if isinstance(said, Mapping):
        return {printable(f"{key}"): _clean(value) for key, value in said.items()}
    return [_clean(one) for one in said] if isinstance(said, list | tuple) else said
