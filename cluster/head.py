"""One Ray head as a child process: how it is started, known to be ready, and ended with everything below it.

Ray's own stop command ends every Ray on the machine and is never used. SIGTERM to a head that hosts actors hangs, so
the head's session gets SIGINT, a few seconds, and what is left of the tree SIGKILL.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.ports import Ports
from cluster.state import ROOT, SESSION_TAG


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """What a head needs to know; `cpus` 0 lets Ray count them."""

    ports: Ports
    temp_dir: Path
    token_path: Path
    session_id: str
    object_store_mb: int
    spill_dir: Path
    cpus: int
    log_path: Path


DIRECT_BYTES = 1_000_000  # an argument or an answer below travels in the call itself


def environment(options: HeadOptions) -> dict[str, str]:
    """The head's, its workers' and its jobs' environment: the desk's own Python first in PATH, one thread a kernel."""
    prefix = str(Path(sys.executable).parent)
    keep = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return keep | {
        "PATH": f"{prefix}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(options.token_path),
        # Ray's memory monitor would end the order manager as gladly as a batch task; the supervisor watches instead.
        "RAY_memory_monitor_refresh_ms": "0",
        # Ray would run the actors at nice 15, behind everything else on the machine; jobs make themselves nice.
        "RAY_worker_niceness": "0",
        # A chain of 1,600 contracts is 340 kB. Above Ray's own 100 kB an answer goes through the object store: 40 %
        # more processor time, most of it the raylet's.
        "RAY_max_direct_call_object_size": str(DIRECT_BYTES),
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "DASHBOARD_METRIC_PORT": str(options.ports.dashboard_metrics),
        "AUTOSCALER_METRIC_PORT": str(options.ports.autoscaler_metrics),
        # Actors and tasks are the parallelism; threads inside a kernel would take the other actors' core.
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        SESSION_TAG: options.session_id,
    }


def start_head(options: HeadOptions) -> "subprocess.Popen[bytes]":
    """Start the head in the checkout, so that jobs run there; returns at once, before it listens."""
    p = options.ports
    options.spill_dir.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        "--node-ip-address=127.0.0.1",
        f"--port={p.gcs}",
        f"--node-manager-port={p.node_manager}",
        f"--object-manager-port={p.object_manager}",
        f"--runtime-env-agent-port={p.runtime_env_agent}",
        f"--metrics-export-port={p.metrics}",
        f"--dashboard-agent-listen-port={p.agent_http}",
        f"--dashboard-agent-grpc-port={p.agent_grpc}",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={p.dashboard}",
        f"--ray-client-server-port={p.client}",
        f"--min-worker-port={p.worker_min}",
        f"--max-worker-port={p.worker_max}",
        f"--object-store-memory={options.object_store_mb * 1_000_000}",
        f"--object-spilling-directory={options.spill_dir}",
        f"--temp-dir={options.temp_dir}",
        "--disable-usage-stats",
    ]  # fmt: skip
    if options.cpus:
        command.append(f"--num-cpus={options.cpus}")
    with options.log_path.open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def interrupt(process: "subprocess.Popen[bytes]") -> None:
    """SIGINT to every process of the head's session."""
    for member in _session(process.pid):
        _signal(member, signal.SIGINT)


def end_tree(roots: Iterable[psutil.Process], *, grace_s: float) -> list[str]:
    """Wait for the processes and all below them, then SIGKILL the rest; returns the names of those killed."""
    tree = [p for root in roots for p in _tree(root)]
    _, left = psutil.wait_procs(tree, timeout=grace_s)
    names = []
    for process in left:
        names.append(_name(process))
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)
    return names


def tagged(session_id: str) -> list[psutil.Process]:
    """Every process of this user whose environment carries the desk's session: nobody else's can."""
    mark = f"{SESSION_TAG}={session_id}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            if mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def end_session(session_id: str, others: Iterable[psutil.Process] = ()) -> int:
    """SIGKILL to `others` and every tagged process until no new one is found; returns how many that were.

    More than one round: a process that is just being born is not in the first, and the next begins when its parent has
    ended.
    """
    seen: dict[int, psutil.Process] = {}
    left = {process.pid: process for process in (*others, *tagged(session_id))}
    while left:
        seen |= left
        end_tree(left.values(), grace_s=0.0)
        left = {process.pid: process for process in tagged(session_id) if process.pid not in seen}
    return len(seen)


def _session(leader: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader:
                found.append(process)
        except OSError:
            continue
    return found


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {process.name()}"
    except psutil.Error:
        return str(process.pid)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return  # it ended by itself: that is what was wanted
