"""One statement for all that one call of the ledger writes: a round trip, and a transaction of its own.

Each row is written from what the one before it returned, so in this order, and none of them where the first is not:
the epoch is another's, or the row was there before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.rows import insert, put

# A newer order manager's take waits for this statement, or this one for that and then sees its epoch.
HOLDS = "held AS MATERIALIZED (SELECT epoch FROM oms_epoch WHERE session_id = $1 FOR SHARE)"
NEW = "ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class Write:
    """A row of `table`: its values are the statement's next parameters, save those in `said`.

    Those are SQL, in which {column} is that column's parameter. With `key` it replaces the row of that key, which is
    then `(SELECT before FROM wrote_<table>)`, as JSON.
    """

    table: str
    columns: tuple[str, ...]
    tail: str = ""
    key: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def given(self) -> tuple[str, ...]:
        """The columns that parameters are for."""
        return tuple(name for name in self.columns if name not in self.said)


def before(table: str) -> dict[str, str]:
    """`said` of a line of the audit log: the row of `table` that was replaced is its old value."""
    return {"old_value": f"(SELECT before FROM wrote_{table})::jsonb"}  # noqa: S608 our own names


def together(*writes: Write, fenced: bool = False) -> str:
    """SQL of `writes`, whose one row is (epoch, done): the epoch held where `fenced`, and whether they were written.

    $1 is the session, $2 the epoch where `fenced`; then come the given columns of each write in turn.
    """
    steps, source, place = [], "", 2
    if fenced:
        steps, source, place = [HOLDS], "FROM held WHERE epoch = $2", 3
    for one in writes:
        marks = {name: f"${i}" for i, name in enumerate(one.given, place)}
        marks |= {name: sql.format_map(marks) for name, sql in one.said.items()}
        steps.append(f"wrote_{one.table} AS ({_written(one, marks, source)})")
        source, place = f"FROM wrote_{one.table}", place + len(one.given)
    epoch = "(SELECT epoch FROM held)" if fenced else "NULL::bigint"
    return f"WITH {', '.join(steps)} SELECT {epoch} AS epoch, EXISTS (SELECT {source}) AS done"


def _written(one: Write, marks: Mapping[str, str], source: str) -> str:
    if one.key:
        return put(one.table, one.key, one.columns, marks=marks, source=source)
    return insert(one.table, one.columns, f"{one.tail} RETURNING NULL::text AS before", marks=marks, source=source)
