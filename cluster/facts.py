"""The user's own facts of the exchanges: files below the desks' home, read at start and handed to core.market.

`vikalp facts import FILE` checks a file whole and keeps it as JSON in facts/. A desk is made with the rows that lie
there as it starts and keeps them for as long as it lives: its actors have them from the `Desk` they are made from, its
other processes, an attached notebook and a job from the copy in the desk's folder. What acts on a running desk never
reads the files of now, and so cannot be stopped by one that is broken.
"""

# Imported where used: a command that does not need Arrow starts at once.
# ruff: noqa: PLC0415

import datetime as dt
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.state import SESSION_TAG, home, running_desks, write_private
from core.errors import InputError

if TYPE_CHECKING:
    from core.market.overlay import UserFacts

MOST_BYTES = 1_000_000
COPY = "facts.json"  # in a desk's folder: the rows it was made with


def facts_dir() -> Path:
    """Where imported facts lie: of all desks of this home, since the exchanges are the same for all."""
    return home() / "facts"


def load_facts() -> "tuple[UserFacts, ...]":
    """The imported rows, the first published first, checked anew; InputError for a file that cannot be used."""
    return _in_order(_kept())


def install_facts() -> "tuple[UserFacts, ...]":
    """Load the imported rows and use them in this process; costs nothing where there are none. Raises InputError."""
    facts = load_facts()
    if facts:
        from core.market.overlay import use

        use(facts)
    return facts


def keep_copy(folder: Path, facts: "Sequence[UserFacts]") -> None:
    """Write down what a desk is made with, for the processes that reach it later."""
    import msgspec

    write_private(folder / COPY, msgspec.json.encode(facts).decode())


def install_copy(folder: Path) -> str:
    """Use what the desk of that folder was made with; else the tables alone, and return why."""
    import msgspec

    from core.market.overlay import UserFacts, use

    try:
        facts = msgspec.json.decode((folder / COPY).read_bytes(), type=tuple[UserFacts, ...])
    except (msgspec.DecodeError, OSError) as error:
        use(())
        return f"{folder / COPY}: the desk's own facts of the exchanges are not readable ({error})"
    use(facts)
    return ""


def install_for_job() -> None:
    """Use the rows of the desk whose process this is; of a job that is none's, the imported ones. Raises InputError."""
    session = os.environ.get(SESSION_TAG)
    ours = [state for state in running_desks() if state.session_id == session] if session else []
    if not ours:
        install_facts()
        return
    why = install_copy(Path(ours[0].data_dir))
    if why:
        raise InputError(why)


def import_facts(path: Path, today: dt.date) -> "tuple[UserFacts, Path]":
    """Check the file whole and keep it; importing the same source again replaces what it said before.

    Raises InputError, naming the key, for a file that cannot be used, with the others that are kept or on `today`;
    nothing has changed then.
    """
    import msgspec

    from core.market.overlay import use
    from core.market.user_facts import check_all, parse_user_facts

    install_facts()
    facts = parse_user_facts(_read(path), str(path), today=today)
    place = _place(facts.source)
    kept = _kept() | {place: facts}
    check_all({str(path if where == place else where): each for where, each in kept.items()})
    write_private(place, msgspec.json.format(msgspec.json.encode(facts)).decode() + "\n")
    use(_in_order(kept))
    return facts, place


def remove_facts(source: str) -> Path:
    """Take back what `source` said; returns the file that was kept, which is gone.

    Raises InputError where nothing of it is kept, or where another file needs it; nothing has changed then.
    """
    from core.market.user_facts import check_all

    place = _place(source)
    try:
        kept = _kept()
        left = {str(where): facts for where, facts in kept.items() if where != place}
    except InputError:
        kept, left = {}, {}  # one of them is broken, perhaps this: without it they are no worse
    if not place.exists():
        known = "; ".join(facts.source for facts in kept.values()) or "none"
        raise InputError(f"nothing is kept of {source!r}; imported are: {known}")
    check_all(left)
    place.unlink()
    return place


def _kept() -> "dict[Path, UserFacts]":
    files = sorted(facts_dir().glob("*.json")) if facts_dir().is_dir() else []
    if not files:
        return {}
    import msgspec

    from core.market.overlay import UserFacts
    from core.market.user_facts import check_all

    found = {}
    for path in files:
        try:
            found[path] = msgspec.json.decode(path.read_bytes(), type=UserFacts)
        except (msgspec.DecodeError, OSError) as error:
            raise InputError(
                f"{path}: not readable as imported facts ({error}); remove it and import it anew"
            ) from error
    try:
        check_all({str(path): facts for path, facts in found.items()})
    except InputError as error:
        raise InputError(f"{error}; remove that file and import it anew") from error
    return found


def _in_order(kept: "dict[Path, UserFacts]") -> "tuple[UserFacts, ...]":
    return tuple(sorted(kept.values(), key=lambda facts: facts.published))


def _place(source: str) -> Path:
    return facts_dir() / f"{hashlib.sha256(source.encode()).hexdigest()[:12]}.json"


def _read(path: Path) -> Any:
    import yaml

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES:,} bytes; expected a small YAML file of dated rows")
    try:
        # Every value as text: YAML would read the time 18:15 as the number 1095.
        return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 it makes text, lists and mappings
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
