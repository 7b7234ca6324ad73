"""`vikalp backup`, `vikalp backup verify` and `vikalp restore`: ledger and tape in one folder, and back."""

# Imported where used: a command that does not need Arrow starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cluster.cli.options import AnyDesk, Json, desk_option
from cluster.cli.out import FAILURE, out, print_json, print_problem, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.backup import Manifest

Action = Annotated[
    Literal["make", "verify"] | None,
    typer.Argument(help="make (also without a word): back up; verify FILE: check a backup."),
]
File = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The backup's folder, for verify.", show_default=False)
]
To = Annotated[
    Path | None, typer.Option("--to", help="Folder to put it in; else backups beside the desks.", show_default=False)
]
Deep = Annotated[
    bool, typer.Option("--deep", help="verify: also restore the ledger into a server that is thrown away.")
]


def backup(
    action: Action = None, file: File = None, to: To = None, deep: Deep = False, desk: AnyDesk = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Ledger and tape of a desk into a folder, without any secret; it runs on meanwhile."""
    if action == "verify":
        _verify(file, deep=deep, as_json=as_json)
        return
    if file is not None or deep:
        raise typer.BadParameter("to check a backup: vikalp backup verify FILE [--deep]")
    from cluster.backups import make_backup
    from cluster.state import desk_number
    from storage.backup import read_manifest

    made = make_backup(desk_number(desk), to, say=_steps())
    manifest = read_manifest(made)
    if as_json:
        print_json({"backup": made, **_facts(made, manifest)})
        return
    out().print(str(made), markup=False, soft_wrap=True)
    say(f"{_summary(manifest)}; the manifest's SHA-256 is {_seal(made)}: note it elsewhere")
    say(f"not in it: {manifest.left_out}")
    if "://" in manifest.tape_from:
        say(f"the tape at {manifest.tape_from} is not in it: copy it with that store's own tools")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup's folder.")],
    desk: Annotated[int, desk_option("Number of the desk to make; it must not exist.")] = 0,
    dsn: Annotated[
        str,
        typer.Option(help="An empty database elsewhere for the ledger, its owner's dsn; - asks for it.", metavar="DSN"),
    ] = "",
    role: Annotated[str, typer.Option(help="With --dsn: the desk's role there, which exists.")] = "vikalp_desk",
    reader: Annotated[str, typer.Option(help="With --dsn: a role that may read, if there is one.")] = "",
    as_json: Json = False,
) -> None:
    """Make a desk of a backup; the number must be free. Start it then: it reconciles with its broker and goes on."""
    from cluster.backups import Elsewhere, restore_desk

    owner = typer.prompt("The owner's dsn", hide_input=True, err=True) if dsn == "-" else dsn
    manifest = restore_desk(file, desk, elsewhere=Elsewhere(owner, role, reader) if owner else None, say=_steps())
    if as_json:
        print_json({"desk": desk, **_facts(file, manifest)})
        return
    out().print(f"desk {desk}: {_summary(manifest)}", markup=False, soft_wrap=True)
    if owner:
        say(
            f"its ledger is elsewhere: put ledger.dsn into vikalp.yaml before it starts, as {role} and not as the owner"
        )
    say(f"start it: vikalp up --desk {desk}, after a login at the broker where it has one; see vikalp audit verify")


def _verify(file: Path | None, *, deep: bool, as_json: bool) -> None:
    if file is None:
        raise typer.BadParameter("verify needs the backup's folder: vikalp backup verify FILE")
    from storage.backup import problems, read_manifest
    from storage.restore import rehearse

    manifest = read_manifest(file)
    found = problems(file)
    if deep and not found:
        found = rehearse(file, say=_steps())
    if as_json:
        print_json({"whole": not found, "deep": deep, "problems": found, **_facts(file, manifest)})
    elif not found:
        out().print(f"whole: {_summary(manifest)}", markup=False, soft_wrap=True)
    for one in () if as_json else found:
        print_problem(one, "InputError", as_json=False)
    if found:
        raise typer.Exit(FAILURE)


def _steps() -> "Callable[[str], None]":
    """A word on stderr when the kind of work changes, not for each table and file."""
    last = ""

    def step(text: str) -> None:
        nonlocal last
        kind = text.split(maxsplit=1)[0]
        if kind != last and kind in STEPS:
            say(STEPS[kind])
        last = kind

    return step


STEPS = {
    "table": "the ledger's tables", "tape": "the tape", "digest": "digests", "server": "a server for the ledger",
    "chain": "the chain of facts",
}  # fmt: skip


def _facts(file: Path, manifest: "Manifest") -> dict[str, Any]:
    rows = {name: table.rows for name, table in manifest.ledger.tables.items()}
    return {
        "made_at": manifest.made_at, "release": manifest.release, "sessions": manifest.ledger.sessions, "rows": rows,
        "files": len(manifest.files), "bytes": sum(one.size for one in manifest.files.values()),
        "heads": manifest.ledger.heads, "manifest_sha256": _seal(file), "left_out": manifest.left_out,
    }  # fmt: skip


def _summary(manifest: "Manifest") -> str:
    rows = sum(table.rows for table in manifest.ledger.tables.values())
    tape = [one.size for name, one in manifest.files.items() if name.startswith("tape/")]
    recorded = f"{len(tape)} files of tape ({sum(tape) / 1e6:,.1f} MB)" if tape else "no tape"
    sessions = len(manifest.ledger.sessions)
    return f"{rows:,} rows of {sessions} session{'s' if sessions != 1 else ''}, {recorded}, made at {manifest.made_at}"


def _seal(file: Path) -> str:
    from storage.backup import MANIFEST, folder_of
    from storage.ledger.copied import digest

    return digest(folder_of(file) / MANIFEST)


COMMANDS = {"backup": backup, "restore": restore}
