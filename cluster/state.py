"""What a running desk tells the rest of the machine: one file, readable by its owner alone.

Everything that talks to a desk (the command line, a notebook, a second host) starts here, never from Ray's
`address="auto"`, which finds whichever cluster it likes.
"""

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from cluster.ports import DESKS
from core.errors import DeskError
from storage.kill_file import NAME as KILL_FILE

ROOT = Path(__file__).resolve().parents[1]
SESSION_TAG = "VIKALP_SESSION"  # in the environment of every process of a desk: how leftovers are recognised
Phase = Literal["STARTING", "READY", "STOPPING", "FAILED"]


class NotRunningError(DeskError):
    """There is no desk to end."""


class Pid(msgspec.Struct, frozen=True):
    """A process and the moment it began, so that a number used again is not taken for it."""

    pid: int
    started: float  # psutil's create_time, seconds since 1970

    def alive(self) -> bool:
        return self.process() is not None

    def process(self) -> psutil.Process | None:
        """None when it has ended, buried or not."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return found if same else None


class DeskState(msgspec.Struct, frozen=True, kw_only=True):
    """One desk, as written by its host."""

    desk: int
    session_id: str
    phase: Phase
    step: str  # what the host is doing; FAILED: why, or what of its end was not in order
    mode: str
    host: Pid
    pids: dict[str, Pid] = {}
    ports: dict[str, int] = {}
    address: str = ""  # of Ray's GCS, for processes on this machine
    client_url: str = ""  # ray:// for processes elsewhere
    dashboard_url: str = ""
    page_url: str = ""
    token_path: str = ""
    temp_dir: str = ""
    data_dir: str = ""
    tape_url: str = ""
    log_path: str = ""
    dsn: str = ""
    namespace: str = "vikalp"
    anchor_wall_ns: int = 0
    market_says: str = ""
    started_wall_ns: int = 0
    ready_wall_ns: int = 0

    @property
    def alive(self) -> bool:
        return self.host.alive()


def pid_of(pid: int) -> Pid:
    """Name a process that runs now; raises psutil.NoSuchProcess."""
    return Pid(pid, psutil.Process(pid).create_time())


def home() -> Path:
    """Where desks keep their files: $VIKALP_HOME, else var/ in the checkout."""
    return Path(os.environ.get("VIKALP_HOME") or ROOT / "var").absolute()


def desk_dir(desk: int) -> Path:
    return home() / f"desk-{desk}"


def state_path(desk: int) -> Path:
    return desk_dir(desk) / "state.json"


def kill_path(desk: int) -> Path:
    """The kill file: while it is there the desk sends nothing, whether Ray works or not; one line in it says why."""
    return desk_dir(desk) / KILL_FILE


@contextmanager
def alone(desk: int) -> Iterator[None]:
    """Wait for, then hold, the right to start or forget desk number `desk`; the system gives it back with the process.

    Beside the desk's folder, so that a start that is refused makes none. Not reentrant.
    """
    home().mkdir(parents=True, exist_ok=True)
    with (home() / f"desk-{desk}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def temp_dir(desk: int) -> Path:
    """Ray's temporary folder: short, since its Unix sockets below it may have 107 characters in all."""
    mark = hashlib.sha256(str(home()).encode()).hexdigest()[:6]
    return Path(tempfile.gettempdir()) / f"vikalp-{os.getuid()}-{desk}-{mark}"


def write_private(path: Path, text: str) -> None:
    """Write aside, readable by the owner alone, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    aside.replace(path)


def write_state(state: DeskState) -> None:
    write_private(state_path(state.desk), msgspec.json.format(msgspec.json.encode(state)).decode())


def find_state(desk: int) -> DeskState | None:
    """The desk's state file, stale or not; None when there is none or it cannot be read as one."""
    try:
        return msgspec.json.decode(state_path(desk).read_bytes(), type=DeskState)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, json.JSONDecodeError) as error:
        raise DeskError(
            f"{state_path(desk)} is not a state file ({error}); end what runs of that desk and remove it"
        ) from error


def read_state(desk: int | None = None) -> DeskState:
    """State of a running desk; None picks the only one, or of several desk 0, the one people trade on.

    Raises DeskError when there is none, or several without desk 0.
    """
    if desk is None:
        running = running_desks()
        if len(running) > 1 and running[0].desk != 0:
            numbers = ", ".join(str(state.desk) for state in running)
            raise DeskError(f"desks {numbers} are running: say which one (--desk, or attach(desk=…))")
        if not running:
            raise DeskError(f"no desk is running below {home()}; start one: vikalp up")
        return running[0]
    state = find_state(desk)
    if state is not None and not state.alive:
        how = f"ended: {state.step}" if state.phase == "FAILED" else "died and may have left processes behind"
        what = f"the host of desk {desk} (pid {state.host.pid}) {how}"
        raise DeskError(f"{what}; end them: vikalp down --desk {desk}, or start it anew: vikalp up --desk {desk}")
    if state is None:
        raise DeskError(f"desk {desk} is not running (below {home()}); start it: vikalp up --desk {desk}")
    return state


def desk_number(desk: int | None) -> int:
    """Which desk is meant, running or not; None picks as read_state does, and desk 0 where none runs.

    Raises DeskError where several run without desk 0.
    """
    if desk is not None:
        return desk
    return read_state(None).desk if running_desks() else 0


def to_end(desk: int | None) -> DeskState:
    """State of a desk that may have died too; None picks as read_state does. NotRunningError when there is none."""
    if desk is None and not running_desks():
        raise NotRunningError(f"no desk is running below {home()}; nothing to end")
    state = read_state(None) if desk is None else find_state(desk)
    if state is None:
        raise NotRunningError(f"desk {desk} is not running; nothing to end")
    return state


def running_desks() -> list[DeskState]:
    found = [find_state(desk) for desk in range(DESKS) if state_path(desk).exists()]
    return [state for state in found if state is not None and state.alive]


def write_token(desk: int) -> Path:
    """The desk's own token, made once, mode 600; every process that talks to its Ray needs it."""
    path = desk_dir(desk) / "token"
    if not path.exists():
        write_private(path, secrets.token_hex(32))
    path.chmod(0o600)
    return path


def ray_environment(state: DeskState) -> dict[str, str]:
    """What a process must have in its environment, before it imports ray, to be let in."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": state.token_path}
