"""The guard round a plain class and the bus between two of them, on a real Ray."""

import os
import signal
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import ray

from cluster.bus import RayBus
from cluster.client import Calls
from cluster.topology import Spec
from cluster.way import CALL_BYTES, BusLimits
from cluster.wire import encode, size_of
from core.errors import DeskError, InputError, UnknownName
from core.records import Stamp
from tests.cluster.conftest import NAMESPACE, call, ready, until, vitals
from tests.cluster.plain import Board, Plain, PlainConfig, PlainRecorder, PlainTaker, batch

pytestmark = [pytest.mark.cluster, pytest.mark.beside]
Create = Callable[[Spec], Any]


def plain(name: str, bus: RayBus | None = None, **config: Any) -> Spec:
    return Spec(name=name, cls=Plain, config=PlainConfig(**config), ports={"bus": bus})


def stamp(sequence: int, topic: str = "numbers", epoch: int = 1, sent_wall_ns: int = 0) -> Stamp:
    return Stamp(source="t", topic=topic, epoch=epoch, sequence=sequence, sent_wall_ns=sent_wall_ns or time.time_ns())


def one(stamp: Stamp, payload: Any) -> tuple[tuple[Stamp, Any], ...]:
    """A call's messages."""
    return ((stamp, payload),)


def bus(source: str, routes: dict[str, tuple[str, ...]], **options: Any) -> RayBus:
    return RayBus(NAMESPACE, routes, source=source, **options)


def test_a_deliberate_error_is_counted_and_a_gap_seen(create: Create) -> None:
    actor = create(plain("guard.counts"))
    ready(actor)
    for sequence, value in ((1, 10), (2, -1), (5, 11)):
        ray.get(actor.receive.remote(one(stamp(sequence), batch(value))))

    health = vitals(actor).health
    assert call(actor, "values") == [10, 11]
    assert (health.refused, health.gaps, health.handled) == (1, 2, 2)


def test_a_gap_is_told_once_a_second_and_what_was_lost_while_opening_is_not_counted(create: Create) -> None:
    actor = create(plain("guard.gaps"))
    ready(actor)

    def hears(sequence: int, epoch: int = 1, sent_wall_ns: int = 0) -> tuple[int, int]:
        sent = stamp(sequence, epoch=epoch, sent_wall_ns=sent_wall_ns)
        ray.get(actor.receive.remote(one(sent, batch(sequence))))
        return vitals(actor).health.gaps, len(call(actor, "heard"))

    assert hears(4, sent_wall_ns=1) == (0, 0)
    assert hears(9) == (0, 1), "lost while it opened: not counted, but asked for"
    assert hears(11) == (1, 1), "told once a second"
    sequences = count(14, 3)
    until(lambda: hears(next(sequences))[1] == 2, within_s=30, what="told again")
    gaps = vitals(actor).health.gaps
    assert hears(3, epoch=2)[0] == gaps + 2, "a sender's new epoch begins at 1"
    assert hears(2, epoch=2)[0] == gaps + 2, "late, and no gap"


def test_a_bug_ends_the_process_and_ray_starts_it_clean(create: Create) -> None:
    actor = create(plain("guard.bug"))
    before = ready(actor).pid
    ray.get(actor.receive.remote(one(stamp(1), batch(7))))
    actor.receive.remote(one(stamp(2), batch(-2)))

    after = until(
        lambda: (v := vitals(actor)) and v.pid != before and v.health.ready_ns and v, within_s=30, what="a new process"
    )
    assert after.health.handled == 0
    assert call(actor, "values") == []


def test_open_is_tried_again_and_a_call_before_it_says_why(create: Create, tmp_path: Path) -> None:
    actor = create(plain("guard.open", fail_opens=3, folder=str(tmp_path)))
    with pytest.raises(ray.exceptions.RayTaskError) as caught:
        call(actor, "values")

    assert isinstance(caught.value.cause, DeskError)
    ready(actor)
    assert (tmp_path / "opens").read_text() == "4"


def test_an_error_of_a_call_reaches_the_caller_as_itself(create: Create) -> None:
    ready(create(plain("guard.calls")))
    calls = Calls(NAMESPACE)

    with pytest.raises(InputError, match="as asked"):
        calls.call("guard.calls", "refuse")
    with pytest.raises(UnknownName, match="nothing_such"):
        calls.call("guard.calls", "nothing_such")
    with pytest.raises(DeskError, match=r"no actor guard\.nobody"):
        calls.call("guard.nobody", "values")


