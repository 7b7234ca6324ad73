"""A side environment for peers that cannot live in our lock: a virtual environment below var/, made on first use."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ.get("VIKALP_HOME") or Path(__file__).parents[1] / "var") / "peers"


class NoPeer(Exception):
    """The peer's environment cannot be made; the benchmark says so and fails."""


def peer_python(*pins: str) -> Path:
    """Python of an environment with exactly `pins` installed; the same pins give the same environment again.

    Raises NoPeer, with pip's own last words.
    """
    name = "-".join(pin.split("==")[0] for pin in pins[:2])
    folder = ROOT / f"{name}-{hashlib.sha256(' '.join(pins).encode()).hexdigest()[:8]}"
    python, done = folder / "bin" / "python", folder / "complete"
    if done.exists():
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", *pins],
    ):
        made = subprocess.run(command, check=False, capture_output=True, text=True)
        if made.returncode:
            said = (made.stderr or made.stdout).strip().splitlines()[-1:]
            raise NoPeer(f"{' '.join(command[:4])} failed: {' '.join(said)}")
    done.touch()
    return python
