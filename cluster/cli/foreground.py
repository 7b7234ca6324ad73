"""A desk in the foreground: its start step by step, its screen, its clean end."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from cluster.cli.out import err, out, say
from cluster.cli.screen import View, lines, look, screen
from cluster.cli.world import World
from core.errors import DeskError, VikalpError

if TYPE_CHECKING:
    from cluster.settings import Settings
    from cluster.state import DeskState
    from core.ports import DeskClient

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last when its terminal closes
LOOK_S = 1.0
LINES_EVERY_S = 60.0
ENDS_S = 100.0  # somebody else's `down` gives up before


class Ended(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP: everything is to end. Not an Exception, so that nothing takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self.exit_code = 128 + number  # as a shell has it, for what was not finished


class Told:
    """What the signals do: `answer` at once, then raise Ended; a second one waits until the end is done."""

    def __init__(self) -> None:
        self.answer: Callable[[str], None] = lambda _: None
        self.session_id = ""  # of the desk that was started here
        self.came_up = False
        nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # it is to outlive its terminal
        self._signals = tuple(each for each in SIGNALS if not (nohup and each == signal.SIGHUP))

    def listen(self) -> None:
        """Take the signals; again after ray.init, which takes SIGTERM for itself and would leave the desk behind."""
        for each in self._signals:
            signal.signal(each, self._stop)

    def deafen(self) -> None:
        """What is being ended is ended to its end."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.deafen()
        ended = Ended(number)
        with suppress(OSError, SystemExit):  # the terminal is gone; rich exits where nobody reads
            self.answer(str(ended))
        raise ended


@contextmanager
def signals_end() -> Iterator[Told]:
    """Turn SIGINT, SIGTERM and SIGHUP into Ended."""
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


def run(w: World, settings: "Settings", desk: int, told: Told, *, detach: bool) -> None:
    """Start the desk and, unless `detach`, show it until it ends. Whatever goes wrong here, it does not go on alone."""
    try:
        bring_up(w, settings, desk, told)
        if not detach:
            watch(w, desk, told)
    except BaseException as error:
        told.deafen()
        failed = not isinstance(error, Ended)
        if failed and not told.session_id:
            raise  # nothing was started
        try:
            end(w, told.session_id, desk, str(error) or type(error).__name__)
        except VikalpError as other:
            if not failed:
                raise
            _tell(str(other))
        raise


def bring_up(w: World, settings: "Settings", desk: int, told: Told) -> None:
    """Start the desk and say each step; where this fails or is broken off, what had started has ended."""
    console = err()
    with ExitStack() as stack:
        spinner = stack.enter_context(console.status("starting")) if console.is_terminal else None

        def answer(why: str) -> None:
            # What has started is ended inside w.up, which says nothing and may take seconds.
            console.print(f"{why}: ending what was started; this takes some seconds", markup=False, soft_wrap=True)
            if spinner is not None:
                spinner.update("ending")

        told.answer = answer
        steps = stack.enter_context(closing(w.up(settings, desk)))
        for step in steps:
            told.session_id = step.session_id
            if spinner is not None:
                spinner.update(step.text)
            console.print(f"{step.seconds:6.1f} s  {step.text}", markup=False, soft_wrap=True)
        told.came_up = True
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


def end(w: World, session_id: str, desk: int, why: str) -> None:
    """End in order the desk of `session_id`, which was started here, no other of its number, and say so."""
    now = w.find(desk)
    if now is not None and now.session_id != session_id:
        return
    if now is not None:
        _tell(f"{why}: ending desk {desk}; this takes some seconds")
        for step in w.down(desk):
            _tell(f"{step.seconds:6.1f} s  {step.text}")
    _tell(f"desk {desk} and everything it started has ended")


def _tell(text: str) -> None:
    """Say it if anybody reads: a terminal that is gone must not keep a desk alive."""
    with suppress(OSError, SystemExit):
        say(text)


def _live(w: World, state: "DeskState", client: "DeskClient") -> None:
    from rich.live import Live

    said = state.step
    with Live(screen(View(), state), console=out(), screen=False, auto_refresh=False) as live:
        while (now := _running(w, state)) is not None:
            if now.step != said:
                said = now.step
                live.console.print(f"desk {now.desk}: {said}", markup=False)
            live.update(screen(look(client), state), refresh=True)
            time.sleep(LOOK_S)


def _lines(w: World, state: "DeskState", client: "DeskClient") -> None:
    """Every minute, and whenever an actor, the order manager, the ledger or the host's step changes."""
    said, due, step = None, 0.0, state.step
    while (now := _running(w, state)) is not None:
        if now.step != step:
            step = now.step
            print(f"desk {now.desk}: {step}", flush=True)
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


def _running(w: World, state: "DeskState") -> "DeskState | None":
    """What the host says now of the desk that is shown; None when it runs no more."""
    now = w.find(state.desk)
    runs = now is not None and now.session_id == state.session_id and now.phase == "READY" and now.alive
    return now if runs else None


def _after(w: World, state: "DeskState") -> None:
    """Somebody else ended it, or it failed."""
    deadline = time.monotonic() + ENDS_S
    while (now := w.find(state.desk)) is not None and now.session_id == state.session_id:
        if now.phase == "FAILED" or not now.alive:
            why = now.step if now.phase == "FAILED" else "its host died"
            raise DeskError(f"desk {state.desk} ended: {why}; see {state.log_path}")
        if time.monotonic() > deadline:
            raise DeskError(f"desk {state.desk} does not end ({now.step})")
        time.sleep(0.1)
    say(f"desk {state.desk} was ended")


def _restore(before: "dict[signal.Signals, object]") -> None:
    for each, handler in before.items():
        signal.signal(each, handler)  # type: ignore[arg-type]
