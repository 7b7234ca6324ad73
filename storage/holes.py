"""Which bars no source has, beside the tape they are missing from."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from core.errors import InputError
from core.market.missing import Hole
from storage.tape_files import Files

NAME = "holes.json"


class Holes:
    """The holes of the tape under `root`, a folder or a URL that pyarrow.fs knows. One writer at a time."""

    def __init__(self, root: str) -> None:
        self._files = Files(str(root))
        self._path = f"{self._files.root}/{NAME}"

    def read(self) -> dict[tuple[str, int], tuple[Hole, ...]]:
        """The holes of each (symbol, seconds), in the order found; InputError for a file that is none."""
        found: defaultdict[tuple[str, int], list[Hole]] = defaultdict(list)
        for hole in self._read():
            found[hole.symbol, hole.seconds].append(hole)
        return {key: tuple(holes) for key, holes in found.items()}

    def add(self, holes: Iterable[Hole]) -> None:
        """Durable when this returns, those that are there already once. Writes all anew: add many at a time."""
        lines = [msgspec.json.encode(hole) for hole in dict.fromkeys([*self._read(), *holes])]
        self._files.write(f"{self._path}.new", b"[\n" + b",\n".join(lines) + b"\n]\n")
        self._files.rename(f"{self._path}.new", self._path)

    def _read(self) -> list[Hole]:
        data = self._files.read(self._path)
        try:
            return [] if data is None else msgspec.json.decode(data, type=list[Hole])
        except msgspec.DecodeError as error:
            raise InputError(
                f"{self._path} is damaged ({error}): delete it; its bars are then asked for again"
            ) from error