def test_health_answers_beside_a_handler_that_hangs(create: Create) -> None:
    actor = create(plain("guard.hangs"))
    ready(actor)
    actor.receive.remote(one(stamp(1), batch(-3)))

    stuck = until(
        lambda: (v := vitals(actor)) and v.health.in_flight_since_ns and v, within_s=30, what="a call in flight"
    )
    assert stuck.health.ready_ns


def test_a_slow_subscriber_loses_the_oldest_and_everything_is_accounted_for(create: Create) -> None:
    limits = BusLimits(waiting=2)
    sender = create(plain("bus.sender", bus("bus.sender", {"slow": ("bus.slow",)}, limits=limits)))
    receiver = create(plain("bus.slow"))
    ready(sender)
    ready(receiver)
    call(sender, "send", "slow", 0, 0)
    until(lambda: call(receiver, "values"), within_s=30, what="the first")
    dropped = call(sender, "send", "slow", 1, 20)["bus.slow"]

    got = until(
        lambda: len(v := call(receiver, "values")) + dropped == 21 and v, within_s=30, what="the queue is empty"
    )
    assert dropped >= 12
    assert got == sorted(got)
    assert got[-1] == 20, "the newest is what matters"
    assert vitals(receiver).health.gaps == dropped


def test_a_subscriber_that_is_not_there_is_a_counted_drop_and_is_found_when_it_comes(create: Create) -> None:
    sender = create(plain("bus.early", bus("bus.early", {"numbers": ("bus.late",)})))
    ready(sender)
    call(sender, "send", "numbers", 1, 1)
    until(lambda: vitals(sender).dropped.get("bus.late"), within_s=30, what="a counted drop")

    for _ in range(2):  # created, killed for good, created again: the old handle is not kept
        receiver = create(plain("bus.late"))
        ready(receiver)

        def arrives(to: Any = receiver) -> bool:
            call(sender, "send", "numbers", 5, 5)
            return 5 in call(to, "values")

        until(arrives, within_s=30, what="delivery to the new one")
        ray.kill(receiver, no_restart=True)


def test_the_first_message_to_one_that_began_anew_long_ago_arrives(create: Create) -> None:
    sender = create(plain("bus.idle", bus("bus.idle", {"numbers": ("bus.anew",)})))
    receiver = create(plain("bus.anew"))
    ready(sender)
    pid = ready(receiver).pid
    call(sender, "send", "numbers", 1, 1)
    until(lambda: call(receiver, "values") == [1], within_s=30, what="the first")
    os.kill(pid, signal.SIGKILL)
    until(lambda: (v := vitals(receiver)) and v.pid != pid and v.health.ready_ns, within_s=30, what="its new life")

    call(sender, "send", "numbers", 2, 2)

    until(lambda: call(receiver, "values") == [2], within_s=30, what="the first of its new life")
    assert vitals(sender).dropped == {}


def test_of_several_messages_in_a_call_a_refused_one_spoils_no_other(create: Create) -> None:
    actor = create(plain("guard.several"))
    ready(actor)
    ray.get(actor.receive.remote((*one(stamp(1), batch(1)), *one(stamp(2), batch(-1)), *one(stamp(4), batch(4)))))

    health = vitals(actor).health
    assert call(actor, "values") == [1, 4]
    assert (health.handled, health.refused, health.gaps) == (2, 1, 1)


def test_a_message_nobody_can_read_ends_the_process_as_any_bug_does(create: Create) -> None:
    actor = create(plain("guard.unread"))
    before = ready(actor).pid
    actor.receive.remote(one(stamp(1, topic="nothing_it_takes"), batch(1)))

    until(lambda: (v := vitals(actor)) and v.pid != before and v.health.ready_ns, within_s=30, what="a new process")


def test_the_recorder_misses_nothing_when_it_is_killed_between(create: Create, tmp_path: Path) -> None:
    spec = Spec(name="recorder", cls=PlainRecorder, config=PlainConfig(folder=str(tmp_path)))
    recorder = create(spec)
    sender = create(plain("bus.tape", bus("bus.tape", {"numbers": ("recorder",)})))
    ready(sender)
    pid = ready(recorder).pid
    call(sender, "send", "numbers", 1, 25)
    os.kill(pid, signal.SIGKILL)
    call(sender, "send", "numbers", 26, 60)

    durable = tmp_path / "durable"
    until(lambda: durable.exists() and len(durable.read_text().split()) >= 60, within_s=30, what="all on disk")
    assert [int(line) for line in durable.read_text().split()] == list(range(1, 61))
    assert vitals(sender).dropped == {}


