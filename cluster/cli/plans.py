"""Plans by hand: plan start, plan end, plans."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cluster.cli.columns import Column, Fit
from cluster.cli.intent import lot_of, one_of
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import out, print_json, say
from cluster.cli.screen import ALERTS, clock
from cluster.cli.world import Command, world
from core.errors import InputError
from gateway.format import DASH, paise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.ports import DeskClient
    from core.records import PlanStatus

app = typer.Typer(help="Start and end a plan: orders that belong together. docs/plans.md.", no_args_is_help=True)
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other field, NAME=VALUE, such as exit.reach=0.02; may be given again."),
]


@app.command("start", cls=Command)
def start(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The plan as JSON; or say --kind.", show_default=False)] = None,
    kind: Annotated[str, typer.Option(help="bracket, twap …: the plan's type, without a file.")] = "",
    symbol: Annotated[str, typer.Option(help="Trading symbol, e.g. NIFTY26D0124500CE.")] = "",
    side: Annotated[str, typer.Option(help="buy or sell.")] = "",
    lots: Annotated[int, typer.Option(min=0, help="Number of lots.")] = 0,
    limit: Annotated[str, typer.Option(help="Limit in rupees; at market, protected by a price, if not given.")] = "",
    stop: Annotated[str, typer.Option(help="Of a bracket: the price in rupees at which it is left with a loss.")] = "",
    target: Annotated[
        str, typer.Option(help="Of a bracket: the price in rupees at which it is left with a gain.")
    ] = "",
    over: Annotated[str, typer.Option(help="Of a twap: from now on for so long, 90s, 10m or 1h.")] = "",
    slices: Annotated[int, typer.Option(min=0, help="Of a twap: in so many orders.")] = 0,
    product: Annotated[str, typer.Option(help="NRML or MIS.")] = "NRML",
    fields: Set = None,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Start a plan; the order manager keeps it in the ledger and runs it until it is over, whatever is restarted."""
    from gateway.plans import body_of

    if (file is None) == (not kind):
        raise InputError("a plan is either a file of JSON or --kind with its fields: expected one of the two")
    asked = read(file) if file else {"type": kind}
    with world(context).connect(desk) as client:
        asked |= _typed(client, symbol=symbol, side=side, lots=lots, limit=limit, stop=stop, target=target)
        asked.setdefault("product", one_of("--product", product.upper(), "NRML", "MIS"))
        now_ns = client.status().market_ns
        asked |= {"slices": slices} if slices else {}
        asked |= {"start_ns": now_ns, "end_ns": now_ns + nanoseconds(over, "--over")} if over else {}
        for each in fields or ():
            put(asked, each)
        begun = client.start_plan(body_of(asked, now_ns))
    _print([begun], as_json=as_json, one=True)
    say(f"see vikalp plans; end it: vikalp plan end {begun.plan_id} WHY")


@app.command("end", cls=Command)
def end(
    context: typer.Context,
    plan_id: Annotated[str, typer.Argument(help="The plan's id, see `vikalp plans`.")],
    why: Annotated[str, typer.Argument(help="Goes into the journal.")],
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Ask a plan to end: it leaves what it has entered, by its own rules."""
    with world(context).connect(desk) as client:
        found = client.end_plan(plan_id.upper(), why)
    _print([found], as_json=as_json, one=True)


def plans(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that ended on earlier days too.")] = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Plans that run or have ended on the market's day, what each has said last, and whether it runs."""
    with world(context).connect(desk) as client:
        found = list(client.all_plans() if every else client.plans())
    if not found and not as_json:
        out().print("no plans")
    else:
        _print(found, as_json=as_json)


def read(file: Path) -> dict[str, Any]:
    """A plan's JSON object; InputError for a file that is none."""
    try:
        found = json.loads(file.read_text())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; expected a plan as JSON") from None
    except ValueError as error:
        raise InputError(f"{file} is no JSON ({error}); expected a plan, see docs/plans.md") from None
    if not isinstance(found, dict):
        raise InputError(f"{file}: expected a JSON object with the plan's fields, was a {type(found).__name__}")
    return found


def put(asked: dict[str, Any], change: str) -> None:
    """Set the field of "a.b=VALUE" in `asked`; the value is JSON, else text. InputError without a name."""
    name, equals, value = change.partition("=")
    if not (name and equals):
        raise InputError(f"--set: expected NAME=VALUE such as exit.reach=0.02, was {change!r}")
    *above, last = name.split(".")
    inner = asked
    for each in above:
        inner = inner.setdefault(each, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set: {each} of {name} has no fields of its own")
    inner[last] = value_of(value)


def nanoseconds(text: str, option: str) -> int:
    """Of 90s, 10m or 1h; InputError for anything else."""
    units = {"s": 1, "m": 60, "h": 3_600}
    count, unit = text[:-1], text[-1:]
    if unit not in units or not count.isdecimal() or not int(count):
        raise InputError(f"{option}: expected a time such as 90s, 10m or 1h, was {text!r}")
    return int(count) * units[unit] * 1_000_000_000


def value_of(text: str) -> Any:
    """What a person typed as JSON has it; text that is no JSON stays text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _typed(
    client: DeskClient, *, symbol: str, side: str, lots: int, limit: str, stop: str, target: str
) -> dict[str, Any]:
    """The fields that were given in a person's units."""
    made: dict[str, Any] = {}
    if symbol:
        made["symbol"] = symbol.upper()
    if side:
        made["side"] = one_of("--side", side.upper(), "BUY", "SELL")
    if lots:
        if not symbol:
            raise InputError("--lots: of which contract? say --symbol; a file has its quantities in units")
        made["quantity"] = lots * lot_of(client, symbol.upper())
    if limit:
        made["limit_paise"] = paise(limit, "--limit")
    prices = {"stop_paise": stop, "target_paise": target}
    leave = {name: paise(typed, f"--{name.removesuffix('_paise')}") for name, typed in prices.items() if typed}
    return made | ({"exit": leave} if leave else {})


def _print(found: Sequence[PlanStatus], *, as_json: bool, one: bool = False) -> None:
    if as_json:
        print_json(found[0] if one else found)
    else:
        out().print(plans_table(found))


def plans_table(found: Sequence[PlanStatus]) -> Fit:
    """One row a plan, with the last it has said beside it or below."""
    last = [plan.words[-1] if plan.words else None for plan in found]
    states = [Text("running", "green") if plan.running else Text("over", "dim") for plan in found]
    columns = [
        Column(name="plan", left=True, cells=[plan.plan_id for plan in found]),
        Column(name="kind", left=True, cells=[plan.kind for plan in found]),
        Column(name="state", left=True, cells=states),
        Column(name="begun", left=True, rank=2, cells=[clock(plan.created_ns) for plan in found]),
        Column(name="index", left=True, rank=1, cells=[plan.index for plan in found]),
        Column(name="by", left=True, rank=1, cells=[plan.strategy for plan in found]),
        Column(name="last", left=True, rank=3, cells=[
            Text(word.severity, ALERTS[word.severity]) if word else DASH for word in last
        ]),
    ]  # fmt: skip
    said = [f"{word.key}: {word.message}" if word else "" for word in last]
    return Fit(columns, [plan.plan_id for plan in found], said, "said")


COMMANDS = {"plans": plans}
"""By the name a person types; `plan` is a group of its own."""
