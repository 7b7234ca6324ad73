"""Who of the desk is up, in which process: each actor is asked itself, a few times a second.

A process is its number and the moment it began: a machine gives a number again after some thousands.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.exceptions import RayError

from cluster.head import tagged
from cluster.state import SESSION_TAG, DeskState, find_state
from core.errors import VikalpError
from tests.chaos.parts import Part

EVERY_S = 0.1
SEARCH_S = 0.5  # between two looks at every process of the machine
PATIENCE_S = 6.0  # for one answer; then it is asked anew
SUPERVISOR, POSTGRES = "supervisor", "postgres"


def born(pid: int) -> float:
    """When the process began, seconds since the epoch; 0 if there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


class Census(Part):
    """`up` are the names that answered READY and have not been killed since."""

    def __init__(
        self, state: DeskState, client: Any, names: list[str], stop: threading.Event,
        born: Callable[[int], float] = born,
    ) -> None:  # fmt: skip
        super().__init__("census", stop)
        self._state, self._client, self._names, self._born = state, client, names, born
        self._lock = threading.Lock()
        self._up: dict[str, int] = {}
        self._gone: dict[str, set[tuple[int, float]]] = {name: set() for name in (*names, SUPERVISOR, POSTGRES)}
        self._asked: dict[str, tuple[Any, float]] = {}
        self._boss, self._searched = 0, 0.0  # the supervisor's process, once it has been found; when it was looked for
        self.restarts: Counter[str] = Counter()

    def up(self) -> dict[str, int]:
        """Pids by name."""
        with self._lock:
            return dict(self._up)

    def down(self) -> list[str]:
        return sorted(self._gone.keys() - self.up().keys())

    def kill(self, name: str) -> int:
        """SIGKILL to its process; the wall's ns at that moment, 0 if it was gone already."""
        with self._lock:
            pid = self._up.pop(name, 0)
            self._gone[name].add((pid, self._born(pid)))
        if not pid or not self._is_ours(name, pid):
            return 0
        at_ns = time.time_ns()
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return 0
        return at_ns

    def work(self) -> None:
        while not self.stopped.wait(EVERY_S):
            self._find_server()
            self._find_boss()
            self._ask()
            self._hear()

    def _is_ours(self, name: str, pid: int) -> bool:
        """Whether the process still carries the desk's session; the server's environment has none of ours."""
        if name == POSTGRES:
            return self._server() == pid
        try:
            return f"{SESSION_TAG}={self._state.session_id}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def _server(self) -> int:
        state = find_state(self._state.desk)
        found = state.pids.get(POSTGRES) if state is not None else None
        return found.pid if found is not None and found.alive() else 0

    def _find_server(self) -> None:
        self.seen(POSTGRES, self._server())

    def _find_boss(self) -> None:
        """A look at every process of the machine: only while it is not known which it is."""
        with self._lock:
            known = SUPERVISOR in self._up
        now = time.monotonic()
        if known or self._alive(SUPERVISOR, self._boss) or now - self._searched < SEARCH_S:
            return
        self._searched = now
        for process in tagged(self._state.session_id):
            try:
                if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::Supervisor"):
                    self._boss = process.pid
            except psutil.Error:  # it ended meanwhile
                continue

    def _ask(self) -> None:
        now = time.monotonic()
        for name in (*self._names, SUPERVISOR):
            if name in self._asked and now - self._asked[name][1] < PATIENCE_S:
                continue
            try:
                handle = self._client.handle(name)
            except VikalpError:
                continue
            question = handle.status if name == SUPERVISOR else handle.health
            self._asked[name] = (question.remote(), now)

    def _hear(self) -> None:
        waiting = {reference: name for name, (reference, _) in self._asked.items()}
        done, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=EVERY_S) if waiting else ([], [])
        for reference in done:
            name = waiting[reference]
            del self._asked[name]
            try:
                answer = ray.get(reference)
            except RayError:
                self.seen(name, 0)
                continue
            if name == SUPERVISOR:
                self.seen(name, self._boss)
            else:
                self.seen(name, answer.pid if answer.health.ready_ns else 0)

    def _alive(self, name: str, pid: int) -> bool:
        """Whether the process is there and is none that was killed as `name`."""
        at = self._born(pid) if pid else 0.0
        return at > 0 and (pid, at) not in self._gone[name]

    def seen(self, name: str, pid: int) -> None:
        """An answer of `name` from the process, or that there is none: 0."""
        with self._lock:
            if pid and not self._alive(name, pid):
                return  # an answer from before its end
            if not pid:
                self._up.pop(name, None)
            elif self._up.get(name) != pid:
                self.restarts[name] += bool(self._gone[name])
                self._up[name] = pid
