"""A desk in the foreground: its start step by step, its screen, its clean end."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

import signal
import time
from collections.abc import Callable, Iterator
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

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK_S = 1.0
LINES_EVERY_S = 60.0


class Ended(BaseException):
    """Ctrl-C or SIGTERM: everything is to end. Not an Exception, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self.exit_code = 128 + number  # as a shell has it, for what was not finished


class Told:
    """What SIGINT and SIGTERM do: `answer` at once, then raise Ended; a second one waits until the end is done."""

    def __init__(self) -> None:
        self.answer: Callable[[str], None] = lambda _: None

    def listen(self) -> None:
        """Take both signals; again after ray.init, which takes SIGTERM for itself and would leave the desk behind."""
        for each in SIGNALS:
            signal.signal(each, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        ended = Ended(number)
        self.answer(str(ended))
        raise ended


@contextmanager
def signals_end() -> Iterator[Told]:
    """Turn SIGINT and SIGTERM into Ended."""
    told, before = Told(), {each: signal.getsignal(each) for each in SIGNALS}
    told.listen()
    try:
        yield told
    except Ended:
        raise  # stays deaf: the caller is ending the desk
    except BaseException:
        _restore(before)
        raise
    else:
        _restore(before)


def bring_up(w: World, settings: "Settings", desk: int, told: Told) -> None:
    """Start the desk and say each step."""
    console = err()
    with ExitStack() as stack:
        spinner = stack.enter_context(console.status("starting")) if console.is_terminal else None

        def answer(why: str) -> None:
            # What has started is ended inside w.up, which says nothing and may take seconds.
            console.print(f"{why}: ending what was started; this takes some seconds", markup=False, soft_wrap=True)
            if spinner is not None:
                spinner.update("ending")

        told.answer = answer
        for step in w.up(settings, desk):
            if spinner is not None:
                spinner.update(step.text)
            console.print(f"{step.seconds:6.1f} s  {step.text}", markup=False, soft_wrap=True)
        told.answer = lambda _: None


def watch(w: World, desk: int, told: Told) -> None:
    """Show the desk until it ends; raises DeskError when it failed, Ended when it is told to end."""
    state = w.state(desk)
    say(f"page {state.page_url}\nRay's dashboard {state.dashboard_url}\nfrom elsewhere {state.client_url}")
    with w.connect(desk) as client:
        told.listen()
        if out().is_terminal:
            _live(w, state, client)
        else:
            _lines(w, state, client)
    _after(w, state)


def end(w: World, before: "DeskState | None", desk: int, why: str) -> None:
    """End in order the desk that was started here, not the one `before`, and say so."""
    now = w.find(desk)
    if now is not None and before is not None and now.session_id == before.session_id:
        return
    if now is not None:
        _down(w, desk, why)
    say(f"desk {desk} and everything it started has ended")


def _down(w: World, desk: int, why: str) -> None:
    say(f"{why}: ending desk {desk}; this takes some seconds")
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
