"""Who asked the desk for what: one line an act, with what it was about before and after."""

import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from cluster.acts import LOOKS, Acts
from cluster.client import OrdersClient, RayDeskClient, this_process
from core.errors import InputError
from core.ports import DeskClient, Trading
from core.records import PlanStatus, Terms, Who
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import LOT, intent
from tests.unit.cluster.test_client import Elsewhere, Method
from tests.world_oms import World

ASHA = Who(user_id="asha", ip_address="203.0.113.7", user_agent="Firefox")


class Asked:
    """An order manager's guard as far as acts go."""

    def __init__(self) -> None:
        self.world = World()
        self.acts = Acts("oms", self.world.ledger)

    def call(self, method: str, *args: Any, who: Who | None = ASHA) -> Any:
        act = self.acts.begin(self.world.oms, who, method, args)
        try:
            answer = getattr(self.world.oms, method)(*args)
        except InputError as error:
            self.acts.end(act, error)
            raise
        self.acts.end(act, answer)
        return answer

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.world.ledger.audited


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not what():
        assert time.monotonic() < deadline, "not within 10 s"
        time.sleep(0.01)


def test_an_order_by_hand_names_who_from_where_and_what_became_of_it() -> None:
    asked = Asked()
    asked.call("submit", intent("A", strategy="manual"))
    asked.call("modify", "A", Terms(order_type="LIMIT", limit_paise=34_000))
    asked.call("cancel", "A")
    placed, changed, cancelled = asked.lines

    assert [(line["action"], line["entity"], line["who"]) for line in asked.lines] == [
        (action, ("order", "A"), ASHA) for action in ("submit", "modify", "cancel")
    ]
    assert (placed["old"], placed["new"]["state"]) == (None, "OPEN")
    assert placed["detail"]["asked"][0]["quantity"] == LOT
    assert (changed["old"]["resting_limit_paise"], changed["new"]["resting_limit_paise"]) == (0, 34_000)
    assert (cancelled["old"]["state"], cancelled["new"]["state"]) == ("OPEN", "CANCELLED")


def test_states_kills_and_their_release_say_what_it_was_before() -> None:
    asked = Asked()
    for method, args in (("halt", ("lunch",)), ("resume", ()), ("kill", ("fire", "asha", False)),
                         ("release", ("no fire", "asha")), ("reduce", ("calm",)), ("exit_all", ("home",))):  # fmt: skip
        asked.call(method, *args)

    assert [(line["action"], line["old"]["state"]) for line in asked.lines] == [
        ("halt", "ACTIVE"), ("resume", "HALTED"), ("kill", "ACTIVE"), ("release", "HALTED"), ("reduce", "HALTED"),
        ("exit_all", "REDUCING"),
    ]  # fmt: skip
    assert asked.lines[0]["new"] == {"state": "HALTED"}
    assert asked.lines[0]["detail"] == {"asked": ["lunch"]}
    assert asked.lines[2]["new"]["why"] == "fire"


def test_what_was_refused_is_a_line_too_and_who_only_looks_or_is_an_actor_leaves_none() -> None:
    asked = Asked()
    with pytest.raises(InputError):
        asked.call("kill", "", "asha", False)
    asked.call("submit", intent("A"), who=None)
    for look in ("orders", "positions", "plans", "state", "killed"):
        asked.call(look)

    assert [(line["action"], "expected who pulls it" in line["new"]["error"]) for line in asked.lines] == [
        ("kill", True)
    ]


def test_a_plan_is_named_by_its_id() -> None:
    acts, ledger = Acts("oms", made := MemoryLedger()), made
    acts.end(acts.begin(object(), ASHA, "end_plan", ("P1", "enough")), InputError("no plan P1"))
    status = PlanStatus(plan_id="P2", kind="basket", strategy="manual", index="NIFTY", running=True, body="{}")
    acts.end(acts.begin(object(), ASHA, "start_plan", ("{}",)), status)

    assert [line["entity"] for line in ledger.audited] == [("plan", "P1"), ("plan", "P2")]


