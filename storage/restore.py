"""A backup put back: into a desk's empty folder, its ledger elsewhere; or into a scratch server, as proof."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.errors import ConfigError, InputError
from storage.backup import Manifest, put_ledger, put_tape, require_whole
from storage.ledger.copied import require_blank
from storage.ledger.migrate import migrate
from storage.ledger.roles import prepare, require_roles
from storage.ledger.verify import verify
from storage.postgres import PostgresServer

Say = Callable[[str], None]
SCRATCH_PORT = 5432  # names the scratch server's Unix socket, in a folder of its own


def restore(backup: Path, folder: Path, *, run_dir: Path, port: int, say: Say = lambda _: None) -> Manifest:
    """Make the desk's folder of a backup, which is checked first; the desk's next start finds ledger and tape in it.

    All is built beside `folder` and renamed at the end: a process killed before leaves `folder` as it was, and the next
    restore clears what it left. `run_dir` and `port` are of the server that fills the ledger, and are given back.
    Raises InputError for a desk that is not empty and for a damaged backup, ConfigError for one of a newer release or
    where no server can be started, OSError.
    """
    require_empty(folder)
    manifest = require_whole(backup, say=say)
    aside = folder.with_name(f".{folder.name}.restoring")
    _clear(aside, run_dir, port)
    aside.mkdir(parents=True)
    aside.chmod(0o711)  # PostgreSQL may run as another user
    try:
        server = PostgresServer(aside / "postgres", run_dir, port)
        try:
            say("server")
            server.start()
            put_ledger(backup, server.dsn, say=say)
        finally:
            server.stop()
        put_tape(backup, aside / "tape", say=say)
        require_empty(folder)
        say("rename")
        aside.rename(folder)  # also onto an empty one
    finally:
        _clear(aside, run_dir, port)
    return manifest


def restore_elsewhere(
    backup: Path, folder: Path, owner_dsn: str, *, desk: str, reader: str = "", say: Say = lambda _: None
) -> Manifest:
    """The backup's ledger into an empty database on a server elsewhere, as its owner; its tape into the desk's folder.

    Of the roles there, which exist, `desk` and `reader` are granted what they need. The ledger is one transaction, the
    folder is renamed after it: a process killed between the two leaves the database filled, to be made empty again by
    hand. Raises as `restore`; ConfigError for a database that is not empty, a role that is not there, or a user who may
    make no tables.
    """
    require_empty(folder)
    require_blank(owner_dsn)
    require_roles(owner_dsn, desk, reader)
    manifest = require_whole(backup, say=say)
    aside = folder.with_name(f".{folder.name}.restoring")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    aside.chmod(0o711)
    try:
        put_tape(backup, aside / "tape", say=say)
        put_ledger(backup, owner_dsn, say=say)
        prepare(owner_dsn, desk=desk, reader=reader)
        say("rename")
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def require_empty(folder: Path) -> None:
    """InputError if there is anything in the desk's folder."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    raise InputError(
        f"{folder} is not empty: a restore makes a desk and never changes one. Choose another number with --desk, or "
        "end that desk and move its folder away"
    )


def rehearse(backup: Path, *, say: Say = lambda _: None) -> list[str]:
    """Restore into a server that is thrown away: what is wrong with the ledger there, in sentences; none is good.

    Raises as `restore`.
    """
    require_whole(backup, say=say)
    with tempfile.TemporaryDirectory(prefix="vk") as name:
        place = Path(name)
        place.chmod(0o711)
        server = PostgresServer(place / "postgres", place / "run", SCRATCH_PORT)
        try:
            server.start()
            put_ledger(backup, server.dsn, say=say)
            migrate(server.dsn)
            say("chain of facts")
            report = verify(server.dsn)
        finally:
            server.stop()
    bad = [one for one in report.sessions if one.problem is not None]
    return [
        *(f"session {one.session_id}: {one.problem}" for one in bad),
        *(f"after the restore {name} is missing or switched off" for name in report.unguarded),
    ]


def _clear(aside: Path, run_dir: Path, port: int) -> None:
    """What a killed restore left, a server of its among it."""
    if (aside / "postgres" / "postmaster.pid").exists():
        server = PostgresServer(aside / "postgres", run_dir, port)
        with contextlib.suppress(ConfigError):  # it did not come to life, so there is nothing to end
            server.start()
            server.stop()
    shutil.rmtree(aside, ignore_errors=True)
