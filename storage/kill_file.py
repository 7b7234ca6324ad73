"""The kill switch as a file: what a person can make with an editor when nothing else answers."""

import os
from pathlib import Path

NAME = "KILL"
MOST_READ = 2_000  # characters; what it says is in core/risk/kill_words.py


class KillFile:
    """Implements core.ports.KillFile on `path`; a picklable description."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def words(self) -> str:
        """Why it was pulled; empty while there is no such file. One that cannot be read counts as pulled."""
        try:
            return self._path.read_text(encoding="utf-8", errors="replace").strip()[:MOST_READ] or "no reason given"
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"the kill file is there and cannot be read: {error}"

    def pull(self, words: str) -> None:
        """Written aside and renamed; OSError where the disk refuses."""
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with aside.open("w", encoding="utf-8") as file:
            file.write(f"{words}\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
