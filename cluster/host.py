"""The desk's one process outside Ray: owns the Ray head and PostgreSQL, and ends everything in order.

`python -m cluster.host DESK_FILE`. A subreaper, so that what a dying Ray leaves behind becomes its child. PostgreSQL
is its own child and not an actor's, since Ray kills a worker's children with it. Ends on SIGTERM or SIGINT: entries
halted and acknowledged, actors drained, SIGINT to the head's session, SIGKILL to the rest of the tree, PostgreSQL last.
Where that was not in order the state stays, FAILED, and says what.
"""

import contextlib
import ctypes
import fcntl
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

from cluster.desk import Desk, is_local
from cluster.drive import Drive
from cluster.head import HeadOptions, end_session, end_tree, environment, interrupt, start_head
from cluster.kept import Kept
from cluster.ledger import ends, own_server
from cluster.local_exchange import LocalExchange
from cluster.ports import ports
from cluster.state import DeskState, alone, desk_dir, find_state, pid_of, state_path, temp_dir, write_state
from core.errors import DeskError, VikalpError
from storage.ledger.roles import check, prepare_own
from storage.postgres import PostgresServer

PR_SET_CHILD_SUBREAPER = 36
TICK_S = 0.1


class Host:
    """Brings one desk up, keeps PostgreSQL alive, takes the desk down. Raises VikalpError when it cannot come up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._state = _require_state(desk)
        self._folder = desk_dir(desk.desk)
        self._head: subprocess.Popen[bytes] | None = None
        self._drive: Drive | None = None
        self._exchange: LocalExchange | None = None
        self._postgres: PostgresServer | None = None
        self._kept: Kept | None = None
        self._created = False  # there are actors: one of them may have sent orders
        self._untidy: list[str] = []  # what the end found
        self._stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, lambda *_: self._stop.set())

    def run(self) -> None:
        """Until told to stop; on any failure everything started is ended and the state says FAILED and why.

        Raises DeskError for a failure and for an end that was not in order.
        """
        failure = ""
        try:
            self._start()
            self._serve()
        except (VikalpError, OSError, subprocess.SubprocessError) as error:
            failure = str(error)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            _log(traceback.format_exc())
        finally:
            self._end(failure)
        if failure or self._untidy:
            raise DeskError(failure or "; ".join(self._untidy))

    # -- up -----------------------------------------------------------------------

    def _start(self) -> None:
        options = self._options()
        self._change(step="starting Ray and PostgreSQL")
        self._head = start_head(options)
        self._note("head", self._head.pid)
        if is_local(self._desk):
            self._exchange = LocalExchange(self._folder, environment(options))
            self._exchange.start(self._desk)
            self._note("exchange", self._exchange.pid)
        # Beside the head, which takes longer: the database is needed before the first actor opens.
        dsn = self._ledger()
        desk = msgspec.structs.replace(self._desk, dsn=dsn)
        self._change(dsn="" if self._desk.dsn else dsn)
        self._drive = Drive(self._folder, environment(options))
        self._drive.start(desk)
        self._note("driver", self._drive.pid)
        self._await_ready(self._drive)

    def _options(self) -> HeadOptions:
        desk = self._desk
        return HeadOptions(
            ports=ports(desk.desk),
            temp_dir=temp_dir(desk.desk),
            token_path=Path(self._state.token_path),
            session_id=desk.session_id,
            object_store_mb=desk.settings.ray.object_store_mb,
            spill_dir=self._folder / "spill",
            cpus=desk.settings.ray.cpus,
            log_path=self._folder / "head.log",
        )

    def _ledger(self) -> str:
        """Where the actors write, as a role that owns nothing; a server elsewhere as the settings name it."""
        if not self._desk.dsn:
            return prepare_own(self._start_postgres())
        for warning in check(self._desk.dsn):
            _log(warning)
            self._change(step=warning)
        return self._desk.dsn

    def _start_postgres(self) -> PostgresServer:
        self._postgres = own_server(self._desk.desk)
        self._kept = Kept(self._postgres, "PostgreSQL")
        self._postgres.start()
        self._note("postgres", self._postgres.pid)
        return self._postgres

    def _await_ready(self, drive: Drive) -> None:
        while not self._stop.is_set():
            self._watch()
            if drive.ended():
                raise DeskError(f"the driver ended before the desk was ready; see {self._folder / 'driver.log'}")
            line = drive.next()
            if line is None:
                continue
            self._created = self._created or bool(line.get("created"))
            if "failed" in line:
                raise DeskError(line["failed"])
            if line.get("done"):
                self._change(phase="READY", step="ready", ready_wall_ns=time.time_ns())
                return
            if "step" in line:
                self._change(step=line["step"])

    # -- running ------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stop.wait(TICK_S):
            self._watch()

    def _watch(self) -> None:
        """Ray's head gone is the end of the desk; PostgreSQL gone is started again, for as long as it takes."""
        if self._head is not None and self._head.poll() is not None:
            raise DeskError(f"Ray's head ended with code {self._head.returncode}; see {self._folder / 'head.log'}")
        if self._exchange is not None:
            self._exchange.require()
        if self._kept is not None and self._postgres is not None:
            said = self._kept.look(time.monotonic())
            if said:
                _log(said)
                if self._postgres.alive:
                    self._note("postgres", self._postgres.pid)
                self._record(step="ready" if self._postgres.alive and self._state.phase == "READY" else said)
        self._reap()

    def _reap(self) -> None:
        """Take the end of orphans that became ours; the processes we started are waited for by their owners."""
        own = {p.pid for p in (self._head, self._drive, self._exchange) if p is not None}
        if self._postgres is not None:
            own.add(self._postgres.pid)
        for child in psutil.Process().children():
            if child.pid not in own and _is_zombie(child):
                os.waitpid(child.pid, os.WNOHANG)

    # -- down ---------------------------------------------------------------------

    def _end(self, failure: str) -> None:
        """Each step on its own: one that fails is remembered, and the next is taken all the same."""
        self._record(phase="STOPPING", step=failure or "halting entries, draining actors")
        self._take("draining the actors", self._drain)
        self._take("ending Ray", self._end_head)
        if self._exchange is not None:
            self._take("ending the local exchange", self._exchange.end)
        self._take("ending what Ray left", lambda: end_session(self._desk.session_id))
        if self._drive is not None:
            self._take("ending the driver", self._drive.end)
        self._tell_end_of_chain()
        if self._postgres is not None:
            self._take("stopping PostgreSQL", self._postgres.stop)
        if failure or self._untidy:
            self._record(phase="FAILED", step="; ".join([failure, *self._untidy] if failure else self._untidy))
            return
        shutil.rmtree(temp_dir(self._desk.desk), ignore_errors=True)
        self._take("removing the state", lambda: state_path(self._desk.desk).unlink(missing_ok=True))

    def _tell_end_of_chain(self) -> None:
        dsn = self._state.dsn or self._desk.dsn
        if dsn and (self._postgres is None or self._postgres.alive):
            said = ends(self._desk, dsn)
            _log(said)
            self._record(step=said)

    def _drain(self) -> None:
        while self._drive is not None and not self._created and (line := self._drive.next()) is not None:
            self._created = bool(line.get("created"))  # said while this process was told to end
        if self._drive is None or not self._created:
            return  # nothing is there to halt
        if self._head is None or self._head.poll() is not None:
            self._untidy.append("nothing was drained: Ray had ended")
            return
        self._untidy += self._drive.drain(lambda step: self._record(step=step))

    def _end_head(self) -> None:
        if self._head is None:
            return
        root = psutil.Process(self._head.pid) if psutil.pid_exists(self._head.pid) else None
        interrupt(self._head)
        end_tree([root] if root else [], grace_s=5.0)
        self._head.kill()
        self._head.wait()

    def _take(self, what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:
            _log(f"{what}: {traceback.format_exc()}")
            self._untidy.append(f"{what}: {type(error).__name__}: {error}")

    # -- the state file -----------------------------------------------------------

    def _note(self, name: str, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # ended already: `_watch` says so in its own words
            self._record(pids={**self._state.pids, name: pid_of(pid)})

    def _change(self, **fields: Any) -> None:
        self._state = msgspec.structs.replace(self._state, **fields)
        write_state(self._state)

    def _record(self, **fields: Any) -> None:
        """As `_change`, where the file must not stand in the way of what is being done."""
        try:
            self._change(**fields)
        except OSError as error:
            _log(f"the state could not be written ({error}): {fields}")


def main() -> int:
    """Take the desk's lock (a second host gives up), become a subreaper, run."""
    desk: Desk = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 `up` wrote it, mode 600
    Path(sys.argv[1]).unlink()
    with (desk_dir(desk.desk) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"desk {desk.desk} already has a host", file=sys.stderr)
            return 3
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            print(
                "this system has no subreaper: what Ray leaves behind is found by its environment alone",
                file=sys.stderr,
            )
        if desk.settings.mode == "REPLAY":
            os.nice(10)  # it takes what the desk beside it, where people trade, leaves
        try:
            Host(desk).run()
        except VikalpError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _require_state(desk: Desk) -> DeskState:
    with alone(desk.desk):  # `up` has it until the file names this process
        state = find_state(desk.desk)
    if state is None or state.session_id != desk.session_id:
        raise DeskError(f"desk {desk.desk} has no state file of session {desk.session_id}: start it with `vikalp up`")
    return msgspec.structs.replace(state, host=pid_of(os.getpid()))


def _log(text: str) -> None:
    """To host.log, which may lie on a disk that is full."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main())
