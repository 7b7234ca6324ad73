"""A desk in the foreground: its start step by step, its screen, its clean end."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from cluster.cli.out import err, out, say
from cluster.cli.screen import View, lines, look, screen
from cluster.cli.world import World
from core.errors import DeskError

if TYPE_CHECKING:
    from cluster.settings import Settings
    from cluster.state import DeskState
    from core.ports import DeskClient

LOOK_S = 1.0
LINES_EVERY_S = 60.0


class Ended(BaseException):
    """Ctrl-C or SIGTERM: everything is to end. Not an Exception, so that nothing takes it for a failure."""

    def __init__(self, why: str, *, interrupted: bool) -> None:
        super().__init__(why)
        self.interrupted = interrupted


@contextmanager
def signals_end() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into Ended; a second one waits until the end is done."""

    def stop(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise Ended(signal.Signals(number).name, interrupted=number == signal.SIGINT)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Ended:
        raise  # stays deaf: the caller is ending the desk
    except BaseException:
        _restore(before)
        raise
    else:
        _restore(before)


def bring_up(w: World, settings: "Settings", desk: int) -> None:
    """Start the desk and say each step."""
    console = err()
    with ExitStack() as stack:
        spinner = stack.enter_context(console.status("starting")) if console.is_terminal else None
        for step in w.up(settings, desk):
            if spinner is not None:
                spinner.update(step.text)
            console.print(f"{step.seconds:6.1f} s  {step.text}", markup=False, soft_wrap=True)


def watch(w: World, desk: int) -> None:
    """Show the desk until it ends; raises DeskError when it failed, Ended when it is told to end."""
    state = w.state(desk)
    say(f"page {state.page_url}\nRay's dashboard {state.dashboard_url}\nfrom elsewhere {state.client_url}")
    with w.connect(desk) as client:
        if out().is_terminal:
            _live(w, state, client)
        else:
            _lines(w, state, client)
    _after(w, state)


def end(w: World, desk: int, why: str) -> None:
    """End the desk in order and say so."""
    say(f"{why}: ending desk {desk}")
    for step in w.down(desk):
        say(f"{step.seconds:6.1f} s  {step.text}")


def _live(w: World, state: "DeskState", client: "DeskClient") -> None:
    from rich.live import Live

    with Live(screen(View(), state), console=out(), screen=False, auto_refresh=False) as live:
        while _runs(w, state):
            live.update(screen(look(client), state), refresh=True)
            time.sleep(LOOK_S)


def _lines(w: World, state: "DeskState", client: "DeskClient") -> None:
    """Every minute, and whenever an actor, the order manager or the ledger changes."""
    said, due = None, 0.0
    while _runs(w, state):
        view = look(client)
        mark = view.trouble if view.status is None else _mark(view)
        if mark != said or time.monotonic() >= due:
            said, due = mark, time.monotonic() + LINES_EVERY_S
            for line in lines(view):
                print(line, flush=True)
        time.sleep(LOOK_S)


def _mark(view: View) -> str:
    status = view.status
    assert status is not None
    return f"{status.oms_state} {status.ledger_ok} {status.phase} {[(a.name, a.state) for a in status.actors]}"


def _runs(w: World, state: "DeskState") -> bool:
    now = w.find(state.desk)
    return now is not None and now.session_id == state.session_id and now.phase == "READY" and now.alive


def _after(w: World, state: "DeskState") -> None:
    """Somebody else ended it, or it failed."""
    deadline = time.monotonic() + 60
    while (now := w.find(state.desk)) is not None and now.session_id == state.session_id:
        if now.phase == "FAILED" or not now.alive:
            why = now.step if now.phase == "FAILED" else "its host died"
            raise DeskError(
                f"desk {state.desk} ended: {why}; see {state.log_path}; clean up: vikalp down --desk {now.desk}"
            )
        if time.monotonic() > deadline:
            raise DeskError(f"desk {state.desk} does not end ({now.step}); vikalp down --desk {now.desk}")
        time.sleep(0.1)
    say(f"desk {state.desk} was ended")


def _restore(before: "dict[signal.Signals, object]") -> None:
    for each, handler in before.items():
        signal.signal(each, handler)  # type: ignore[arg-type]
