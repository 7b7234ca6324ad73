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
from contextlib import suppress
from dataclasses import asdict, dataclass

import msgspec
import psutil

from cluster.desk import Desk, check, market_says, tape_url
from cluster.dump import keep_dump, with_dump
from cluster.facts import keep_copy, load_facts
from cluster.head import end_session
from cluster.ports import ports, require_free
from cluster.running import keep_settings
from cluster.settings import Settings
from cluster.state import (
    ROOT,
    DeskState,
    alone,
    desk_dir,
    find_state,
    pid_of,
    state_path,
    temp_dir,
    to_end,
    write_private,
    write_state,
    write_token,
)
from core.errors import DeskError
from storage.postgres import require_answer

POLL_S = 0.05
END_S = 90.0  # within which a host has ended everything, were each of its steps to take as long as it may
HOST = (sys.executable, "-m", "cluster.host")


class AlreadyUpError(DeskError):
    """The desk's number is taken."""


class DrainError(DeskError):
    """The desk is down, but something of it was lost or left undone."""


@dataclass(frozen=True)
class Step:
    """One thing that happened on the way."""

    text: str
    seconds: float  # since the beginning
    done: bool = False
    session_id: str = ""  # of the desk that `up` made: whose it is to end


def up(settings: Settings, desk: int = 0) -> Iterator[Step]:
    """Start desk number `desk` as a background process tree and yield what happens until it is READY.

    A start that fails, or is abandoned before the last step, ends what it started and nothing else. Raises
    AlreadyUpError for a second `up`, LedgerDown for a ledger.dsn that does not answer, ConfigError for a port in use,
    for a live market what require_login does, DeskError for a failed start.
    """
    began = time.monotonic()
    state, host = None, None
    try:
        with alone(desk):
            cleaned = _make_room(desk)
            check(settings)
            if settings.ledger.dsn:
                require_answer(settings.ledger.dsn)
            if settings.market.source == "kite":
                from cluster.account import require_login  # noqa: PLC0415 Kite's client takes as long to load as the rest

                require_login(settings)
            require_free(desk)
            made, state = _prepare(settings, desk)
            host = _spawn(made)
            state = msgspec.structs.replace(state, host=pid_of(host.pid))  # from here on it lives without us
            write_state(state)
        if cleaned is not None:
            text = f"cleaning up after a desk that died: {cleaned} processes ended"
            yield Step(text, time.monotonic() - began, session_id=state.session_id)
        yield from _follow(state, host, began)
    except BaseException:
        if host is not None:
            _end(host)
        if state is not None:
            now = find_state(desk)
            clean(now if now is not None and now.session_id == state.session_id else state)
        raise
    text = f"desk {desk} is ready: {state.page_url}"
    yield Step(text, time.monotonic() - began, done=True, session_id=state.session_id)


def down(desk: int | None = None) -> Iterator[Step]:
    """End a desk in order and yield what happens; cleans up after one whose host died. Raises
    what to_end does, DrainError at the end when it is down but entries were not halted or an actor left something
    behind.
    """
    began = time.monotonic()
    state = to_end(desk)
    with alone(state.desk):  # a start has it until the file names the host
        state = _still(state) or state
    if not state.alive:
        why = f"its host had ended ({state.step})" if state.phase == "FAILED" else "its host had died"
        yield Step(f"{why}: {clean(state)} processes ended", time.monotonic() - began, done=True)
        return
    _signal(state, signal.SIGTERM)
    said, why = "", ""
    while state.host.alive():
        now = _still(state)
        if now is not None and now.phase == "STOPPING" and now.step != said:
            said = now.step
            yield Step(said, time.monotonic() - began)
        if time.monotonic() - began > END_S:
            _signal(state, signal.SIGKILL)
            why = f"the host did not end within {END_S:g} s, last it said: {said or 'nothing'}"
            yield Step(f"{why}: {clean(now or state)} processes ended", time.monotonic() - began)
            break
        time.sleep(POLL_S)
    last = _still(state)
    left = clean(last or state)
    text = f"desk {state.desk} is down" + (f", {left} leftovers ended" if left else "")
    yield Step(text, time.monotonic() - began, done=True)
    if last is not None and last.phase != "STARTING":  # an end in order takes the file away
        why = last.step if last.phase == "FAILED" else "its host died while it ended"
    if why:
        raise DrainError(f"desk {state.desk} is down, but not in order: {why}; see {state.log_path}")


def clean(state: DeskState) -> int:
    """End what a dead desk left behind and forget it; returns how many processes that were.

    Only processes whose environment carries the desk's session, or whose recorded pid still has its recorded start
    time; a desk that has meanwhile been started under the same number is left alone.
    """
    with alone(state.desk):
        return _clean(state)


def _clean(state: DeskState) -> int:
    recorded = [process for pid in state.pids.values() if (process := pid.process()) is not None]
    postgres = state.pids.get("postgres")
    if postgres is not None and postgres.alive():
        _interrupt(postgres.pid)  # fast shutdown: it rolls back and writes a checkpoint
    ended = end_session(state.session_id, recorded)
    now = find_state(state.desk)
    if now is None or now.session_id == state.session_id:
        shutil.rmtree(state.temp_dir or temp_dir(state.desk), ignore_errors=True)
        state_path(state.desk).unlink(missing_ok=True)
    return ended


def _make_room(desk: int) -> int | None:
    """Refuse a desk that runs; how many processes a dead one had left, None where there was none."""
    before = find_state(desk)
    if before is None:
        return None
    if before.alive:
        page = f", its page is {before.page_url}" if before.page_url else ""
        raise AlreadyUpError(
            f"desk {desk} is already up (pid {before.host.pid}){page}; end it: vikalp down --desk {desk}"
        )
    return _clean(before)


def _still(state: DeskState) -> DeskState | None:
    """What the file says now of the same session."""
    now = find_state(state.desk)
    return now if now is not None and now.session_id == state.session_id else None


def _signal(state: DeskState, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has just ended by itself
        os.kill(state.host.pid, number)


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
    made = with_dump(made)
    keep_copy(folder, made.facts)
    keep_dump(folder, made.dump)
    keep_settings(folder, settings)
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
            [*HOST, str(file)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for the command line, which then calls down()
        )


def _follow(made: DeskState, host: "subprocess.Popen[bytes]", began: float) -> Iterator[Step]:
    """What the host says until it is READY."""
    desk, said = made.desk, ""
    while True:
        code = host.poll()
        state = _still(made)
        if state is None:
            raise DeskError(f"desk {desk} was ended while it started")
        if state.step != said and state.phase == "STARTING":
            said = state.step
            yield Step(said, time.monotonic() - began, session_id=made.session_id)
        if state.phase == "READY":
            return
        if code is not None:
            why = state.step if state.phase == "FAILED" else f"its host ended with code {code}; see {state.log_path}"
            raise DeskError(f"desk {desk} did not start: {why}")
        time.sleep(POLL_S)


def _end(host: "subprocess.Popen[bytes]", within_s: float = END_S) -> None:
    host.send_signal(signal.SIGTERM)
    try:
        host.wait(timeout=within_s)
    except subprocess.TimeoutExpired:
        host.kill()  # what it started is found by the desk's session
        host.wait()


def _interrupt(pid: int, within_s: float = 10.0) -> None:
    with suppress(psutil.Error):  # gone, or it takes longer: it is recovering, and the next start adopts it
        process = psutil.Process(pid)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=within_s)
