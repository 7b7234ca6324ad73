"""The rows of benchmarks/README.md: one per question, the newest run of each."""

import datetime as dt
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).with_name("README.md")
HEAD = """# Benchmarks

`make bench` runs these and writes the table; each row is the newest run. Ratios are to a peer measured in the same run.

| question | ours | peer | ratio | asked for | reached | machine and date |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    question: str
    ours: str
    peer: str
    ratio: float
    asked: str
    reached: bool


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = re.sub(r"\s+", " ", line.split(":", 1)[1]).strip()
            break
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}, {dt.datetime.now(dt.UTC):%Y-%m-%d}"


def write(row: Row) -> None:
    """Print `row` and put it in the table in place of the question's older one."""
    text = (
        f"| {row.question} | {row.ours} | {row.peer} | {row.ratio:.2f} | {row.asked} | "
        f"{'yes' if row.reached else '**no**'} | {machine()} |"
    )
    print(text)
    lines = README.read_text().splitlines() if README.exists() else HEAD.splitlines()
    kept = [line for line in lines if not line.startswith(f"| {row.question} |")]
    README.write_text("\n".join([*kept, text]) + "\n")
