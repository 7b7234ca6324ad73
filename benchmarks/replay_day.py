"""How long does a recorded day take through the whole desk, ledger on?

Peer, in the same run: the same file through the same reader and the same analytics in one plain process: no Ray, no
tape, no ledger. The ratio is what the desk costs.
"""

import datetime as dt
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.desk import VIKALP
from benchmarks.table import Row, write
from core.chain import Book, analyse
from storage.chain_files import ChainFileSource

FILE = Path("../shared/data/market/option_chain/NSE_NIFTY_chain_2025-08-27_29.parquet")
DAY = "2025-08-29"
ASKED_S = 60.0


def plain() -> float:
    """Seconds of reader and analytics alone."""
    began = time.monotonic()
    source = ChainFileSource(str(FILE), "NIFTY", dt.date.fromisoformat(DAY))
    source.open()
    book, sequence = Book.empty("NIFTY"), 0
    while (due := source.next_ns()) is not None:
        for batch in source.poll(due):
            book, sequence = book.updated(batch), sequence + 1
            analyse(book, as_of_ns=book.newest_ns, sequence=sequence, rate=0.055, max_age_ns=3_000_000_000)
    return time.monotonic() - began


def main() -> int:
    if not FILE.exists():
        print(f"{FILE} is not here: the recorded day cannot be measured", file=sys.stderr)
        return 1
    command = [VIKALP, "replay", str(FILE), "--index", "NIFTY", "--date", DAY, "--speed", "max", "--json"]
    began = time.monotonic()
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    whole = time.monotonic() - began
    alone = plain()
    write(Row(question="a recorded day, command to result", ours=f"{whole:.1f} s ({answer['snapshots']} snapshots)",
              peer=f"{alone:.1f} s, reader and analytics in one process", ratio=whole / alone, asked="≤ 60 s",
              reached=whole <= ASKED_S))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
