"""Backtest a strategy over recorded days, one Ray task a day.

    ray job submit -- python -m jobs.backtest --strategy ema_channel --index SENSEX --data DIR [--expiry next]

Without other choices it runs the settings of the golden days: 8 of 8 conditions, no cool-down, 0.5 % slippage.
What is held to its expiry settles at the published close (`--close DAY=CLOSE`), else at what the index's bars say.
Writes trades, refusals and signals without data (CSV and Parquet), equity, summary.json and equity.png.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import ray

from cluster.facts import install_for_job
from core.backtest.day import BacktestConfig, run_day
from core.backtest.merge import Merged, merge
from core.backtest.records import DayData, DayResult
from core.errors import ConfigError, InputError, VikalpError
from core.market import check_index
from core.market.overlay import UserFacts, use, user_facts
from core.rupees import rupees
from core.strategies.ema_channel import NAME, EmaChannelConfig
from jobs.recorded import load_days
from jobs.report import write_report

STRATEGIES = (NAME,)
GOLDEN: dict[str, object] = {"min_confidence": 100.0, "cooldown_minutes": 0}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 after one line that says what is wrong."""
    args = _arguments(argv)
    try:
        if args.strategy not in STRATEGIES:
            raise ConfigError(f"unknown strategy {args.strategy!r}; known are {', '.join(STRATEGIES)}")
        check_index(args.index)
        install_for_job()
        config = _config(args)
        out = Path(args.out or f"out/backtest-{args.strategy}-{args.index}").resolve()
        wanted = [dt.date.fromisoformat(day) for day in args.days]
        closes = dict(_close(text) for text in args.close)
        days = load_days(Path(args.data).resolve(), args.index, config.strategy.bar_seconds, wanted)
        days = [msgspec.structs.replace(day, close_paise=closes.get(day.day, day.close_paise)) for day in days]
        print(f"{args.strategy} on {args.index}: {len(days)} days, expiry {config.expiry}", flush=True)
        merged = run(config, days, workers=args.workers, say=lambda line: print(line, flush=True))
        write_report(out, args.strategy, args.index, config=config, days=days, merged=merged)
    except (VikalpError, ValueError, OSError) as error:
        print(f"backtest: {error}", file=sys.stderr)
        return 2
    names = ", ".join(sorted(file.name for file in out.iterdir()))
    print(f"net {rupees(merged.net * 100)}, sha256 {merged.sha256}\nwritten to {out}: {names}", flush=True)
    return 0


def run(config: BacktestConfig, days: Sequence[DayData], *, workers: int, say: Callable[[str], None]) -> Merged:
    """Every day as a Ray task, at most `workers` at a time; the result does not depend on their number or order.

    Uses the cluster this process is attached to; else the job's (RAY_ADDRESS), else a private local one.
    """
    if workers < 1:
        raise ConfigError(f"--workers must be at least 1, was {workers}")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level="WARNING")
    task = ray.remote(num_cpus=1, max_retries=2)(_one_day)
    held = ray.put(list(days))
    waiting, running = list(range(len(days))), []
    results: list[DayResult] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(task.remote(config, held, waiting.pop(0), user_facts()))
        done, running = ray.wait(running, num_returns=1)
        for result in _taken(done):
            results.append(result)
            say(f"day {len(results)} of {len(days)}: {in_words(result)}")
    return merge(results)


def in_words(result: DayResult) -> str:
    stops = sum(trade.reason == "stop" for trade in result.trades)
    return (
        f"{result.day} net {rupees(result.net * 100)}, {len(result.trades)} trades, {stops} stops, "
        f"{len(result.refused)} refusals, {sum(row.signal_ns > 0 for row in result.missing)} signals without data"
        + (f" ({result.missing[0].why})" if result.missing else "")
    )


def _one_day(config: BacktestConfig, days: list[DayData], k: int, facts: Sequence[UserFacts]) -> DayResult:
    use(facts)  # a task's process has read none
    return run_day(config, days[k])


def _taken(done: list[ray.ObjectRef]) -> list[DayResult]:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, VikalpError) else error from error


def _config(args: argparse.Namespace) -> BacktestConfig:
    settings = dict(GOLDEN)
    for setting in args.set:
        name, separator, value = setting.partition("=")
        if not separator or name not in EmaChannelConfig.model_fields:
            known = ", ".join(EmaChannelConfig.model_fields)
            raise ConfigError(f"--set {setting!r}: expected NAME=VALUE with NAME one of {known}")
        settings[name] = value
    return BacktestConfig(
        strategy=EmaChannelConfig.model_validate(settings), expiry=args.expiry, slippage_pct=args.slippage
    )


def _close(text: str) -> tuple[dt.date, int]:
    """A day and the close the index's exchange published for it, in paise."""
    day, _, close = text.partition("=")
    try:
        paise = Decimal(close) * 100
        if paise > 0 and paise == int(paise):
            return dt.date.fromisoformat(day), int(paise)
    except (ValueError, ArithmeticError):
        pass
    raise InputError(f"--close {text!r}: expected DAY=CLOSE, such as 2025-09-04=80718.01")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs.backtest", description=__doc__.splitlines()[0])
    parser.add_argument("--strategy", required=True, help=f"one of {', '.join(STRATEGIES)}")
    parser.add_argument("--index", required=True, help="index whose options are traded, e.g. SENSEX")
    parser.add_argument("--data", required=True, help="folder with bars/ and option_bars/")
    parser.add_argument("--out", help="folder for the results (default out/backtest-STRATEGY-INDEX)")
    parser.add_argument("--expiry", choices=("same", "next"), default="same", help="what to trade on an expiry day")
    parser.add_argument(
        "--slippage",
        type=float,
        default=0.5,
        help="per cent by which a fill at an open or close is worse; a stop or target fills at its price (default 0.5)",
    )
    parser.add_argument("--workers", type=int, default=2, help="days at a time (default 2)")
    parser.add_argument("--days", nargs="*", default=[], help="days to run, YYYY-MM-DD (default: all option bars have)")
    parser.add_argument(
        "--close", nargs="*", default=[], metavar="DAY=CLOSE",
        help="published close of the index on a day, at which what expires on it settles (default: by its bars)",
    )  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a choice of the strategy")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
