"""What a run that found something leaves behind for whoever looks for the cause."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.state import DeskState, temp_dir
from tests.chaos.audit import Report
from tests.chaos.books import Ledger
from tests.chaos.ledger import LedgerEye
from tests.chaos.points import Kill

LOGS = "worker-*"  # of Ray's: one an actor's process


def keep(
    state: DeskState, report: Report, ledger: Ledger, exchange: Mapping[str, Any], *, kills: list[Kill], eye: LedgerEye
) -> Path:
    """A folder with what is wrong, both books, each wrong order's story, the kills, and the processes' logs."""
    folder = Path(tempfile.mkdtemp(prefix="vikalp-chaos-"))
    wrong = {word for line in report.lines() for word in line.replace(":", " ").split()}
    tags = [order.tag for order in ledger.orders if order.tag in wrong]
    said = {
        "report.txt": report.lines(),
        "ledger.txt": [str(row) for rows in (ledger.orders, ledger.fills, ledger.positions) for row in rows],
        "exchange.json": [json.dumps(exchange, indent=1)],
        "story.txt": [f"{tag} {line}" for tag in tags for line in eye.story(tag)],
        "kills.txt": [f"{kill.at_ns} {kill.victim}" for kill in kills],
    }
    for name, lines in said.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    _logs(state, folder)
    return folder


def keep_logs(state: DeskState) -> Path:
    """A folder with the processes' logs."""
    folder = Path(tempfile.mkdtemp(prefix="vikalp-chaos-"))
    _logs(state, folder)
    return folder


def _logs(state: DeskState, folder: Path) -> None:
    for file in Path(state.data_dir).glob("*.log"):
        shutil.copy(file, folder)
    for file in (temp_dir(state.desk) / "session_latest" / "logs").glob(LOGS):
        if file.stat().st_size:
            shutil.copy(file, folder)
