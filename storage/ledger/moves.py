"""Positions that moved without a trade, as rows: what was asked for, and what became of it."""

from collections.abc import Sequence
from typing import Any

from core.records import Move, Position
from storage.ledger import write
from storage.ledger.audit import Change, audit
from storage.link import Link
from storage.rows import POSITION, insert, put, select, values

MOVE = Move.__struct_fields__
ADD = insert("position_moves", MOVE, "ON CONFLICT DO NOTHING RETURNING seq")
GET = select(MOVE, "FROM position_moves WHERE session_id = $1 AND move_id = $2 AND phase = $3")
MOVES = select(MOVE, "FROM position_moves WHERE session_id = $1 ORDER BY seq")
PUT_POSITION = put("positions", ("strategy", "symbol", "product"), POSITION)


class Moves:
    """The part of a ledger that keeps them; over the link and the session of the whole."""

    _link: Link
    _session: str

    def record_move(self, epoch: int, move: Move, positions: Sequence[Position]) -> Move:
        return self._link.call("recording a move", lambda c: record(c, self._session, epoch, move, positions))

    def moves(self) -> list[Move]:
        rows = self._link.call("reading moves", lambda c: c.fetch(MOVES, self._session))
        return [_move_of(row) for row in rows]


async def record(connection: Any, session: str, epoch: int, move: Move, positions: Sequence[Position]) -> Move:
    """The move that stands: `move`, or one of its id and phase that was written before."""
    await write.holds(connection, session, epoch)
    if await connection.fetchval(ADD, session, *values(move, MOVE)) is None:
        return _move_of(await connection.fetchrow(GET, session, move.move_id, move.phase))
    for position in positions:
        await connection.fetchval(PUT_POSITION, session, *values(position, POSITION))
    said = {name: getattr(move, name) for name in MOVE}
    change = Change(entity=("position", f"{move.symbol} {move.product} {move.strategy}"), new=said)
    await audit(connection, session, "oms", f"{move.kind} {move.phase}", {"epoch": epoch, **said}, change=change)
    return move


def _move_of(row: Any) -> Move:
    return Move(**{name: row[name] for name in MOVE})
