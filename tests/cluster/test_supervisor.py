"""The supervisor over tiny actors, on a real Ray: what is gone, stuck, silent or hopeless."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray
from ray import cloudpickle

from cluster.bus import RayBus
from cluster.decide import SupervisionConfig
from cluster.supervisor import GROUPS, DeskFacts, Supervisor
from cluster.topology import Spec
from core.records import ActorStatus, DeskStatus, Stamp
from tests.cluster.conftest import NAMESPACE, SESSION, STUCK_WORDS, call, supervisor_of, until
from tests.cluster.plain import Plain, PlainConfig, Wall, always_open, batch

pytestmark = pytest.mark.cluster
FACTS = DeskFacts(desk=0, mode="SIMULATED", namespace=NAMESPACE, session_id="s", market_says="a test")
LIMITS = SupervisionConfig(probe_ms=200, stuck_s=1.5, silent_s=2.0, open_s=10.0)
Watch = Callable[[list[Spec]], Any]


@pytest.fixture
def watch(head: str) -> Iterator[Watch]:
    made = []

    def begin(specs: list[Spec]) -> Any:
        cls = ray.remote(concurrency_groups=GROUPS)(Supervisor)
        options = {
            "name": "supervisor",
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "num_cpus": 0,
            "max_restarts": -1,
        }
        handle = cls.options(**options).remote(
            FACTS, cloudpickle.dumps(specs), LIMITS, clock=Wall(), phase=always_open, ledger=None
        )
        made.append(handle)
        return handle

    yield begin
    for handle in made:
        ray.get(handle.drain.remote(3.0), timeout=20)
        ray.kill(handle, no_restart=True)


def status(supervisor: Any) -> DeskStatus | None:
    try:
        return ray.get(supervisor.status.remote(), timeout=10)
    except ray.exceptions.RayError:
        return None


def reaches(supervisor: Any, name: str, state: str, *, within_s: float = 30, but: int = 0) -> ActorStatus:
    """Wait until actor `name` is in `state`, in another process than `but`."""

    def check() -> ActorStatus | None:
        said = status(supervisor)
        rows = said.actors if said else ()
        return next((a for a in rows if a.name == name and a.state == state and a.pid != but), None)

    return until(check, within_s=within_s, what=f"{name} is {state}")


def plain(name: str, **config: Any) -> Spec:
    return Spec(name=name, cls=Plain, config=PlainConfig(**config))


def test_a_killed_actor_and_a_stopped_one_are_back_and_the_supervisor_adopts_them(watch: Watch) -> None:
    supervisor = watch([plain("s.one"), plain("s.two")])
    one, two = reaches(supervisor, "s.one", "READY"), reaches(supervisor, "s.two", "READY")

    os.kill(one.pid, signal.SIGKILL)
    again = reaches(supervisor, "s.one", "READY", within_s=30, but=one.pid)
    assert again.incarnation == 2

    os.kill(two.pid, signal.SIGSTOP)
    back = reaches(supervisor, "s.two", "READY", within_s=30, but=two.pid)
    said = status(supervisor)
    assert said is not None
    assert any(STUCK_WORDS.search(alert.message) for alert in said.alerts)

    supervisor_of(SESSION).kill()
    assert reaches(supervisor, "s.one", "READY", within_s=30).pid == again.pid, "adopted, not started again"
    assert reaches(supervisor, "s.two", "READY").pid == back.pid


def test_an_actor_that_hangs_while_its_supervisor_is_killed_is_found_stuck_by_the_next(watch: Watch) -> None:
    supervisor = watch([plain("s.hangs"), plain("s.well")])
    before, well = reaches(supervisor, "s.hangs", "READY"), reaches(supervisor, "s.well", "READY")
    os.kill(before.pid, signal.SIGSTOP)
    supervisor_of(SESSION).kill()

    back = reaches(supervisor, "s.hangs", "READY", within_s=LIMITS.open_s + 30, but=before.pid)
    said = status(supervisor)
    assert back.pid
    assert said is not None
    assert any("STUCK: no answer" in alert.message for alert in said.alerts if alert.subject == "s.hangs")
    assert reaches(supervisor, "s.well", "READY").pid == well.pid, "adopted, not started again"


def test_a_crash_in_a_loop_is_quarantined_and_the_others_go_on(watch: Watch) -> None:
    supervisor = watch([plain("s.loop", crash=True), plain("s.fine")])
    reaches(supervisor, "s.loop", "QUARANTINED", within_s=30)
    said = status(supervisor)

    assert said is not None
    assert any(alert.severity == "alarm" and alert.subject == "s.loop" for alert in said.alerts)
    assert reaches(supervisor, "s.fine", "READY").incarnation == 1
    with pytest.raises(ValueError, match=r"s\.loop"):
        ray.get_actor("s.loop", NAMESPACE)


def test_a_handler_that_hangs_and_an_actor_that_falls_silent_are_killed(watch: Watch) -> None:
    bus = RayBus(NAMESPACE, {"numbers": ("s.sink",)}, source="s.source")
    source = Spec(
        name="s.source", cls=Plain, config=PlainConfig(timer_ms=100), ports={"bus": bus}, upstream=("s.source",)
    )
    deaf = Spec(name="s.deaf", cls=Plain, config=PlainConfig(), upstream=("s.source",))
    supervisor = watch([source, plain("s.sink"), deaf])
    sink = reaches(supervisor, "s.sink", "READY")
    reaches(supervisor, "s.deaf", "SILENT", within_s=30)
    hang = Stamp(source="t", topic="numbers", epoch=1, sequence=1, sent_wall_ns=0)
    ray.get_actor("s.sink", NAMESPACE).receive.remote(((hang, batch(-3)),))
    back = reaches(supervisor, "s.sink", "READY", within_s=30, but=sink.pid)
    handle = ray.get_actor("s.sink", NAMESPACE)

    until(lambda: call(handle, "values"), within_s=30, what="data again")
    assert back.incarnation == 2
    assert reaches(supervisor, "s.source", "READY").incarnation == 1


def test_what_an_actor_raises_and_refuses_is_in_the_status_and_outlives_it(watch: Watch) -> None:
    supervisor = watch([plain("s.says")])
    before = reaches(supervisor, "s.says", "READY")
    call(ray.get_actor("s.says", NAMESPACE), "alarm", "HALTED, the ledger is away")

    def said() -> set[tuple[str, str]]:
        found = status(supervisor)
        return {(alert.subject, alert.message) for alert in found.alerts} if found else set()

    until(lambda: ("orders", "HALTED, the ledger is away") in said(), within_s=30, what="its alarm is shown")
    until(lambda: any(about == "s.says" and "refused: time" in words for about, words in said()),
          within_s=30, what="what it refuses is shown")  # fmt: skip
    assert reaches(supervisor, "s.says", "READY").why == "rows refused: time 1,000"
    os.kill(before.pid, signal.SIGKILL)
    reaches(supervisor, "s.says", "READY", but=before.pid)
    assert ("orders", "HALTED, the ledger is away") in said(), "kept by the supervisor"
