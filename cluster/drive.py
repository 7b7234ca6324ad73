"""The host's end of its driver: starts it, reads what it says, has it drain the desk, or another one where it died."""

import json
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from cluster.desk import Desk
from cluster.state import ROOT, write_private

DRIVER = (sys.executable, "-m", "cluster.driver")
WAIT_S = 0.1
DRAIN_S = 24.0  # two looks, a halt and the supervisor's own deadline, and some air
ANEW_S = 44.0  # the same, its imports and a connection before it

Line = dict[str, Any]


class Drive:
    """One driver at a time, in `folder`, where the desk it is given is kept for another one."""

    def __init__(self, folder: Path, env: Mapping[str, str], *, command: Sequence[str] = DRIVER) -> None:
        self._folder, self._env, self._command = folder, env, tuple(command)
        self._file = folder / "driver.pickle"
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[Line] = queue.Queue()
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def start(self, desk: Desk) -> None:
        write_private(self._file, "")
        self._file.write_bytes(pickle.dumps(desk))
        self._spawn()

    def ended(self) -> bool:
        """It runs no more and everything it said has been read."""
        if self._process is None or self._process.poll() is None:
            return False
        if self._reader is not None:
            self._reader.join(1.0)
        return self._lines.empty()

    def next(self) -> Line | None:
        """What it says next; None when that is nothing for a while."""
        try:
            return self._lines.get(timeout=WAIT_S)
        except queue.Empty:
            return None

    def drain(self, tell: Callable[[str], None], *, within_s: float = DRAIN_S, anew_s: float = ANEW_S) -> list[str]:
        """Have entries halted and the actors closed; what was not, in words. A driver that died is replaced."""
        if self._process is None:
            return []
        if not self._ask_to_drain():
            self._process.kill()  # it reads nothing more, whatever else it does
            code = self._process.wait()
            tell(f"the driver had ended with code {code}: another one halts entries and drains the actors")
            self._spawn("drain")
            within_s = anew_s
        return self._drained(within_s)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._file.unlink(missing_ok=True)

    def _spawn(self, *words: str) -> None:
        self._lines = queue.Queue()
        with (self._folder / "driver.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._file), *words],
                cwd=ROOT,
                env=dict(self._env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True)
        self._reader.start()

    def _ask_to_drain(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None or self._process.stdin is None:
            return False
        try:
            self._process.stdin.write("drain\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _drained(self, within_s: float) -> list[str]:
        found: list[str] = []
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            line = self.next()
            if line is None:
                if self.ended():
                    return [*found, f"the driver ended before the actors were drained; see {self._folder}/driver.log"]
                continue
            if "unhalted" in line:
                found.append(f"entries not halted: {line['unhalted']}")
            if "failed" in line:
                return [*found, f"entries not halted, actors not drained: {line['failed']}"]
            if line.get("drained") is False:
                return [*found, f"actors not drained: {line['why']}"]
            if line.get("drained"):
                return [*found, *(f"{name} did not close in time" for name in line["unclean"])]
        return [*found, f"the driver did not say within {within_s:g} s that the actors were drained"]


def _read(stream: IO[str], lines: "queue.Queue[Line]") -> None:
    for line in stream:
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            continue  # a library printed; only our own lines are JSON objects
        if isinstance(said, dict):
            lines.put(said)
