"""`vikalp audit`: what proves the ledger, who did what, and what its roles need."""

# Imported where used: a command that does not need Ray or Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.options import AnyDesk, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem, say
from cluster.cli.screen import clock
from cluster.cli.world import Command, world

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from core.records import AuditLine
    from storage.ledger.verify import Report, Verified

app = typer.Typer(help="Prove the ledger; see who did what. docs/ledger.md.", no_args_is_help=True)
Dsn = Annotated[str, typer.Option("--dsn", help="postgresql://… of a ledger, instead of a desk's.", show_default=False)]
Session = Annotated[str, typer.Option("--session", help="Session id.", show_default=False)]


def ledger(context: typer.Context, desk: int | None, dsn: str) -> AbstractContextManager[str]:
    """The address that was given, or of a desk's ledger."""
    return nullcontext(dsn) if dsn else world(context).ledger(desk)


@app.command("verify", cls=Command)
def verify(
    context: typer.Context,
    session: Session = "",
    head: Annotated[str, typer.Option(help="A head's hash that you noted: it must still be in the chain.")] = "",
    desk: AnyDesk = None,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Recompute the chain and compare every table with it; exit code 1 and the first row that is not as it was."""
    from storage.ledger import verify as proof

    with ledger(context, desk, dsn) as address:
        report = proof.verify(address, session=session, head=head)
    if as_json:
        print_json(_facts(report))
    else:
        _tell(report, head)
    if not report.whole:
        raise typer.Exit(FAILURE)


@app.command("log", cls=Command)
def log(
    context: typer.Context,
    session: Session = "",
    user: Annotated[str, typer.Option(help="Only what this person or program did.")] = "",
    action: Annotated[str, typer.Option(help="Only this action, e.g. intent, kill, set_limit.")] = "",
    entity: Annotated[str, typer.Option(help="Only what was done to this: order, or order:TAG.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many lines, the newest.")] = 50,
    desk: AnyDesk = None,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Who did what, from where, and what it was before and after; of the session written last if none is named."""
    from storage.ledger.read import LedgerReader, Wanted

    kind, _, name = entity.partition(":")
    with ledger(context, desk, dsn) as address:
        reader = LedgerReader(address)
        try:
            of = reader.session(session)
            found = reader.audit_rows(of, Wanted(user=user, action=action, entity=(kind, name)), limit=limit)
        finally:
            reader.close()
    if as_json:
        print_json([_plain(line) for line in found])
    elif found:
        out().print(_table(found))
    else:
        say(f"no such line in the audit log of {of}")


@app.command("prepare", cls=Command)
def prepare(
    dsn: Annotated[str, typer.Option("--dsn", prompt="The owner's dsn", hide_input=True, help="Of the owner.")],
    role: Annotated[str, typer.Option(help="The desk's role, which exists.")] = "vikalp_desk",
    reader: Annotated[str, typer.Option(help="A role that may read, if there is one.")] = "",
) -> None:
    """Bring a ledger elsewhere up to this release as its owner, and grant the desk's role what it needs."""
    from storage.ledger import roles

    version = roles.prepare(dsn, desk=role, reader=reader)
    say(f"the ledger has version {version}; {role} may write it, and change nothing that was written")


@app.command("reader", cls=Command)
def reader_dsn(desk: AnyDesk = None) -> None:
    """Print the address by which people may read a desk's own ledger, while it runs; keep it to yourself."""
    from cluster.ledger import reader_address
    from cluster.state import desk_number

    print(reader_address(desk_number(desk)))


def _tell(report: Report, head: str) -> None:
    for each in report.sessions:
        if each.problem is None:
            say(f"{each.session_id}: {each.events} events, all as they were written; head {each.head}")
        else:
            print_problem(_words(each), "Altered", as_json=False)
    for each in report.unguarded:
        print_problem(f"trigger {each} is missing or switched off", "Unguarded", as_json=False)
    if report.noted:
        say(f"{head} is {report.noted_at}")
    elif report.noted is False:
        what = "the chain was rewritten or cut off together with its head, or the hash is of another ledger"
        print_problem(f"no event carries {head}: {what}", "Rewritten", as_json=False)


def _words(found: Verified) -> str:
    problem = found.problem
    assert problem is not None
    at = "" if problem.offset is None else f" (event {problem.offset} of {found.events})"
    difference = f"expected {problem.expected}, found {problem.found}"
    return f"{found.session_id}: first {problem.what}: {problem.where}{at}: {difference}"


def _facts(report: Report) -> dict[str, object]:
    from dataclasses import asdict

    return {"whole": report.whole, **asdict(report)}


def _table(found: list[AuditLine]) -> Fit:
    return Fit(
        [
            Column(name="seq", cells=[str(line.seq) for line in found]),
            Column(name="when", left=True, rank=1, cells=[clock(line.recorded_wall_ns) for line in found]),
            Column(name="who", left=True, cells=[line.user_id for line in found]),
            Column(name="from", left=True, rank=4, cells=[line.ip_address or line.user_agent for line in found]),
            Column(name="did", left=True, cells=[Text(line.action, "bold") for line in found]),
            Column(name="to", left=True, rank=2, cells=[f"{x.entity_type} {x.entity_id}".strip() for x in found]),
        ],
        [str(line.seq) for line in found],
        [_change(line) for line in found],
        "what changed",
    )


def _change(line: AuditLine) -> str:
    """Only what differs: the whole values are there with --json."""
    old, new = _value(line.old_value), _value(line.new_value or line.detail)
    if not isinstance(new, dict):
        return f"{old} → {new}" if line.old_value else str(new)
    if not isinstance(old, dict):
        return ", ".join(f"{name} {value}" for name, value in new.items() if value not in (None, ""))
    return ", ".join(f"{name} {old.get(name)} → {new[name]}" for name in new if new[name] != old.get(name))


def _plain(line: AuditLine) -> dict[str, object]:
    import msgspec

    texts = ("old_value", "new_value", "detail")
    return msgspec.to_builtins(line) | {name: _value(getattr(line, name)) for name in texts}


def _value(text: str) -> object:
    import json

    return json.loads(text) if text else None
