"""`vikalp`: every command of the desk, gathered."""

import sys

import typer

from cluster.cli import (
    audit,
    backup,
    chain,
    desks,
    events,
    exchange,
    facts,
    kill,
    limits,
    login,
    moves,
    plans,
    replay,
    report,
    roll,
    standing,
    trade,
)
from cluster.cli.out import print_problem
from cluster.cli.world import Command

app = typer.Typer(
    name="vikalp",
    help="An options desk for Indian index options that runs as a Ray cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    desks,
    chain,
    trade,
    moves,
    roll,
    standing,
    kill,
    plans,
    limits,
    replay,
    facts,
    exchange,
    login,
    report,
    backup,
    events,
):
    for name, command in module.COMMANDS.items():
        app.command(name, cls=Command)(command)
app.add_typer(plans.app, name="plan")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; usage errors exit 2, a desk's failures 1, and with --json both are JSON on stderr."""
    if "--json" not in sys.argv:
        app()
        return
    usage_error = typer.BadParameter.__bases__[0]  # public in typer by its subclass alone
    try:
        code = app(standalone_mode=False)
    except usage_error as error:
        print_problem(error.format_message(), "UsageError", as_json=True)  # type: ignore[attr-defined]
        sys.exit(2)
    except typer.Abort:
        print_problem("stopped, nothing was sent", "Abort", as_json=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