def test_without_the_ledger_it_is_done_all_the_same_and_written_once_the_ledger_is_back() -> None:
    asked = Asked()
    asked.world.ledger.down = lambda name: name == "audit"
    asked.call("halt", "lunch")
    asked.call("kill", "fire", "asha", False)
    before = list(asked.lines)
    asked.world.ledger.down = lambda name: False
    until(lambda: len(asked.lines) == 2)

    assert before == []
    assert [line["action"] for line in asked.lines] == ["halt", "kill"]


def test_what_no_ledger_can_hold_is_written_as_it_can_and_hides_no_act() -> None:
    acts = Acts("oms", ledger := MemoryLedger())
    asked = ({"why\0": ["a\0b", "\udc80"]},)
    acts.end(acts.begin(object(), ASHA, "halt", asked), "HALTED")

    acts.end(acts.begin(object(), ASHA, "end_plan", ("P\0", "why")), InputError("no plan"))

    assert ledger.audited[0]["detail"] == {"asked": [{"why?": ["a?b", "?"]}]}
    assert ledger.audited[1]["entity"] == ("plan", "P?")


def test_an_act_whose_line_the_ledger_refuses_is_answered_as_it_was_done() -> None:
    class Refusing(MemoryLedger):
        def audit(self, *args: Any, **more: Any) -> None:
            raise InputError("the ledger cannot hold this value")

    acts = Acts("oms", Refusing())
    assert acts.end(acts.begin(object(), ASHA, "halt", ("lunch",)), "HALTED") == "HALTED"


def test_of_more_than_memory_is_for_the_first_are_kept_and_the_rest_are_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.acts.MOST", 3)
    acts, held = Acts("oms", ledger := MemoryLedger()), threading.Event()
    ledger.down = lambda name: not held.is_set()
    with structlog.testing.capture_logs() as logs:
        for why in "abcde":
            acts.end(acts.begin(object(), ASHA, "halt", (why,)), "HALTED")
    held.set()
    until(lambda: len(ledger.audited) >= 3)

    assert [line["detail"]["asked"] for line in ledger.audited] == [["a"], ["b"], ["c"]]
    assert sum("never will be" in line["event"] for line in logs) == 2


def test_a_person_s_client_says_who_it_is_and_an_actor_s_own_does_not() -> None:
    heard: list[tuple[Any, ...]] = []

    class There(Elsewhere):
        def __init__(self) -> None:
            super().__init__(0.0)
            self.call = Method(lambda *args: heard.append(args[3:]))

    for made in (OrdersClient("vikalp"), RayDeskClient("vikalp", who=lambda: this_process("a test"))):
        made.handle = lambda actor: There()  # type: ignore[method-assign]
        made.get = lambda actor, reference, limit_s, of_s=None: reference()  # type: ignore[method-assign]
        made.halt("lunch")

    nobody, [said] = heard
    assert nobody == ()
    assert said.user_agent.startswith("a test pid ")
    assert said.user_id


def test_every_command_of_a_desk_s_client_is_an_act() -> None:
    commands = {name for name in dir(DeskClient) if not name.startswith("_")} - LOOKS

    assert commands >= {"submit", "modify", "cancel", "exit_all", "halt", "reduce", "resume", "kill", "release",
                        "start_plan", "end_plan", "set_limits"}  # fmt: skip


def test_what_a_desk_s_client_asks_without_a_word_only_looks() -> None:
    """But for `resume`: a new question that nobody called a look would be a line of the audit log each time."""
    said = {name: inspect.signature(method).parameters for name, method in vars(DeskClient).items() if callable(method)}
    said |= {name: inspect.signature(method).parameters for name, method in vars(Trading).items() if callable(method)}
    mute = {name for name, parameters in said.items() if not name.startswith("_") and set(parameters) == {"self"}}

    assert "orders" in mute
    assert mute - LOOKS == {"resume"}
