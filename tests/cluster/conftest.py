"""One Ray head for the tests of single parts, with the ports, token and temp folder of a desk of its own."""

import fcntl
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import ray

from cluster.auth import admit
from cluster.head import HeadOptions, end_tree, interrupt, start_head, tagged
from cluster.ports import DESKS, in_use, listening, ports
from cluster.topology import Spec, start

NAMESPACE = "test"
# A process is stopped between two calls or within one: the supervisor says which it saw first.
STUCK_WORDS = re.compile("^STUCK: (no answer to a health probe|one call has been running) for ")
SESSION = f"test-{os.getpid()}"


_mine: dict[int, IO[str]] = {}  # numbers of this process, each held by a lock until it ends


def free_desk(beside: int = 0) -> int:
    """A desk number whose ports nobody uses, from the far end: people use the near one.

    Of several test runs on one machine each has numbers of its own: two may look at the same moment.
    """
    return next(n for n in range(DESKS - 1 - beside, 0, -1) if _lock(n) and not in_use(n))


def _lock(number: int) -> bool:
    """Whether the number is this process's from now on."""
    if number in _mine:
        return True
    file = (Path(tempfile.gettempdir()) / f"vikalp-test-{os.getuid()}-{number}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _mine[number] = file
    return True


def until(condition: Callable[[], Any], *, within_s: float, what: str, every_s: float = 0.02) -> Any:
    """Poll until `condition()` is true and return it; fails saying what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(every_s)


def supervisor_of(session_id: str) -> psutil.Process:
    """The process of a session's supervisor, by the title Ray gives it."""
    return next(process for process in tagged(session_id) if process.cmdline()[0].startswith("ray::Supervisor"))


def _listens(process: "subprocess.Popen[bytes]", options: HeadOptions) -> bool:
    assert process.poll() is None, f"the head ended: {options.log_path.read_text()[-2000:]}"
    return listening(options.ports.gcs)


@pytest.fixture(scope="module")
def head() -> Iterator[str]:
    """A running head this process is connected to; yields the address of its GCS."""
    folder = Path(tempfile.mkdtemp(prefix="vkt"))
    desk = free_desk()
    token = folder / "token"
    token.write_text("a" * 64)
    token.chmod(0o600)
    options = HeadOptions(
        ports=ports(desk),
        temp_dir=folder / "r",
        token_path=token,
        session_id=SESSION,
        object_store_mb=100,
        spill_dir=folder / "spill",
        cpus=2,
        log_path=folder / "head.log",
    )
    process = start_head(options)
    try:
        until(lambda: _listens(process, options), within_s=60, what="the head listens")
        admit(token)
        address = f"127.0.0.1:{options.ports.gcs}"
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="warning")
        yield address
        ray.shutdown()
    finally:
        interrupt(process)
        end_tree([psutil.Process(process.pid)] if process.poll() is None else [], grace_s=5)
        end_tree(tagged(options.session_id), grace_s=0)
        process.wait()


@pytest.fixture
def create(head: str) -> Iterator[Callable[[Spec], Any]]:
    """Create guarded actors that are gone after the test."""
    made = []

    def one(spec: Spec) -> Any:
        made.append(start(spec, NAMESPACE))
        return made[-1]

    yield one
    for handle in made:
        ray.kill(handle, no_restart=True)


def call(handle: Any, method: str, *args: Any) -> Any:
    return ray.get(handle.call.remote(method, args), timeout=30)


def vitals(handle: Any) -> Any:
    """The actor's health; None while Ray restarts it."""
    try:
        return ray.get(handle.health.remote(), timeout=20)
    except ray.exceptions.RayError:
        return None


def ready(handle: Any) -> Any:
    def check() -> Any:
        found = vitals(handle)
        return found if found is not None and found.health.ready_ns else None

    return until(check, within_s=30, what="the actor is ready")
