"""A foreground desk and the signals that end it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from typer.testing import CliRunner, Result

from cluster.cli.foreground import SIGNALS
from cluster.cli.main import app
from cluster.lifecycle import Step
from cluster.state import DeskState, pid_of
from core.errors import DeskError
from core.records import DeskStatus
from tests.unit.cli.fake_world import STATUS, FakeDesk, Place


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """The command stays deaf to a second signal; the tests after it are not."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


class Signalled(FakeDesk):
    """A desk whose first look is when somebody presses Ctrl-C, twice."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number

    def status(self) -> DeskStatus:
        signal.raise_signal(self.number)
        return STATUS


class Alive(Place):
    """Its desk's host is a process that runs: this one. To connect takes SIGTERM away, as ray.init does."""

    @contextmanager
    def connect(self, desk: int | None) -> Iterator[FakeDesk]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with super().connect(desk) as client:
            yield client

    def find(self, desk: int) -> DeskState | None:
        return msgspec.structs.replace(self.state(desk), host=pid_of(os.getpid())) if self.runs else None


class Interrupted(Place):
    """A start that is broken off: as in cluster.lifecycle, what had started is ended inside `up`."""

    def up(self, settings: object, desk: int) -> Iterator[Step]:
        self.started.append(desk)
        yield Step("starting Ray and PostgreSQL", 0.1)
        signal.raise_signal(signal.SIGINT)


def run_up(place: Place) -> Result:
    return CliRunner().invoke(app, ["up", "--desk", "3"], obj=place.world())


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_a_signal_ends_the_desk_in_order_and_exits_0(number: signal.Signals, why: str) -> None:
    place = Alive(Signalled(number), runs=False)
    done = run_up(place)
    assert done.exit_code == 0, done.output
    assert place.ended == [3]
    assert f"{why}: ending desk 3" in done.stderr
    assert done.stderr.splitlines()[-1] == "desk 3 and everything it started has ended"


def test_ctrl_c_while_it_starts_is_answered_at_once_and_exits_130() -> None:
    place = Interrupted(runs=False)
    done = run_up(place)
    assert done.exit_code == 130
    assert place.ended == []
    assert "Ctrl-C: ending what was started" in done.stderr
    assert done.stderr.splitlines()[-1] == "desk 3 and everything it started has ended"


def test_a_second_signal_does_not_break_the_end() -> None:
    class Twice(Alive):
        def down(self, desk: int | None) -> Iterator[Step]:
            signal.raise_signal(signal.SIGINT)
            yield from super().down(desk)

    place = Twice(Signalled(signal.SIGINT), runs=False)
    assert run_up(place).exit_code == 0
    assert place.ended == [3]


def test_under_nohup_a_closed_terminal_is_no_reason_to_end() -> None:
    class HungUp(FakeDesk):
        def status(self) -> DeskStatus:
            signal.raise_signal(signal.SIGHUP)  # ignored
            signal.raise_signal(signal.SIGTERM)
            return STATUS

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    done = run_up(Alive(HungUp(), runs=False))
    assert "SIGTERM: ending desk 3" in done.stderr
    assert "SIGHUP" not in done.stderr


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), DeskError("no answer"), SystemExit(1)])
def test_whatever_ends_the_screen_ends_the_desk_that_was_started_here(error: BaseException) -> None:
    class Broken(FakeDesk):
        def chain(self, index: str) -> None:
            raise AssertionError(index)

        def status(self) -> DeskStatus:
            raise error

    class Unreachable(Alive):
        @contextmanager
        def connect(self, desk: int | None) -> Iterator[FakeDesk]:
            raise error
            yield self.client

    place = Unreachable(Broken(), runs=False)
    done = run_up(place)
    assert place.ended == [3]
    assert done.exit_code == 1
    if isinstance(error, DeskError):
        assert done.stderr.splitlines()[-1].endswith("no answer")
    if isinstance(error, OSError):
        assert done.exception is error


def test_an_end_that_was_not_in_order_is_said_and_exits_1() -> None:
    class Untidy(Alive):
        def down(self, desk: int | None) -> Iterator[Step]:
            yield from super().down(desk)
            raise DeskError("desk 3 is down, but not in order: entries not halted: oms is down")

    done = run_up(Untidy(Signalled(signal.SIGINT), runs=False))
    assert done.exit_code == 1
    assert "entries not halted: oms is down" in done.stderr


def test_a_start_that_is_refused_ends_nothing_of_the_desk_that_runs() -> None:
    place = Alive(runs=True)
    done = run_up(place)
    assert done.exit_code == 1
    assert place.ended == []


def test_another_desk_of_the_number_is_left_alone() -> None:
    class Replaced(Alive):
        """Ours was ended, and somebody else's has its number now."""

        def find(self, desk: int) -> DeskState | None:
            found = super().find(desk)
            return msgspec.structs.replace(found, session_id="theirs") if found is not None else None

    place = Replaced(Signalled(signal.SIGINT), runs=False)
    run_up(place)
    assert place.ended == []
