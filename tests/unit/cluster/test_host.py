"""The host: what stands in its way does not keep it from ending the desk, and what it found is kept."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from cluster.desk import Desk
from cluster.drive import Drive
from cluster.host import Host
from cluster.kept import Kept
from cluster.settings import load
from cluster.state import DeskState, desk_dir, find_state, pid_of, write_state
from core.errors import ConfigError, DeskError

NUMBER = 31
# A driver: it ends at once, or drains when it is told to (on stdin, or by its second word) and says what it was given.
FAKE_DRIVER = """
import json, os, sys
how, file, *words = sys.argv[1:]
if how == "dies" and not words:
    sys.exit(7)
if how == "untidy start":
    print(json.dumps({"step": "actors are starting", "created": True}), flush=True)
if how == "fails to start":
    print(json.dumps({"step": "actors are starting", "created": True}))
    print(json.dumps({"failed": "not ready within 240 s: gateway STARTING"}), flush=True)
if how == "no Ray":
    print(json.dumps({"step": "Ray answers"}))
    print(json.dumps({"failed": "no port"}), flush=True)
    sys.exit(1)
if words != ["drain"] and sys.stdin.readline().strip() != "drain":
    sys.exit(1)
if how == "dies halfway":
    sys.exit(1)
if how != "tidy" and how != "dies":
    print(json.dumps({"unhalted": "oms is down"}))
