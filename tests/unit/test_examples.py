import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_examples_stay_short_enough_to_read_at_once() -> None:
    files = sorted((ROOT / "examples").glob("*.py"))
    assert len(files) >= 4
    assert [file.name for file in files if len(file.read_text().splitlines()) > 40] == []


def test_price_chain_gets_its_own_vol_and_forward_back() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.price_chain"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *rows, forward = done.stdout.splitlines()
    assert len(rows) == 7
    assert all("vol 0.120000" in row for row in rows)
    assert forward.startswith("forward by put–call parity: 24500.00")