def test_in_a_replay_too_the_recorder_misses_nothing_when_it_is_killed(create: Create, tmp_path: Path) -> None:
    recorder = create(Spec(name="recorder", cls=PlainRecorder, config=PlainConfig(folder=str(tmp_path))))
    sender = create(plain("bus.day", bus("bus.day", {"numbers": ("recorder",)}, lossless=True)))
    ready(sender)
    pid = ready(recorder).pid
    call(sender, "send", "numbers", 1, 25)
    os.kill(pid, signal.SIGKILL)
    call(sender, "send", "numbers", 26, 60)

    assert [int(line) for line in (tmp_path / "durable").read_text().split()] == list(range(1, 61))


def test_the_last_rows_are_sent_again_though_nothing_follows_them(create: Create, tmp_path: Path) -> None:
    recorder = create(Spec(name="recorder", cls=PlainRecorder, config=PlainConfig(folder=str(tmp_path))))
    sender = create(plain("bus.last", bus("bus.last", {"numbers": ("recorder",)})))
    ready(sender)
    pid = ready(recorder).pid
    call(sender, "send", "numbers", 1, 25)
    until(lambda: call(recorder, "held") == [21, 22, 23, 24, 25], within_s=30, what="five rows in memory")
    os.kill(pid, signal.SIGKILL)
    until(lambda: ready(recorder).pid != pid, within_s=30, what="a new recorder")

    until(lambda: call(recorder, "held") == [21, 22, 23, 24, 25], within_s=30, what="the five rows again")


def test_what_went_to_another_index_is_no_gap(create: Create) -> None:
    receivers = {index: create(plain(f"bus.of.{index}")) for index in ("A", "B")}
    for receiver in receivers.values():
        ready(receiver)
    sender = bus("bus.driver", {"numbers": ("bus.of.{index}",)})
    for value in range(1, 4):
        for index, receiver in receivers.items():
            sender.publish("numbers", batch(value), index=index)
            until(lambda to=receiver, n=value: len(call(to, "values")) == n, within_s=30, what=f"{value} at {index}")
    assert [vitals(receiver).health.gaps for receiver in receivers.values()] == [0, 0]


def test_two_indices_above_the_limit_of_a_call_each_get_their_own_payload_and_the_recorder_both(create: Create) -> None:
    """Both count 1, 2, 3: neither is taken for the other, on the way or where they meet."""
    receivers = {index: create(plain(f"bus.big.{index}")) for index in ("A", "B")}
    taker = create(Spec(name="recorder", cls=PlainTaker, config=PlainConfig()))
    for actor in (*receivers.values(), taker):
        ready(actor)
    sender = bus("bus.link", {"numbers": ("bus.big.{index}", "recorder")})
    rows = CALL_BYTES // 8 + 1
    for value in (1, 2, 3):
        for index, sign in (("A", 10), ("B", 20)):
            sender.publish("numbers", batch(*[sign + value] * rows), index=index)
    for index, sign in (("A", 10), ("B", 20)):
        until(lambda to=receivers[index]: len(call(to, "values")) == 3 * rows, within_s=30, what=f"three at {index}")
        assert set(call(receivers[index], "values")) == {sign + value for value in (1, 2, 3)}
    until(lambda: sorted(call(taker, "values")) == [11, 12, 13, 21, 22, 23], within_s=30, what="all at the recorder")
    assert vitals(taker).health.gaps == 0


def test_rows_the_ring_gave_up_stay_counted_when_all_the_others_are_on_disk(create: Create, tmp_path: Path) -> None:
    limits = BusLimits(ring_bytes=3 * size_of(encode(batch(1))))
    sender = create(plain("bus.full", bus("bus.full", {"numbers": ("recorder",)}, limits=limits)))
    ready(sender)
    call(sender, "send", "numbers", 1, 20)  # no recorder yet
    assert call(sender, "send", "numbers", 21, 21)["lost:recorder"] == 18
    recorder = create(Spec(name="recorder", cls=PlainTaker, config=PlainConfig()))
    ready(recorder)
    until(lambda: call(recorder, "values") == [19, 20, 21], within_s=30, what="what was left")

    until(lambda: vitals(sender).dropped == {"lost:recorder": 18}, within_s=30, what="the loss is still said")


def test_in_a_replay_publish_returns_when_the_message_was_handled(create: Create) -> None:
    sender = create(plain("bus.replay", bus("bus.replay", {"slow": ("bus.reader",)}, lossless=True)))
    receiver = create(plain("bus.reader"))
    ready(sender)
    ready(receiver)
    call(sender, "send", "slow", 1, 5)

    assert call(receiver, "values") == [1, 2, 3, 4, 5]
    assert vitals(receiver).health.gaps == 0


def test_an_array_in_a_port_can_be_written_in_the_actor(create: Create) -> None:
    actor = create(Spec(name="guard.array", cls=Plain, config=PlainConfig(), ports={"clock": Board()}))
    ready(actor)

    assert call(actor, "write") == 7
