"""`vikalp events`: the ledger's outbox, and the tape as market.data, from any offset, as often as you like."""

# Imported where used: a command that does not need Ray or Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.audit import Dsn, Session, ledger
from cluster.cli.options import AnyDesk, Json
from cluster.cli.screen import clock
from cluster.cli.world import world
from core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.records import LedgerEvent
    from storage.ledger.read import LedgerReader

PAGE = 500
POLL_S = 0.5

Topic = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Only this topic, e.g. orders.executed; may be given again.", show_default=False),
]


def events(
    context: typer.Context,
    topic: Topic = None,
    first: Annotated[int, typer.Option("--from", min=1, help="First offset to show.")] = 1,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more, until Ctrl-C.")] = False,
    session: Session = "",
    desk: AnyDesk = None,
    dsn: Dsn = "",
    index: Annotated[str, typer.Option("--index", help="Of market.data, which has an order in each index.")] = "",
    date: Annotated[str, typer.Option("--date", help="Of market.data; the latest day on the tape.")] = "",
    tape: Annotated[str, typer.Option("--tape", help="Of market.data, instead of a running desk's.")] = "",
    as_json: Json = False,
) -> None:
    """What happened, in order: one event a line, with --json as JSON; of the session written last if none is named.

    market.data is asked for alone: --topic market.data --index NIFTY.
    """
    from storage.ledger.read import LedgerReader, to_json
    from storage.tape_events import TOPIC

    if TOPIC in (topic or []):
        _alone(topic or [], index)
        _print_ticks(tape or world(context).state(desk).tape_url, index, date, first - 1, follow=follow)
        return
    with ledger(context, desk, dsn) as address:
        reader = LedgerReader(address)
        try:
            for event in told(reader, reader.session(session), first - 1, _known(topic or []), follow=follow):
                print(as_line(event) if not as_json else to_json(event), flush=follow)
        except KeyboardInterrupt:
            if not follow:
                raise
        finally:
            reader.close()


def told(
    reader: LedgerReader, session: str, after: int, topics: list[str], *, follow: bool, poll_s: float = POLL_S
) -> Iterator[LedgerEvent]:
    """Every event above `after`, in order; with `follow` the ones to come too."""
    while True:
        found = reader.events(session, after, topics, PAGE)
        yield from found
        if found:
            after = found[-1].offset
        elif not follow:
            return
        else:
            time.sleep(poll_s)


def as_line(event: LedgerEvent) -> str:
    when = clock(event.at_ns or event.recorded_wall_ns)
    return f"{event.offset:>8}  {when}  {event.topic}  {event.key}  {event.body}"


def _alone(topics: list[str], index: str) -> None:
    from core.market import INDICES

    if len(topics) > 1:
        raise InputError(f"market.data is on the tape: ask for it alone, not with {', '.join(topics)}")
    if index not in INDICES:
        raise InputError(f"market.data: expected --index, one of {', '.join(INDICES)}, was {index!r}")


def _print_ticks(root: str, index: str, date: str, after: int, *, follow: bool) -> None:
    """One JSON object a line; with `follow` what is flushed later too."""
    from storage.tape_events import days

    if not date and not (found := days(root)):
        raise InputError(f"no ticks on the tape {root}: name another with --tape, or wait for its first flush")
    try:
        for line in ticks_told(root, index, date or found[-1], after, follow=follow):
            print(line, flush=follow)
    except KeyboardInterrupt:
        if not follow:
            raise


def ticks_told(root: str, index: str, date: str, after: int, *, follow: bool, poll_s: float = POLL_S) -> Iterator[str]:
    """Every tick above `after` as JSON, in order; with `follow` the ones to come too."""
    import msgspec

    from storage.tape_events import TOPIC, ticks_after

    while True:
        for first, table in ticks_after(root, index, date, after):
            rows = (row for batch in table.to_batches(max_chunksize=PAGE) for row in batch.to_pylist())
            for offset, row in enumerate(rows, first):
                yield msgspec.json.encode({"topic": TOPIC, "offset": offset, "date": date, **row}).decode()
                after = offset
        if not follow:
            return
        time.sleep(poll_s)


def _known(topics: list[str]) -> list[str]:
    from storage.ledger.read import TOPICS

    if wrong := [topic for topic in topics if topic not in TOPICS and not topic.startswith("ledger.")]:
        known = f"{', '.join(TOPICS)}, market.data and ledger.TABLE"
        raise InputError(f"no topic {', '.join(wrong)}; there are {known}")
    return topics


COMMANDS = {"events": events}
"""By the name a person types."""
