"""A desk's ledger and tape in one folder: written aside, checked by digest, put back into an empty desk.

    <to>/vikalp-desk0-20261121T153000Z/
      manifest.json            what is in it: schema, sessions, counts, the chain's heads, SHA-256 of every file
      ledger/<table>.copy      rows, of one moment (storage/ledger/copied.py)
      tape/…                   Parquet parts as on the tape, hard links where the disk allows it

The folder has its name only when all of it is on the disk: a process killed before leaves a dot-folder, which the next
backup removes. No secret is in it: not the database's password, nor the desk's token, nor a login or keys at a broker;
a restored desk has its own, and a person logs in again. What the database holds is readable to who reads the folder
(mode 700).
"""

import contextlib
import datetime as dt
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from core.errors import InputError
from storage.holes import NAME as HOLES
from storage.ledger.copied import Copied, copy_in, copy_out, digest, file_of, private
from storage.tape import MARKS
from storage.tape_files import TRIES, Part

MANIFEST = "manifest.json"
LEFT_OUT = "passwords, tokens, broker logins and keys; vikalp.yaml; recordings that do not lie on this machine"
FORMAT = 1
CHUNK = 1 << 20
UNFINISHED = {".parquet", ".new"}  # of a tape's files those that are not notes
Say = Callable[[str], None]


class File(msgspec.Struct, frozen=True):
    """Of a file: its size and its SHA-256."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; `tape_from` is where the tape lies; one at a URL is not in it."""

    format: int
    release: str
    made_at: str  # UTC, ISO
    desk: int
    ledger: Copied
    tape_from: str
    files: dict[str, File]  # by path below the folder
    left_out: str = LEFT_OUT


def back_up(dsn: str, tape: str, to: Path, *, desk: int, now: dt.datetime, say: Say = lambda _: None) -> Path:
    """Copy the ledger at `dsn` and the tape below the folder `tape` into a new folder in `to`, and return it.

    The desk may run meanwhile. Of a tape at a URL the manifest only says where it is; an empty name is none. Raises
    LedgerDown, ConfigError, OSError; InputError for a tape that keeps changing.
    """
    to.mkdir(parents=True, exist_ok=True)
    final = to / f"vikalp-desk{desk}-{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"
    if final.exists():
        raise InputError(f"{final} is there already: wait a second, or name another folder with --to")
    _remove_unfinished(to)
    with _aside(to) as aside:
        (aside / "ledger").mkdir(mode=0o700)
        copied = copy_out(dsn, aside / "ledger", say=say)
        if tape and "://" not in tape and Path(tape).is_dir():
            _copy_tape(Path(tape), aside / "tape", say)
        manifest = Manifest(
            format=FORMAT, release=version("vikalp"), made_at=now.astimezone(dt.UTC).isoformat(), desk=desk,
            ledger=copied, tape_from=_without_login(tape), files=_files_of(aside, say),
        )  # fmt: skip
        with private(aside / MANIFEST) as file:
            file.write(msgspec.json.format(msgspec.json.encode(manifest)))
            file.flush()
            os.fsync(file.fileno())
        _sync_folders(aside)
        say("rename")
        aside.rename(final)
    _sync(to)
    return final


def read_manifest(backup: Path) -> Manifest:
    """Of a backup's folder, or of its manifest itself; InputError for what is none."""
    path = backup if backup.name == MANIFEST else backup / MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise InputError(
            f"{backup} is no backup: expected a folder with {MANIFEST}, as `vikalp backup` names it"
        ) from None
    except (msgspec.DecodeError, NotADirectoryError) as error:
        raise InputError(f"{path} is no manifest of a backup: {error}") from error
    if found.format != FORMAT:
        raise InputError(
            f"{path} is of format {found.format}, this release reads {FORMAT}: use release {found.release}"
        )
    return found


def problems(backup: Path, *, say: Say = lambda _: None) -> list[str]:
    """Everything that is not as the manifest says: files missing, altered or beyond it, tables with other counts."""
    folder, manifest = folder_of(backup), read_manifest(backup)
    there = set(_names(folder)) - {MANIFEST}
    out = [f"{name} is missing" for name in sorted(manifest.files.keys() - there)]
    out += [f"{name} is not in the manifest" for name in sorted(there - manifest.files.keys())]
    for name in sorted(manifest.files.keys() & there):
        say(name)
        wanted, path = manifest.files[name], folder / name
        if path.stat().st_size != wanted.size:
            out.append(f"{name} has {path.stat().st_size} bytes, expected {wanted.size}")
        elif digest(path) != wanted.sha256:
            out.append(f"{name} is altered: its SHA-256 is not the manifest's")
    for table, expected in manifest.ledger.tables.items():
        name = f"ledger/{file_of(table)}"
        if name not in manifest.files:
            out.append(f"{name} is not among the manifest's files")
        elif name in there and (counted := _lines(folder / name)) != expected.rows:
            out.append(f"{name} has {counted} rows, expected {expected.rows}")
    return out


