"""Starting and ending from the outside: nobody ends what somebody else started, and nothing is lost without a word."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster import lifecycle
from cluster.head import end_tree, tagged
from cluster.lifecycle import AlreadyUpError, DrainError, clean, down, up
from cluster.ports import DESKS, in_use
from cluster.settings import load
from cluster.state import SESSION_TAG, DeskState, NotRunningError, desk_dir, find_state, pid_of, state_path, write_state
from core.errors import DeskError, LedgerDown
from tests.unit.storage.conftest import free_port

# A host that is READY at once and trades nothing; what it does when told to end is the second word.
FAKE_HOST = """
import os, signal, sys, threading
import msgspec
from cluster.state import alone, find_state, pid_of, state_path, write_state
how, file = sys.argv[1], sys.argv[2]
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
number = int(os.path.dirname(file).rpartition("-")[2])
with alone(number):
    state = find_state(number)
if how == "fails":
    write_state(msgspec.structs.replace(state, phase="FAILED", step="a fake never works"))
    sys.exit(1)
state = msgspec.structs.replace(state, phase="READY", step="ready", ready_wall_ns=1)
write_state(state)
told.wait()
if how == "dies":
    os._exit(9)
if how == "untidy":
    write_state(msgspec.structs.replace(state, phase="FAILED", step="entries not halted: oms is down"))
else:
    state_path(number).unlink()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIKALP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def host_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def choose(how: str) -> None:
        monkeypatch.setattr(lifecycle, "HOST", (sys.executable, "-c", FAKE_HOST, how))

    return choose


@pytest.fixture
def desk(home: Path) -> Iterator[int]:
    number = next(n for n in range(DESKS - 7, 0, -1) if not in_use(n))
    yield number
    with suppress(DeskError):
        list(down(number))


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """Somebody else's host."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


def foreign(number: int, process: "subprocess.Popen[bytes]") -> DeskState:
    state = DeskState(
        desk=number, session_id="theirs", phase="READY", step="ready", mode="REPLAY", host=pid_of(process.pid)
    )
    desk_dir(number).mkdir(parents=True)
    write_state(state)
    return state


def test_of_two_starts_at_once_one_is_refused_and_the_other_lives(
    desk: int, host_that: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    host_that("works")
    both = threading.Barrier(2)
    real = lifecycle.check

    def slow_check(settings: Any) -> None:
        """As long as a file takes to parse: for as long as the other may come in, too."""
        with suppress(threading.BrokenBarrierError):
            both.wait(1.0)
        real(settings)

    monkeypatch.setattr(lifecycle, "check", slow_check)
    ended: list[BaseException | str] = []

    def start() -> None:
        try:
            ended.append(list(up(load(), desk))[-1].session_id)
        except DeskError as error:
            ended.append(error)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    (winner,) = [one for one in ended if isinstance(one, str)]
    (loser,) = [one for one in ended if not isinstance(one, str)]
    assert isinstance(loser, AlreadyUpError)
    assert "already up" in str(loser)
    state = find_state(desk)
    assert state is not None
    assert state.session_id == winner
    assert state.alive


def test_the_state_names_the_host_from_the_moment_it_lives(desk: int, host_that: Callable[[str], None]) -> None:
    host_that("works")
    *_, last = up(load(), desk)
    state = find_state(desk)
    assert state is not None
    assert state.session_id == last.session_id
    assert state.host.pid != os.getpid()
    list(down(desk))
    assert not state.alive
    assert find_state(desk) is None


def test_a_start_that_fails_or_is_abandoned_leaves_nothing(desk: int, host_that: Callable[[str], None]) -> None:
    host_that("fails")
    with pytest.raises(DeskError, match="did not start: a fake never works"):
        list(up(load(), desk))
    assert find_state(desk) is None
    host_that("works")
    with closing(up(load(), desk)) as steps:
        next(steps)
        state = find_state(desk)
    assert state is not None
    assert not state.alive
    assert find_state(desk) is None


def test_a_refused_start_leaves_the_desk_that_runs(desk: int, sleeper: "subprocess.Popen[bytes]") -> None:
    theirs = foreign(desk, sleeper)
    with pytest.raises(AlreadyUpError):
        list(up(load(), desk))
    assert find_state(desk) == theirs
    assert sleeper.poll() is None


def test_cleaning_after_a_session_ends_its_processes_and_forgets_no_other(
    desk: int, sleeper: "subprocess.Popen[bytes]"
) -> None:
    theirs = foreign(desk, sleeper)
    left = subprocess.Popen(
        [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"],
        env=os.environ | {SESSION_TAG: "ours"},
        stdout=subprocess.PIPE,
    )
    assert left.stdout is not None
    left.stdout.readline()  # its environment can be read from when it runs
    pid = pid_of(left.pid)
    assert clean(msgspec.structs.replace(theirs, session_id="ours")) == 1
    assert not pid.alive()
    left.stdout.close()
    left.wait()
    assert find_state(desk) == theirs
    assert sleeper.poll() is None


FORKS = """
import os, signal, time
for born in range(300):
    if os.fork() == 0:
        signal.pause()
    if born == 20:
        print(flush=True)
    time.sleep(0.001)
signal.pause()
"""


def test_what_is_born_while_it_cleans_is_ended_too(desk: int, sleeper: "subprocess.Popen[bytes]") -> None:
    theirs = foreign(desk, sleeper)
    parent = subprocess.Popen(
        [sys.executable, "-c", FORKS], env=os.environ | {SESSION_TAG: "forks"}, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    try:
        assert clean(msgspec.structs.replace(theirs, session_id="forks")) > 20
        assert tagged("forks") == []
    finally:
        end_tree(tagged("forks"), grace_s=0)
        parent.stdout.close()
        parent.wait()


def test_where_no_desk_runs_there_is_nothing_to_end_and_that_is_an_error_of_its_own(desk: int) -> None:
    for number, words in ((desk, f"desk {desk} is not running"), (None, "no desk is running below ")):
        with pytest.raises(NotRunningError, match=f"{words}.*; nothing to end"):
            list(down(number))


def test_what_the_end_found_reaches_whoever_ends_the_desk(desk: int, host_that: Callable[[str], None]) -> None:
    host_that("untidy")
    list(up(load(), desk))
    said = []
    with pytest.raises(DrainError, match="not in order: entries not halted: oms is down"):
        for step in down(desk):
            said += [step.text]
    assert said[-1].startswith(f"desk {desk} is down")
    assert not state_path(desk).exists()


def test_a_host_that_dies_while_it_ends_is_no_end_in_order(desk: int, host_that: Callable[[str], None]) -> None:
    host_that("dies")
    list(up(load(), desk))
    with pytest.raises(DrainError, match="its host died while it ended"):
        list(down(desk))
    assert find_state(desk) is None


def test_a_ledger_elsewhere_is_asked_before_anything_is_started(desk: int, host_that: Callable[[str], None]) -> None:
    host_that("works")
    port = free_port()
    settings = load(overrides={"ledger.dsn": f"postgresql://someone:secret@127.0.0.1:{port}/desk"})
    with pytest.raises(LedgerDown, match=r"ledger.dsn: the ledger does not answer") as error:
        list(up(settings, desk))
    assert "secret" not in str(error.value)
    assert not desk_dir(desk).exists()