print("a library's line")
print(json.dumps({"drained": True, "unclean": ["recorder"] if how == "untidy" else []}), flush=True)
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    desk_dir(NUMBER).mkdir()
    write_state(
        DeskState(
            desk=NUMBER, session_id="s", phase="STARTING", step="", mode="SIMULATED", host=pid_of(os.getpid()),
            temp_dir=str(tmp_path / "ray"),
        )
    )  # fmt: skip
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield Desk(
        desk=NUMBER, settings=load(), session_id="s", namespace="vikalp", dsn="", data_dir=str(tmp_path),
        anchor_wall_ns=0,
    )  # fmt: skip
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture
def head() -> Iterator["subprocess.Popen[bytes]"]:
    """Ray's head, as far as the host sees it."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    yield process
    process.kill()
    process.wait()


class FakeServer:
    """A PostgreSQL that dies, and does not start as often as it is told not to."""

    def __init__(self, *, refuses: int = 0) -> None:
        self.alive, self.refuses, self.starts, self.stopped, self.pid = True, refuses, 0, False, os.getpid()

    def start(self) -> None:
        self.starts += 1
        if self.refuses:
            self.refuses -= 1
            raise ConfigError("PostgreSQL ended while starting: No space left on device")
        self.alive = True

    def stop(self) -> None:
        self.stopped = True


def full_disk() -> None:
    """From now on this process cannot write the state: a folder lies where it writes aside."""
    (desk_dir(NUMBER) / f".state.json.{os.getpid()}").mkdir()


def drive(how: str) -> Drive:
    made = Drive(desk_dir(NUMBER), os.environ, command=(sys.executable, "-c", FAKE_DRIVER, how))
    (desk_dir(NUMBER) / "driver.pickle").touch()
    made._spawn()
    return made


def serving(desk: Desk, head: "subprocess.Popen[bytes]", how: str = "tidy") -> tuple[Host, FakeServer]:
    """A host whose desk is READY and trades, made of small processes."""
    host, server = Host(desk), FakeServer()
    host._head, host._drive = head, drive(how)
    host._postgres, host._kept = cast("Any", server), Kept(server, "PostgreSQL")
    host._change(phase="READY", step="ready", ready_wall_ns=1)
    host._created = True
    return host, server


def starting(desk: Desk, head: "subprocess.Popen[bytes]", how: str) -> Host:
    """A host whose driver has something to say before its desk is READY."""
    host = Host(desk)
    host._head, host._drive = head, drive(how)
    return host


def step() -> str:
    state = find_state(NUMBER)
    return f"{state.phase}: {state.step}" if state is not None else "gone"


def test_an_end_in_order_leaves_nothing(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host, server = serving(desk, head)
    host._stop.set()
    host._start = lambda: None  # type: ignore[method-assign]
    host.run()
    assert step() == "gone"
    assert server.stopped
    assert head.poll() is not None
    assert not (desk_dir(NUMBER) / "driver.pickle").exists()


def test_on_a_full_disk_everything_is_ended_all_the_same(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host, server = serving(desk, head)
    full_disk()
    host._end("")
    assert head.poll() is not None
    assert server.stopped
    assert host._drive is not None
    assert host._drive.ended()
    assert step() == "gone"


def test_a_step_of_the_end_that_fails_is_kept_and_the_next_is_taken(
    desk: Desk, head: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    host, server = serving(desk, head)

    def fails() -> None:
        raise RuntimeError("a bug while draining")

    monkeypatch.setattr(host, "_drain", fails)
    host._end("")
    assert head.poll() is not None
    assert server.stopped
    assert step() == "FAILED: draining the actors: RuntimeError: a bug while draining"


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(28, "No space left on device"), DeskError("a port")])
def test_the_reason_of_any_failure_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    host = Host(desk)

    def fails() -> None:
        raise error

    monkeypatch.setattr(host, "_start", fails)
    with pytest.raises(DeskError, match=str(error).replace("[", r"\[").replace("]", r"\]")):
        host.run()
    assert step().startswith("FAILED: ")
    assert step().endswith(str(error))


def test_a_head_that_ends_at_once_is_named_and_not_a_missing_process(desk: Desk) -> None:
    host = Host(desk)
    host._head = subprocess.Popen([sys.executable, "-c", "raise SystemExit(9)"], start_new_session=True)
    host._head.wait()
    host._note("head", host._head.pid)
    with pytest.raises(DeskError, match="Ray's head ended with code 9"):
        host._watch()


def test_what_the_drain_found_is_left_in_the_state(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host, _ = serving(desk, head, "untidy")
    host._end("")
    assert step() == "FAILED: entries not halted: oms is down; recorder did not close in time"


def test_a_desk_that_is_told_to_end_while_it_starts_is_drained(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host = starting(desk, head, "untidy start")
    host._stop.set()
    assert host._drive is not None
    host._await_ready(host._drive)
    host._end("")
    assert step() == "FAILED: entries not halted: oms is down"


def test_a_desk_that_does_not_get_ready_is_drained_and_says_why(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host = starting(desk, head, "fails to start")
    assert host._drive is not None
    with pytest.raises(DeskError, match="gateway STARTING") as caught:
        host._await_ready(host._drive)
    host._end(str(caught.value))
    assert step() == "FAILED: not ready within 240 s: gateway STARTING; entries not halted: oms is down"


def test_where_no_actor_was_started_nothing_is_drained(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host = starting(desk, head, "no Ray")
    assert host._drive is not None
    with pytest.raises(DeskError, match="no port") as caught:
        host._await_ready(host._drive)
    host._end(str(caught.value))
    assert step() == "FAILED: no port"


def test_a_driver_that_died_is_replaced_by_one_that_drains(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host, _ = serving(desk, head, "dies")
    assert host._drive is not None
    first = host._drive.pid
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    said: list[str] = []
    assert host._drive.drain(said.append) == []
    assert host._drive.pid != first
    assert said == ["the driver had ended with code 7: another one halts entries and drains the actors"]
    host._drive.end()


def test_a_driver_that_dies_while_it_drains_is_no_end_in_order(desk: Desk) -> None:
    made = drive("dies halfway")
    (why,) = made.drain(lambda _: None)
    assert why.startswith("the driver ended before the actors were drained")
    made.end()


def test_a_host_takes_no_desk_of_another_session(desk: Desk) -> None:
    with pytest.raises(DeskError, match="no state file of session other"):
        Host(msgspec.structs.replace(desk, session_id="other"))


def test_a_database_that_does_not_start_again_is_tried_ever_more_rarely_and_the_desk_stays(
    desk: Desk, head: "subprocess.Popen[bytes]"
) -> None:
    host, server = serving(desk, head)
    server.alive, server.refuses = False, 1
    host._watch()
    assert "READY: ALARM: PostgreSQL does not start again, next try in 1 s" in step()
    assert "No space left" in step()
    host._watch()
    assert server.starts == 1, "not before a second has passed"
    host._end("")

    again: Callable[[float], str] = Kept(server, "PostgreSQL").look
    server.alive, server.refuses, server.starts = False, 6, 0
    tried = [now for now in range(60) if again(float(now))]
    assert tried == [0, 1, 3, 8, 18, 28, 38]
    assert server.alive


def test_a_database_that_runs_again_is_said_and_noted(desk: Desk, head: "subprocess.Popen[bytes]") -> None:
    host, server = serving(desk, head)
    server.alive = False
    host._watch()
    assert step() == "READY: ready"
    state = find_state(NUMBER)
    assert state is not None
    assert state.pids["postgres"].pid == server.pid
    host._end("")
