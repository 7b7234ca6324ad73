"""Backups of a desk, whether it runs or not, and the way back into an empty one."""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from cluster.ledger import opened
from cluster.ports import ports
from cluster.running import COPY
from cluster.settings import Settings
from cluster.state import alone, desk_dir, find_state, home, temp_dir
from core.errors import DeskError, InputError
from storage.backup import Manifest, back_up
from storage.restore import restore, restore_elsewhere

Say = Callable[[str], None]


def backups_dir() -> Path:
    """Where backups go unless told otherwise: beside the desks."""
    return home() / "backups"


def make_backup(desk: int, to: Path | None, *, say: Say = lambda _: None) -> Path:
    """The backup's folder. A desk that runs goes on; of one that does not, its own PostgreSQL is started meanwhile.

    Raises InputError where there is no such desk, and as storage.backup.back_up.
    """
    settings = settings_of(desk)
    tape = settings.tape.url or str(desk_dir(desk) / "tape")
    with _ledger(desk, settings) as dsn:
        return back_up(dsn, tape, to or backups_dir(), desk=desk, now=dt.datetime.now(dt.UTC), say=say)


class Elsewhere(NamedTuple):
    """A server of one's own: the dsn of an empty database's owner, and the roles that are there."""

    owner_dsn: str
    role: str
    reader: str = ""


def restore_desk(backup: Path, desk: int, *, elsewhere: Elsewhere | None = None, say: Say = lambda _: None) -> Manifest:
    """Desk number `desk`, which must not exist, made of a backup; `vikalp up` then starts it.

    Its ledger goes into a server of its own in its folder, or `elsewhere`. Raises as `restore`, `restore_elsewhere`.
    """
    with alone(desk):
        state = find_state(desk)
        if state is not None and state.alive:
            raise DeskError(f"desk {desk} is running: a restore needs an empty one; choose another with --desk")
        if elsewhere is not None:
            to, role, reader = elsewhere
            return restore_elsewhere(backup, desk_dir(desk), to, desk=role, reader=reader, say=say)
        run_dir = temp_dir(desk).with_name(f"{temp_dir(desk).name}-restore")
        return restore(backup, desk_dir(desk), run_dir=run_dir, port=ports(desk).postgres, say=say)


def _ledger(desk: int, settings: Settings) -> AbstractContextManager[str]:
    """The ledger's address for as long as it is needed."""
    return nullcontext(settings.ledger.dsn) if settings.ledger.dsn else opened(desk)


def settings_of(desk: int) -> Settings:
    """What a desk was last made with; the defaults for one that never was. InputError where there is no such desk."""
    folder = desk_dir(desk)
    if not folder.is_dir():
        raise InputError(f"there is no desk {desk} below {home()}: choose one with --desk")
    path = folder / COPY
    try:
        return Settings.model_validate_json(path.read_bytes()) if path.exists() else Settings()
    except (OSError, ValidationError) as error:
        raise InputError(f"{path}: the desk's own settings are not readable ({error}): start it anew") from error