def require_whole(backup: Path, *, say: Say = lambda _: None) -> Manifest:
    """The manifest, when everything is as it says; InputError with the first things that are not."""
    found = problems(backup, say=say)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise InputError(f"{backup} is damaged: {'; '.join(found[:3])}{more}. Use another backup")
    return read_manifest(backup)


def put_ledger(backup: Path, dsn: str, *, say: Say = lambda _: None) -> None:
    """The backup's rows into an empty database, whole or not at all. Raises as `copy_in`; the files are not checked."""
    copy_in(dsn, folder_of(backup) / "ledger", read_manifest(backup).ledger, say=say)


def put_tape(backup: Path, target: Path, *, say: Say = lambda _: None) -> None:
    """Copies of the backup's tape as the new folder `target`; no links, since the desk goes on writing there."""
    source = folder_of(backup) / "tape"
    if not source.is_dir():
        return
    for name in _names(source):
        say(f"tape {name}")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
        _sync(target / name)
    _sync_folders(target)


def _without_login(url: str) -> str:
    """A store's URL without the keys that may be in it."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def folder_of(backup: Path) -> Path:
    return backup.parent if backup.name == MANIFEST else backup


@contextlib.contextmanager
def _aside(to: Path) -> Iterator[Path]:
    """A new dot-folder, locked for as long as its writer lives; gone if it did not become a backup."""
    aside = to / f".vikalp-{uuid.uuid4().hex}.part"
    aside.mkdir(mode=0o700)
    lock = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(lock)


def _remove_unfinished(to: Path) -> None:
    """What killed backups left; one that is still being written is locked."""
    for left in to.glob(".vikalp-*.part"):
        lock = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(left)
        finally:
            os.close(lock)


def _copy_tape(tape: Path, target: Path, say: Say) -> None:
    """Every partition by itself, in the order that keeps it readable: first what its senders were told is durable."""
    target.mkdir(mode=0o700)
    for folder in sorted(path for path in tape.rglob("index=*") if path.is_dir()):
        say(f"tape {folder.relative_to(tape)}")
        _copy_partition(folder, target / folder.relative_to(tape))
    for note in sorted(tape.rglob(HOLES)):
        (target / note.relative_to(tape)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(note, target / note.relative_to(tape))


def _copy_partition(folder: Path, target: Path) -> None:
    """Its notes copied, then its parts linked: whatever the notes count is there by then, named or about to be.

    A part that is compacted away between its listing and its link lies in a wider one: then all is begun anew.
    """
    for _ in range(TRIES):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            for note in [path for path in folder.iterdir() if path.is_file() and path.suffix not in UNFINISHED]:
                shutil.copyfile(note, target / note.name)
            _copy_parts(folder, target)
            return
    raise InputError(f"{folder} kept changing while it was copied: try again")


def _copy_parts(folder: Path, target: Path) -> None:
    """The named ones, and of those under a dot-name, which are written to, the one that the note says is whole."""
    note = target / MARKS
    last = int(msgspec.json.decode(note.read_bytes())["part"]) if note.exists() else 0
    whole = f".{Part(last, last).name}"
    for part in sorted(path for path in folder.iterdir() if path.suffix == ".parquet"):
        if part.name == whole:
            shutil.copyfile(part, target / part.name)
        elif not part.name.startswith("."):
            _link(part, target / part.name)


def _link(source: Path, target: Path) -> None:
    """A part never changes once it is written, so a link is a copy; another disk needs the bytes."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _files_of(folder: Path, say: Say) -> dict[str, File]:
    out = {}
    for name in _names(folder):
        say(f"digest {name}")
        _sync(folder / name)
        out[name] = File((folder / name).stat().st_size, digest(folder / name))
    return out


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _lines(path: Path) -> int:
    """Rows of a COPY file: a line end inside a value is written as two characters."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK), b""))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folders(folder: Path) -> None:
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _sync(path)
