"""Which bars no source has, beside the tape they are missing from."""

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

    def read(self) -> tuple[Hole, ...]:
        """Every hole, in the order found; InputError for a file that is none."""
        data = self._files.read(self._path)
        if data is None:
            return ()
        try:
            return tuple(msgspec.json.decode(data, type=list[Hole]))
        except msgspec.DecodeError as error:
            raise InputError(
                f"{self._path} is damaged ({error}): delete it; its bars are then asked for again"
            ) from error

    def add(self, holes: tuple[Hole, ...]) -> None:
        """Durable when this returns; those that are there already are not added again."""
        kept = dict.fromkeys([*self.read(), *holes])
        self._files.write(
            f"{self._path}.new", b"[\n" + b",\n".join(msgspec.json.encode(hole) for hole in kept) + b"\n]\n"
        )
        self._files.rename(f"{self._path}.new", self._path)
