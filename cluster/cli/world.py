"""What the commands reach outside themselves: the one seam their tests replace."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from cluster.cli.out import exit_code, print_error
from core.errors import VikalpError

if TYPE_CHECKING:
    from cluster.lifecycle import Step
    from cluster.settings import Settings
    from cluster.state import DeskState
    from core.ports import DeskClient


@contextmanager
def _connect(desk: int | None) -> "Iterator[DeskClient]":
    from cluster.attach import attach

    with attach(desk, program="vikalp") as found:
        yield found.client


def _up(settings: "Settings", desk: int) -> "Iterator[Step]":
    from cluster.lifecycle import up

    return up(settings, desk)


def _down(desk: int | None) -> "Iterator[Step]":
    from cluster.lifecycle import down

    return down(desk)


def _load(path: Path | None) -> "Settings":
    from cluster.settings import load

    return load(path)


def _state(desk: int | None) -> "DeskState":
    from cluster.state import read_state

    return read_state(desk)


def _find(desk: int) -> "DeskState | None":
    from cluster.state import find_state

    return find_state(desk)


def _kill_file(desk: int) -> Path:
    from cluster.state import kill_path

    return kill_path(desk)


def _ledger(desk: int | None) -> "AbstractContextManager[str]":
    from cluster.ledger import opened

    return opened(desk)


@dataclass(frozen=True, kw_only=True)
class World:
    """A desk as the command line reaches it."""

    connect: "Callable[[int | None], AbstractContextManager[DeskClient]]" = _connect
    up: "Callable[[Settings, int], Iterator[Step]]" = _up
    down: "Callable[[int | None], Iterator[Step]]" = _down
    load: "Callable[[Path | None], Settings]" = _load
    state: "Callable[[int | None], DeskState]" = _state
    find: "Callable[[int], DeskState | None]" = _find
    kill_file: Callable[[int], Path] = _kill_file
    ledger: "Callable[[int | None], AbstractContextManager[str]]" = _ledger


def world(context: typer.Context) -> World:
    """The tests' world, if there is one, else the real one."""
    return context.obj if isinstance(context.obj, World) else World()


class Command(TyperCommand):
    """A command whose deliberate errors are one line on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except VikalpError as error:
            print_error(error, as_json=bool(ctx.params.get("as_json")))
            raise typer.Exit(exit_code(error)) from None
