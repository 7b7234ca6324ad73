"""The user's own facts of the exchanges: files below the desks' home, read at start and handed to core.market.

`vikalp facts import FILE` checks a file whole and keeps it as JSON in facts/. Every process that answers from the
tables is given the same rows: a command by `install_facts`, a desk's actors by the `Desk` they are made from.
"""

# Imported where used: a command that does not need Arrow starts at once.
# ruff: noqa: PLC0415

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.state import home, write_private
from core.errors import InputError

if TYPE_CHECKING:
    from core.market.overlay import UserFacts

MOST_BYTES = 1_000_000


def facts_dir() -> Path:
    """Where imported facts lie: of all desks of this home, since the exchanges are the same for all."""
    return home() / "facts"


def load_facts() -> "tuple[UserFacts, ...]":
    """The imported rows, the first published first. InputError for a file that is none of ours."""
    files = sorted(facts_dir().glob("*.json")) if facts_dir().is_dir() else []
    if not files:
        return ()
    import msgspec

    from core.market.overlay import UserFacts

    found = []
    for path in files:
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=UserFacts))
        except (msgspec.DecodeError, OSError) as error:
            raise InputError(
                f"{path}: not readable as imported facts ({error}); remove it and import it anew"
            ) from error
    return tuple(sorted(found, key=lambda facts: facts.published))


def install_facts() -> "tuple[UserFacts, ...]":
    """Load the imported rows and use them in this process; costs nothing where there are none."""
    facts = load_facts()
    if facts:
        from core.market.overlay import use

        use(facts)
    return facts


def import_facts(path: Path) -> "tuple[UserFacts, Path]":
    """Check the file whole and keep it; importing the same source again replaces what it said before.

    Raises InputError, naming the key, for a file that cannot be used; nothing has changed then.
    """
    import msgspec

    from core.market.overlay import use
    from core.market.user_facts import parse_user_facts

    install_facts()
    facts = parse_user_facts(_read(path), str(path))
    digest = hashlib.sha256(facts.source.encode()).hexdigest()[:12]
    kept = facts_dir() / f"{digest}.json"
    write_private(kept, msgspec.json.format(msgspec.json.encode(facts)).decode() + "\n")
    use(load_facts())
    return facts, kept


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
