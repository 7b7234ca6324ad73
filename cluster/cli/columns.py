"""Tables that fit the console: columns go by their rank, what is in a cell is never cut.

A table is drawn from the columns that fit the width it is drawn in; the least important go first. A text of any
length (a refusal, a reason) is a column at the end where there is room for it, else a line below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

ROOM_FOR_TEXT = 40  # narrower, a sentence is harder to read in a column than on a line of its own


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; rank 0 is always shown, columns of the highest rank go first and together."""

    name: str
    cells: Sequence[Text | str]
    rank: int = 0
    left: bool = False
    footer: str = ""

    @property
    def width(self) -> int:
        texts = (self.name, self.footer, *(cell.plain if isinstance(cell, Text) else cell for cell in self.cells))
        return max(map(cell_len, texts))


@dataclass(frozen=True)
class Fit:
    """A table no wider than where it is drawn; `texts`, one a row, beside the row or below as "key  text"."""

    columns: Sequence[Column]
    keys: Sequence[str] = ()
    texts: Sequence[str] = ()
    says: str = ""  # the header of the texts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept, gap = choose(self.columns, options.max_width)
        room = options.max_width - total(kept, gap) - gap
        longest = max(map(cell_len, self.texts), default=0)
        beside = longest and room >= max(len(self.says), min(ROOM_FOR_TEXT, longest))
        yield draw(kept, gap, self.says, self.texts) if beside else draw(kept, gap)
        if longest and not beside:
            yield from (Text(f"{key}  {text}") for key, text in zip(self.keys, self.texts, strict=True) if text)


@dataclass(frozen=True)
class Flow:
    """Pieces in as few lines as they need, none of them broken across two."""

    pieces: Sequence[Text | str]
    style: str = ""
    between: str = "  "

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[Text] = []
        for piece in self.pieces:
            text = Text(piece) if isinstance(piece, str) else piece
            if lines and lines[-1].cell_len + len(self.between) + text.cell_len <= options.max_width:
                lines[-1] = Text.assemble(lines[-1], self.between, text)
            else:
                lines.append(text)
        yield Text("\n", style=self.style).join(lines)


def total(columns: Sequence[Column], gap: int) -> int:
    """Characters a row of these columns takes."""
    return sum(column.width for column in columns) + gap * (len(columns) - 1)


def choose(columns: Sequence[Column], width: int) -> tuple[list[Column], int]:
    """The columns that fit `width` and the blanks between two of them: two where possible, else one."""
    kept = list(columns)
    while total(kept, 1) > width and any(column.rank for column in kept):
        least = max(column.rank for column in kept)
        kept = [column for column in kept if column.rank < least]
    return kept, 2 if total(kept, 2) <= width else 1


def draw(columns: Sequence[Column], gap: int, says: str = "", texts: Sequence[str] = ()) -> Table:
    """These columns as they are, `texts` last; a console narrower than rank 0 folds cells, it cuts none."""
    footers = any(column.footer for column in columns)
    made = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_footer=footers)
    for column in columns:
        made.add_column(
            column.name, column.footer, justify="left" if column.left else "right", overflow="fold", width=column.width
        )
    rows = [list(row) for row in zip(*(column.cells for column in columns), strict=True)]
    if texts:
        made.add_column(says, overflow="fold")
        rows = [[*row, text] for row, text in zip(rows, texts, strict=True)]
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made
