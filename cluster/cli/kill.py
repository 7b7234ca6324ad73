"""The kill switch: kill, release."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

import getpass
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.books import orders_table, positions_table
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem, say
from cluster.cli.world import world
from core.errors import InputError, VikalpError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cluster.cli.world import World
    from core.ports import DeskClient
    from core.records import Kill, Order, Position

LOOK_S = 0.2
SECOND_NS = 1_000_000_000
Why = Annotated[str, typer.Argument(help="Why, in a few words; goes into the journal and onto the page.")]
Who = Annotated[str, typer.Option(help="Whose name goes with it; your login name if not given.", show_default=False)]


@dataclass(frozen=True)
class Aftermath:
    """What has become of the orders since the switch was pulled."""

    over: Sequence[Order]
    living: Sequence[Order]
    held: Sequence[Position]  # looked at only where every position was to be closed


def kill(
    context: typer.Context,
    why: Why,
    square_off: Annotated[bool, typer.Option("--square-off", help="Close every position too, shorts first.")] = False,
    who: Who = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to watch until nothing lives any more.")] = 15.0,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Stop at once: no new orders, every order cancelled. Asks nothing; holds through restarts until release.

    The kill file is written first, so that it works at once, also while Ray does not; it says whether to square off
    too, and release removes it. Exits with 1 unless everything is seen to be over.
    """
    w, who = world(context), who or getpass.getuser()
    number = _number(w, desk)
    file = w.kill_file(number)
    asked = _write(file, why, who, square_off=square_off)
    try:
        with w.connect(number) as client:
            before = client.killed()
            switch = client.kill(_reason(why), who, square_off)
            seen = _watch(client, (before or switch).at_ns, wait, square_off=square_off)
    except VikalpError as error:
        _by_file(error, file, square_off=asked, as_json=as_json)
        raise typer.Exit(FAILURE) from None
    if as_json:
        print_json({"kill": switch, "over": seen.over, "living": seen.living, "held": seen.held})
    else:
        _show(switch, seen)
    if seen.living or seen.held:
        what = f"still working: {len(seen.living)}, positions open: {len(seen.held)}"
        print_problem(
            f"after {wait:g} s {what}; the order manager goes on, see vikalp orders", "Killed", as_json=as_json
        )
        raise typer.Exit(FAILURE)


def release(
    context: typer.Context,
    why: Why,
    who: Who = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the word.")] = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """End the kill switch; the order manager is HALTED then, and resume trades."""
    w, who = world(context), who or getpass.getuser()
    number = _number(w, desk)
    file = w.kill_file(number)
    if not yes:
        typed = typer.prompt("type release to end the kill switch", default="", show_default=False, err=True)
        if typed.strip() != "release":
            raise InputError(f"not released: expected the word release, or --yes, was {typed!r}")
    aside = file.with_name(f".{file.name}.released.{os.getpid()}")
    try:
        with suppress(FileNotFoundError):
            file.replace(aside)  # unread: a person may have written it, in any encoding
        with w.connect(number) as client:
            state = client.release(_reason(why), who)
            aside.unlink(missing_ok=True)
    except BaseException as error:
        _put_back(aside, file)
        known = isinstance(error, VikalpError)
        say("not released: it is as it was" if known else "broken off: vikalp status says whether the switch holds")
        raise
    if as_json:
        print_json({"oms_state": state})
    else:
        out().print(f"released; oms {state}" + ("; vikalp resume trades again" if state == "HALTED" else ""))


def _number(w: World, desk: int | None) -> int:
    """Which desk is meant. One that is named need not run: the next start of it is killed too."""
    return w.state(None).desk if desk is None else desk


def _reason(why: str) -> str:
    """One line; InputError without one."""
    line = " ".join(why.split())
    if not line:
        raise InputError('a reason is needed, a few words in quotes: "WHY"')
    return line


def _write(file: Path, why: str, who: str, *, square_off: bool) -> bool:
    """Whether it asks to square off: a wish that is there already stays, a second pull takes nothing back."""
    from cluster.state import write_private
    from core.risk.kill_words import read, written

    wished = file.exists() and read(file.read_text(encoding="utf-8", errors="replace")).square_off is True
    write_private(file, f"{written(_reason(why), who, square_off=square_off or wished)}\n")
    say("the kill file is written: the order manager sends nothing new and cancels every order")
    return square_off or wished


def _put_back(aside: Path, file: Path) -> None:
    """Unless there is none, or a newer one was written meanwhile: that says what is wanted now."""
    try:
        os.link(aside, file)  # which replaces none, as a rename does
    except FileExistsError:
        pass
    except OSError:  # another user's, or on a disk without hard links
        if aside.exists() and not file.exists():
            aside.replace(file)
    aside.unlink(missing_ok=True)


def _watch(client: DeskClient, since_ns: int, wait_s: float, *, square_off: bool) -> Aftermath:
    """Until every order is over, and with `square_off` every position, or for `wait_s`."""
    from core.records import LIVE

    until = time.monotonic() + wait_s
    since_ns -= since_ns % SECOND_NS  # a broker's book tells whole seconds
    while True:
        orders = client.orders()
        over = [each for each in orders if each.state not in {*LIVE, "REFUSED"} and each.updated_ns >= since_ns]
        living = [each for each in orders if each.state in LIVE]
        held = [each for each in client.positions() if each.quantity] if square_off else []
        if not (living or held) or time.monotonic() >= until:
            return Aftermath(over, living, held)
        time.sleep(LOOK_S)


def _by_file(error: VikalpError, file: Path, *, square_off: bool, as_json: bool) -> None:
    """Ray did not answer: the file alone says it now."""
    problem = f"what became of it is not known: {error}"
    steps = (
        f"the kill file is {file}: an order manager that runs obeys it within a second, one that starts too",
        f"it asks for every position {'to be closed too' if square_off else 'to be left as it is'}",
    )
    if as_json:
        print_problem("; ".join([problem, *steps]), type(error).__name__, as_json=True)
        return
    print_problem(problem, type(error).__name__, as_json=False)
    for step in steps:
        say(step)


def _show(switch: Kill, seen: Aftermath) -> None:
    tables = [orders_table([*seen.over, *seen.living])] if seen.over or seen.living else ["no order was working"]
    out().print(*tables, *([positions_table(list(seen.held))] if seen.held else []))
    states = Counter(each.state for each in seen.over)
    counted = ", ".join(f"{count} {state}" for state, count in states.items()) or "none was working"
    asked = ", every position to be closed" if switch.square_off else ""
    say(f"KILLED by {switch.who}: {switch.why}{asked}; orders over: {counted}; still living: {len(seen.living)}")
    say('nothing is sent until a person says: vikalp release "WHY"')


COMMANDS = {"kill": kill, "release": release}
"""By the name a person types."""
