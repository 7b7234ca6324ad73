"""What a reader leaves out and why, and how that is told."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.errors import InputError

MEND = "mend it or fetch the file again"


@dataclass(frozen=True)
class Refused:
    """A row that was left out. `place` is where it stands: "line 7", "row 7" of a table, "entry 7" of a list."""

    file: str
    place: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}, column {self.column}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Read:
    """The good rows of a file, the rows left out, in file order, and `notes` on what could not be checked."""

    table: pa.Table
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()


def refusal(path: str | Path, place: str, column: str, expected: str, found: object) -> InputError:
    """The error of a file that cannot be used as a whole."""
    return InputError(f"{Refused(str(path), place, column, expected, shown(found))}; {MEND}")


def shown(value: object) -> str:
    """`value` as an error shows it: quoted if it is text, cut if it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
