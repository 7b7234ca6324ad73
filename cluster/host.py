"""The desk's one process outside Ray: owns the Ray head and PostgreSQL, and ends everything in order.

`python -m cluster.host DESK_FILE`. A subreaper, so that what a dying Ray leaves behind becomes its child. PostgreSQL
is its own child and not an actor's, since Ray kills a worker's children with it. Ends on SIGTERM or SIGINT: entries
halted and acknowledged, actors drained, SIGINT to the head's session, SIGKILL to the rest of the tree, PostgreSQL last.
"""

import ctypes
import fcntl
import json
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import msgspec
import psutil

from cluster.desk import Desk
from cluster.head import HeadOptions, end_tree, environment, interrupt, start_head, tagged
from cluster.ports import ports
from cluster.state import ROOT, DeskState, desk_dir, find_state, pid_of, state_path, temp_dir, write_state
from core.errors import DeskError, VikalpError
from storage.ledger import migrate
from storage.postgres import PostgresServer

PR_SET_CHILD_SUBREAPER = 36
TICK_S = 0.1


class Host:
    """Brings one desk up, keeps PostgreSQL alive, takes the desk down. Raises VikalpError when it cannot come up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._state = _require_state(desk.desk)
        self._folder = desk_dir(desk.desk)
        self._head: subprocess.Popen[bytes] | None = None
        self._driver: subprocess.Popen[str] | None = None
        self._postgres: PostgresServer | None = None
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, lambda *_: self._stop.set())

    def run(self) -> None:
        """Until told to stop; on any failure everything started is ended and the state says FAILED and why."""
        failure = ""
        try:
            self._start()
            self._serve()
        except (VikalpError, OSError, subprocess.SubprocessError) as error:
            failure = str(error)
        finally:
            self._end(failure)
        if failure:
            raise DeskError(failure)

    # -- up -----------------------------------------------------------------------

    def _start(self) -> None:
        options = self._options()
        self._say("starting Ray and PostgreSQL")
        self._head = start_head(options)
        self._note("head", self._head.pid)
        # Beside the head, which takes longer: the database is needed before the first actor opens.
        dsn = self._desk.dsn or self._start_postgres()
        desk = msgspec.structs.replace(self._desk, dsn=dsn)
        migrate(dsn)
        self._change(dsn="" if self._desk.dsn else dsn)
        self._start_driver(desk, options)
        self._await_ready()

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

    def _start_postgres(self) -> str:
        run_dir = temp_dir(self._desk.desk).with_name(temp_dir(self._desk.desk).name + "-pg")
        self._postgres = PostgresServer(self._folder / "postgres", run_dir, ports(self._desk.desk).postgres)
        self._postgres.start()
        self._note("postgres", self._postgres.pid)
        return self._postgres.dsn

    def _start_driver(self, desk: Desk, options: HeadOptions) -> None:
        desk_file = self._folder / "driver.pickle"
        desk_file.touch(mode=0o600)
        desk_file.write_bytes(pickle.dumps(desk))
        with (self._folder / "driver.log").open("ab") as log:
            self._driver = subprocess.Popen(
                [sys.executable, "-m", "cluster.driver", str(desk_file)],
                cwd=ROOT,
                env=environment(options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._note("driver", self._driver.pid)
        assert self._driver.stdout is not None
        threading.Thread(target=_read, args=(self._driver.stdout, self._lines), daemon=True).start()

    def _await_ready(self) -> None:
        assert self._driver is not None
        while not self._stop.is_set():
            self._watch()
            if self._driver.poll() is not None and self._lines.empty():
                raise DeskError(f"the driver ended before the desk was ready; see {self._folder / 'driver.log'}")
            line = _next(self._lines)
            if line is None:
                continue
            if "failed" in line:
                raise DeskError(line["failed"])
            if line.get("done"):
                self._change(phase="READY", step="ready", ready_wall_ns=time.time_ns())
                return
            if "step" in line:
                self._say(line["step"])

    # -- running ------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._stop.wait(TICK_S):
            self._watch()

    def _watch(self) -> None:
        """Ray's head gone is the end of the desk; PostgreSQL gone is started again at once."""
        if self._head is not None and self._head.poll() is not None:
            raise DeskError(f"Ray's head ended with code {self._head.returncode}; see {self._folder / 'head.log'}")
        if self._postgres is not None and not self._postgres.alive:
            self._postgres.start()
            self._note("postgres", self._postgres.pid)
        self._reap()

    def _reap(self) -> None:
        """Take the end of orphans that became ours; the processes we started are waited for by their owners."""
        own = {p.pid for p in (self._head, self._driver) if p is not None}
        if self._postgres is not None:
            own.add(self._postgres.pid)
        for child in psutil.Process().children():
            if child.pid not in own and _is_zombie(child):
                os.waitpid(child.pid, os.WNOHANG)

    # -- down ---------------------------------------------------------------------

    def _end(self, failure: str) -> None:
        self._change(phase="STOPPING", step=failure or "halting entries, draining actors")
        self._drain()
        if self._head is not None:
            root = psutil.Process(self._head.pid) if psutil.pid_exists(self._head.pid) else None
            interrupt(self._head)
            end_tree([root] if root else [], grace_s=5.0)
            end_tree(tagged(self._desk.session_id), grace_s=0.0)
            self._head.wait()
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait()
        if self._postgres is not None:
            self._postgres.stop()
        (self._folder / "driver.pickle").unlink(missing_ok=True)
        if failure:
            self._change(phase="FAILED", step=failure)
            return
        shutil.rmtree(temp_dir(self._desk.desk), ignore_errors=True)
        state_path(self._desk.desk).unlink(missing_ok=True)

    def _drain(self) -> None:
        if self._driver is None or self._driver.poll() is not None or self._driver.stdin is None:
            return
        if self._state.ready_wall_ns == 0:
            return  # never traded: nothing to halt
        try:
            self._driver.stdin.write("drain\n")
            self._driver.stdin.flush()
        except BrokenPipeError:
            return  # the driver is gone; the tree is ended without it
        deadline = time.monotonic() + 12.0
        while time.monotonic() < deadline and self._driver.poll() is None:
            line = _next(self._lines)
            if line is not None and "drained" in line:
                return

    # -- the state file -----------------------------------------------------------

    def _say(self, step: str) -> None:
        self._change(step=step)

    def _note(self, name: str, pid: int) -> None:
        self._change(pids={**self._state.pids, name: pid_of(pid)})

    def _change(self, **fields: Any) -> None:
        self._state = msgspec.structs.replace(self._state, **fields)
        write_state(self._state)


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


def _require_state(desk: int) -> DeskState:
    state = find_state(desk)
    if state is None:
        raise DeskError(f"desk {desk} has no state file: start it with `vikalp up`")
    return msgspec.structs.replace(state, host=pid_of(os.getpid()))


def _read(stream: IO[str], lines: "queue.Queue[dict[str, Any]]") -> None:
    for line in stream:
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            continue  # a library printed; only our own lines are JSON objects
        if isinstance(said, dict):
            lines.put(said)


def _next(lines: "queue.Queue[dict[str, Any]]") -> dict[str, Any] | None:
    try:
        return lines.get(timeout=TICK_S)
    except queue.Empty:
        return None


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


if __name__ == "__main__":
    sys.exit(main())
