"""Bringing a desk up and down from the outside: what `vikalp up`, `vikalp down` and the tests call.

`up` and `down` are generators of Step, so that a command line can show progress; nothing happens until they are
iterated.
"""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import psutil

from cluster.desk import Desk, check, market_says, tape_url
from cluster.facts import load_facts
from cluster.head import end_tree, tagged
from cluster.ports import ports, require_free
from cluster.settings import Settings
from cluster.state import (
    ROOT,
    DeskState,
    desk_dir,
    find_state,
    pid_of,
    read_state,
    state_path,
    temp_dir,
    write_private,
    write_state,
    write_token,
)
from core.errors import DeskError

POLL_S = 0.05


@dataclass(frozen=True)
class Step:
    """One thing that happened on the way."""

    text: str
    seconds: float  # since the beginning
    done: bool = False


def up(settings: Settings, desk: int = 0) -> Iterator[Step]:
    """Start desk number `desk` as a background process tree and yield what happens until it is READY.

    Raises DeskError for a second `up` or a failed start (nothing is left running then), ConfigError for a port in use.
    """
    began = time.monotonic()
    before = find_state(desk)
    if before is not None and before.alive:
        page = f", its page is {before.page_url}" if before.page_url else ""
        raise DeskError(f"desk {desk} is already up (pid {before.host.pid}){page}; end it: vikalp down --desk {desk}")
    if before is not None:
        yield Step(f"cleaning up after a desk that died: {clean(before)} processes ended", time.monotonic() - began)
    check(settings)
    require_free(desk)
    made, state = _prepare(settings, desk)
    host = None
    try:
        host = _spawn(made)
        yield from _follow(desk, state.session_id, host, began)
    except GeneratorExit:
        raise
    except BaseException:
        if host is not None:
            _end(host)
        clean(find_state(desk) or state)
        raise


def down(desk: int | None = None) -> Iterator[Step]:
    """End a desk in order and yield what happens; cleans up after one whose host died. Raises DeskError when there is
    none.
    """
    began = time.monotonic()
    state = _target(desk)
    if not state.alive:
        yield Step(f"its host had died: {clean(state)} processes ended", time.monotonic() - began, done=True)
        return
    os.kill(state.host.pid, signal.SIGTERM)
    said = ""
    while state.host.alive():
        now = find_state(state.desk)
        if now is not None and now.session_id == state.session_id and now.phase == "STOPPING" and now.step != said:
            said = now.step
            yield Step(said, time.monotonic() - began)
        if time.monotonic() - began > 60:
            os.kill(state.host.pid, signal.SIGKILL)
            yield Step(f"the host did not end within 60 s: {clean(state)} processes ended", time.monotonic() - began)
            break
        time.sleep(POLL_S)
    left = clean(state)
    yield Step(
        f"desk {state.desk} is down" + (f", {left} leftovers ended" if left else ""),
        time.monotonic() - began,
        done=True,
    )


def clean(state: DeskState) -> int:
    """End what a dead desk left behind and forget it; returns how many processes that were.

    Only processes whose environment carries the desk's session, or whose recorded pid still has its recorded start
    time.
    """
    left = {process.pid: process for process in tagged(state.session_id)}
    for pid in state.pids.values():
        if pid.alive():
            left[pid.pid] = psutil.Process(pid.pid)
    postgres = state.pids.get("postgres")
    if postgres is not None and postgres.pid in left:
        left[postgres.pid].send_signal(signal.SIGINT)  # fast shutdown: it rolls back and writes a checkpoint
        _gone(postgres.pid, 10.0)
    ended = len(left)
    end_tree(left.values(), grace_s=0.0)
    shutil.rmtree(state.temp_dir or temp_dir(state.desk), ignore_errors=True)
    state_path(state.desk).unlink(missing_ok=True)
    return ended


def _target(desk: int | None) -> DeskState:
    if desk is None:
        return read_state(None)
    state = find_state(desk)
    if state is None:
        raise DeskError(f"desk {desk} is not running; nothing to end")
    return state


def _prepare(settings: Settings, desk: int) -> tuple[Desk, DeskState]:
    folder = desk_dir(desk)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL may run as another user and must reach its own folder below
    session_id = f"{settings.mode.lower()}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    numbers = ports(desk)
    made = Desk(
        desk=desk,
        settings=settings,
        session_id=session_id,
        namespace="vikalp",
        dsn=settings.ledger.dsn,
        data_dir=str(folder),
        anchor_wall_ns=time.time_ns(),
        facts=load_facts(),
    )
    state = DeskState(
        desk=desk,
        session_id=session_id,
        phase="STARTING",
        step="starting the host",
        mode=settings.mode,
        host=pid_of(os.getpid()),
        ports=asdict(numbers),
        address=f"127.0.0.1:{numbers.gcs}",
        client_url=f"ray://127.0.0.1:{numbers.client}",
        dashboard_url=f"http://127.0.0.1:{numbers.dashboard}",
        page_url=f"http://127.0.0.1:{numbers.page}",
        token_path=str(write_token(desk)),
        temp_dir=str(temp_dir(desk)),
        data_dir=str(folder),
        tape_url=tape_url(made),
        log_path=str(folder / "host.log"),
        anchor_wall_ns=made.anchor_wall_ns,
        market_says=market_says(made),
        started_wall_ns=time.time_ns(),
    )
    write_state(state)
    return made, state


def _spawn(desk: Desk) -> "subprocess.Popen[bytes]":
    folder = desk_dir(desk.desk)
    file = folder / "desk.pickle"
    write_private(file, "")
    file.write_bytes(pickle.dumps(desk))
    with (folder / "host.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "cluster.host", str(file)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for the command line, which then calls down()
        )


def _follow(desk: int, session_id: str, host: "subprocess.Popen[bytes]", began: float) -> Iterator[Step]:
    said = ""
    while True:
        code = host.poll()
        state = find_state(desk)
        if state is None or state.session_id != session_id:
            raise DeskError(f"desk {desk} was ended while it started")
        if state.step != said and state.phase == "STARTING":
            said = state.step
            yield Step(said, time.monotonic() - began)
        if state.phase == "READY":
            yield Step(f"desk {desk} is ready: {state.page_url}", time.monotonic() - began, done=True)
            return
        if code is not None:
            why = state.step if state.phase == "FAILED" else f"its host ended with code {code}; see {state.log_path}"
            raise DeskError(f"desk {desk} did not start: {why}")
        time.sleep(POLL_S)


def _end(host: "subprocess.Popen[bytes]", within_s: float = 60.0) -> None:
    host.send_signal(signal.SIGTERM)
    try:
        host.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        host.kill()  # what it started is found by the desk's session
        host.wait()


def _gone(pid: int, within_s: float) -> None:
    try:
        psutil.Process(pid).wait(timeout=within_s)
    except psutil.Error:
        return  # gone, or it takes longer: it is recovering, and the next start adopts it
