"""The end-of-day report of a running desk: counts, result by strategy, positions, and every difference from its broker.

    ray job submit -- python -m jobs.end_of_day [--date 2026-11-20] [--session NAME] [--desk N]

Kept in the ledger (eod_reports, daily_pnl) and as JSON and Markdown in the desk's folder, reports/. A difference that
nothing explains is a risk event and an alarm. Exit code 0: none; 1: there are some; 2 after a line that says why not.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from cluster.end_of_day import files_of, report_day
from cluster.facts import install_for_job
from cluster.running import job_state
from core.errors import VikalpError
from core.orders.end_of_day import markdown


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        install_for_job()
        number = job_state(args.desk).desk
        made = report_day(number, dt.date.fromisoformat(args.date) if args.date else None, args.session)
    except (VikalpError, ValueError, OSError) as error:
        print(f"end_of_day: {error}", file=sys.stderr)
        return 2
    print(markdown(made), flush=True)
    print(f"written to {', '.join(map(str, files_of(number, made)))}", flush=True)
    return 0 if made.reconciliation.clean else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs.end_of_day", description=__doc__.splitlines()[0])
    parser.add_argument("--date", default="", help="the day, YYYY-MM-DD (default: the desk's market day)")
    parser.add_argument("--session", default="", help="the session (default: the one the desk trades in)")
    parser.add_argument("--desk", type=int, help="desk number (default: the desk whose job this is)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
