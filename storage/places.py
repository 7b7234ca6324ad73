"""How far a reader of the ledger's events has come, in a file of its own."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from core.errors import ConfigError


class PlaceFile:
    """Implements core.ports.events.Places on `path`; a picklable description."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def read(self) -> dict[str, int]:
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self._path}: {error}; remove it, and all events of the session are sent again"
            ) from error
        if not isinstance(held, dict) or not all(type(at) is int and at >= 0 for at in held.values()):
            raise ConfigError(f"{self._path}: expected an offset a session, found {held!r:.100}; remove it")
        return held

    def keep(self, places: Mapping[str, int]) -> None:
        """Written aside, synced, renamed."""
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(dict(places), file)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
