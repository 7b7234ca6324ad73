"""Tiny plain actors for the tests of the guard, the bus and the supervisor: what they do is what is tested."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from core.errors import InputError
from core.records import Alert, Stamp

SCHEMA = pa.schema([("value", pa.int64())])


def batch(*values: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, pa.int64())], schema=SCHEMA)


class PlainConfig(BaseModel, frozen=True, extra="forbid"):
    timer_ms: int = 0
    fail_opens: int = 0  # how often open() fails on purpose
    crash: bool = False  # open() has a bug
    folder: str = ""  # where it counts across incarnations


class Plain:
    """Counts what it is given."""

    def __init__(self, config: Any, *, bus: Any = None, clock: Any = None) -> None:
        self._config, self._bus, self._clock = config, bus, clock
        self._values, self._progress, self._ticks = [], 0, 0
        self._heard: list[str] = []
        self._alerts: tuple[Alert, ...] = ()

    def open(self) -> None:
        if self._config.crash:
            raise RuntimeError("a bug in open")
        if self._config.fail_opens:
            counter = Path(self._config.folder) / "opens"
            tried = int(counter.read_text()) if counter.exists() else 0
            counter.write_text(str(tried + 1))
            if tried < self._config.fail_opens:
                raise InputError(f"not yet: {tried}")

    def on_numbers(self, numbers: pa.RecordBatch) -> None:
        values = numbers.column("value").to_pylist()
        if -1 in values:
            raise InputError("expected no −1, found one; send others")
        if -2 in values:
            raise RuntimeError("a bug in a handler")
        if -3 in values:
            time.sleep(3600)  # hangs
        self._values.extend(values)
        self._progress = time.time_ns()

    def on_slow(self, numbers: pa.RecordBatch) -> None:
        time.sleep(0.2)
        self.on_numbers(numbers)

    def on_timer(self) -> None:
        self._ticks += 1
        if self._bus is not None:
            self._bus.publish("numbers", batch(self._ticks))
        self._progress = time.time_ns()

    def on_gap(self, source: str) -> None:
        self._heard.append(source)

    def heard(self) -> list[str]:
        return self._heard

    def alarm(self, message: str) -> None:
        said = Alert(at_wall_ns=time.time_ns(), severity="alarm", subject="orders", message=message)
        self._alerts = (*self._alerts, said)

    def alerts(self) -> tuple[Alert, ...]:
        return self._alerts

    def counts(self) -> dict[str, int]:
        return {"refused_time": 1_000 * len(self._alerts)}

    def values(self) -> list[int]:
        return list(self._values)

    def send(self, topic: str, first: int, last: int) -> dict[str, int]:
        for value in range(first, last + 1):
            self._bus.publish(topic, batch(value))
        return self._bus.stats()

    def write(self) -> int:
        self._clock.rows[0] = 7
        return int(self._clock.rows[0])

    def refuse(self) -> None:
        raise InputError("as asked")

    def check_health(self) -> int:
        return self._progress


class PlainRecorder:
    """Keeps in memory, makes durable in a file every tenth message."""

    def __init__(self, config: Any, *, clock: Any = None) -> None:
        self._path = Path(config.folder) / "durable"
        self._memory: dict[int, int] = {}
        self._durable = 0
        self._progress = 0

    def open(self) -> None:
        lines = self._path.read_text().split() if self._path.exists() else []
        self._durable = len(lines)

    def record(self, stamp: Stamp, payload: pa.RecordBatch) -> int:
        if stamp.sequence > self._durable:
            self._memory[stamp.sequence] = payload.column("value")[0].as_py()
        due = [s for s in sorted(self._memory) if s > self._durable]
        if len(due) >= 10 and due == list(range(self._durable + 1, self._durable + 1 + len(due))):
            with self._path.open("a") as file:
                file.writelines(f"{self._memory.pop(s)}\n" for s in due)
            self._durable = due[-1]
        self._progress = time.time_ns()
        return self._durable

    def held(self) -> list[int]:
        return sorted(self._memory)

    def check_health(self) -> int:
        return self._progress


def always_open(market_ns: int) -> str:
    return "open"


class Board:
    """A port with an array large enough for Ray to hand it over read-only."""

    def __init__(self) -> None:
        self.rows = np.zeros(10_000, dtype=np.int64)


class Wall:
    """A market clock that is the machine's."""

    def now_ns(self) -> int:
        return time.time_ns()


class PlainTaker:
    """A recorder whose every row is durable at once."""

    def __init__(self, config: Any) -> None:
        self._values: list[int] = []

    def open(self) -> None:
        """Nothing to load."""

    def record(self, stamp: Stamp, payload: pa.RecordBatch) -> int:
        self._values.append(payload.column("value")[0].as_py())
        return stamp.sequence

    def values(self) -> list[int]:
        return self._values

    def check_health(self) -> int:
        return 0
