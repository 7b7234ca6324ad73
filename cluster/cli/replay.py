"""`vikalp replay`: a recorded day through the whole desk."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.cli.foreground import Ended, signals_end
from cluster.cli.options import Config, Json, parse_day
from cluster.cli.out import err, out, print_json
from cluster.facts import install_facts
from core.errors import InputError


def replay(
    file: Annotated[Path, typer.Argument(help="A recorded chain (Parquet), or a tape's folder.")],
    index: Annotated[str, typer.Option(help="Which index of it.")],
    date: Annotated[str, typer.Option(help="Which day of it, 2025-08-29.")],
    speed: Annotated[str, typer.Option(help="Market seconds a second (1, 60, …) or max.")] = "max",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the desk running at the end.")] = False,
    spot_bars: Annotated[
        Path | None, typer.Option(help="Bars of the index, for the comparison with NSE's vols.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run a recorded day through a desk of its own and print what came out."""
    pace, day = parse_speed(speed), parse_day(date, "--date")
    from cluster.replay import Request, prepare, run

    install_facts()
    plan = prepare(Request(path=file, index=index, date=day, speed=pace, spot_bars=spot_bars, config=config))
    try:
        with signals_end():
            result = run(plan, Progress(), keep=keep)
    except Ended as ended:
        err().print(f"{ended}: the replay was stopped and its desk ended", markup=False)
        raise typer.Exit(ended.exit_code) from None
    if as_json:
        print_json(result)
        return
    for name, value in in_words(result).items():
        out().print(f"{name:>20}  {value}", markup=False, soft_wrap=True)


def in_words(result: Mapping[str, Any]) -> dict[str, str]:
    """The figures for a person: four places, vols in per cent, counts that repeat another figure left out."""
    said = {}
    for name, value in result.items():
        if name == "iv_vs_nse" and value is not None:
            figures = ", ".join(f"{key} {number:.2f}" for key, number in value.items() if key != "rows")
            said[name] = (
                f"|our IV − NSE's| in vol points, under NSE's convention: {figures}, over {value['rows']:,} rows"
            )
        elif name in {"avg_iv", "iv_share"}:
            said[name] = f"{value:.2%}"
        elif isinstance(value, float):
            said[name] = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"
        elif isinstance(value, int) and not isinstance(value, bool):
            said[name] = f"{value:,}"
        elif value is not None and name != "counts":
            said[name] = str(value)
    return said


class Progress:
    """Steps on stderr; on a terminal, snapshots overwrite each other, elsewhere every twentieth is a line."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, text: str) -> None:
        console = err()
        if not text.startswith("snapshots"):
            console.print(text, markup=False, soft_wrap=True)
            return
        if console.is_terminal:
            console.print(text, markup=False, end="\r")
        elif self._seen % 20 == 0:
            print(text, file=sys.stderr, flush=True)
        self._seen += 1


def parse_speed(text: str) -> float:
    """Market seconds a second; 0 for max. Raises InputError."""
    if text == "max":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"--speed: expected a number above 0 (1, 60) or max, was {text!r}")
    return value


COMMANDS = {"replay": replay}
