"""Deadlines between two machines whose clocks disagree."""

import time
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError

from cluster.client import Calls
from core.errors import DeskError

S = 1_000_000_000


class Method:
    """A method of an actor as Ray hands it out; the reference it returns is run by `get`."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def remote(self, *args: Any) -> Any:
        return lambda: self._run(*args)


class Elsewhere:
    """cluster.crash.Guard on a machine whose clock is `ahead_s` ahead of ours."""

    def __init__(self, ahead_s: float) -> None:
        self.ahead_s, self.asked = ahead_s, 0
        self.call, self.wall_ns = Method(self._call), Method(self._wall_ns)

    def _wall_ns(self) -> int:
        self.asked += 1
        return self._now()

    def _call(self, method: str, args: tuple[Any, ...], deadline_wall_ns: int) -> float:
        left = (deadline_wall_ns - self._now()) / S
        if left < 0:
            raise DeskError(f"oms was busy past the deadline of {method}; it was not run")
        return left

    def _now(self) -> int:
        return time.time_ns() + int(self.ahead_s * S)


class Here(Calls):
    def __init__(self, there: Elsewhere) -> None:
        super().__init__("vikalp", deadline_s=5.0)
        self.there = there

    def handle(self, actor: str) -> Any:
        return self.there

    def get(self, actor: str, reference: Any, limit_s: float, *, of_s: float | None = None) -> Any:
        return reference()


@pytest.mark.parametrize("ahead_s", [0.0, 8.0, 3_600.0, -8.0, -3_600.0])
def test_a_call_has_its_deadline_by_the_clock_of_who_is_called(ahead_s: float) -> None:
    left = Here(Elsewhere(ahead_s)).call("oms", "exit_all")
    assert 4.0 < left <= 5.0


def test_the_clocks_are_compared_once() -> None:
    here = Here(Elsewhere(30.0))
    for _ in range(5):
        here.call("oms", "orders")
    assert here.there.asked == 1


def test_a_clock_that_was_set_is_compared_again_after_the_call_that_failed() -> None:
    here = Here(Elsewhere(0.0))
    here.call("oms", "orders")
    here.there.ahead_s = 20.0
    with pytest.raises(DeskError, match="busy past the deadline"):
        here.call("oms", "orders")
    assert 4.0 < here.call("oms", "orders") <= 5.0


@pytest.mark.parametrize(("limit_s", "said"), [(120.0, "120 s"), (4.998, "5 s"), (0.5, "0.5 s")])
def test_who_does_not_answer_is_named_with_the_seconds_waited(
    monkeypatch: pytest.MonkeyPatch, limit_s: float, said: str
) -> None:
    def silent(reference: Any, *, timeout: float) -> Any:
        raise GetTimeoutError

    monkeypatch.setattr(ray, "get", silent)
    with pytest.raises(DeskError, match=f"^oms did not answer within {said};"):
        Calls("vikalp").get("oms", None, limit_s)


def test_a_call_whose_time_went_before_it_was_made_says_how_long_it_was_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(*_: object, timeout: float) -> None:
        assert timeout == 0.0
        raise GetTimeoutError("Get timed out")

    monkeypatch.setattr("cluster.client.ray.get", late)
    with pytest.raises(DeskError, match="oms did not answer within 5 s"):
        Calls("n").get("oms", None, -0.6, of_s=5.0)
