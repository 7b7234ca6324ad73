"""Plans as rows: a definition that never changes, and what each has said, once a key."""

from typing import Any

from core.errors import InputError
from core.records import PlanWord
from storage.ledger import write
from storage.ledger.audit import Change
from storage.rows import insert, select, values

WORD = PlanWord.__struct_fields__
ADD_PLAN = insert("plans", ("plan_id", "body", "created_ns"), "ON CONFLICT DO NOTHING RETURNING seq")
ADD_WORD = insert("plan_words", WORD, "ON CONFLICT DO NOTHING RETURNING seq")
PLANS = "SELECT plan_id, body FROM plans WHERE session_id = $1 ORDER BY seq"
WORDS = select(WORD, "FROM plan_words WHERE session_id = $1 ORDER BY seq")


async def record(connection: Any, session: str, epoch: int, plan: tuple[str, str, int]) -> None:
    """`plan` is id, JSON, market ns; InputError if the id was used before."""
    await write.holds(connection, session, epoch)
    if await connection.fetchval(ADD_PLAN, session, *plan) is None:
        raise InputError(f"plan {plan[0]} was kept before in session {session}: an id names one plan for ever")
    change = Change(entity=("plan", plan[0]), new=plan[1])
    await write.audit(
        connection, session, "oms", "plan", {"epoch": epoch, "plan_id": plan[0], "body": plan[1]}, change=change
    )


async def word(connection: Any, session: str, epoch: int, record: PlanWord) -> None:
    await write.holds(connection, session, epoch)
    if await connection.fetchval(ADD_WORD, session, *values(record, WORD)) is not None:
        said = {name: getattr(record, name) for name in WORD}
        change = Change(entity=("plan", record.plan_id), new=said)
        await write.audit(connection, session, "oms", "plan_word", {"epoch": epoch, **said}, change=change)


async def read(connection: Any, session: str) -> list[tuple[str, str, list[PlanWord]]]:
    said: dict[str, list[PlanWord]] = {}
    for row in await connection.fetch(WORDS, session):
        word = PlanWord(**{name: row[name] for name in WORD})
        said.setdefault(word.plan_id, []).append(word)
    rows = await connection.fetch(PLANS, session)
    return [(row["plan_id"], row["body"], said.get(row["plan_id"], [])) for row in rows]
