"""What the doctor asks of this machine beyond one call: its clock, its zones, a package's name, a compiled cache."""

import ctypes
import datetime as dt
import os
import platform
import re
import zoneinfo
from pathlib import Path

from core.errors import ConfigError, VikalpError

TIME_ERROR = 5  # adjtimex: the kernel's clock is not synchronised


def patch_of_python() -> int:
    digits = re.match(r"\d+", platform.python_version_tuple()[2])
    return int(digits[0]) if digits else 0


def existing(path: Path) -> Path:
    """The nearest folder above that exists."""
    return path if path.exists() else existing(path.parent)


def compiled_elsewhere() -> int:
    """Kernels in numba's cache, where it is not beside the sources."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return len(list(Path(folder).rglob("*.nbi"))) if folder else 0


def find_postgres() -> tuple[str, str]:
    """The folder of PostgreSQL's programs and why there is none, one of them empty."""
    from storage.postgres import find_binaries  # noqa: PLC0415 its imports are the desk's, not the doctor's

    try:
        return str(find_binaries()), ""
    except ConfigError as error:
        return "", str(error)


def ask_ledger(dsn: str) -> str:
    """Why the ledger at this address cannot be used; empty when it answers."""
    from storage.postgres import require_answer  # noqa: PLC0415 its imports are the desk's, not the doctor's

    try:
        require_answer(dsn)
    except VikalpError as error:
        return str(error)
    return ""


def zone_trouble() -> str:
    """Why Asia/Kolkata cannot be used; empty when it can."""
    try:
        found = dt.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata")).utcoffset()
    except (zoneinfo.ZoneInfoNotFoundError, VikalpError) as error:
        return f"Asia/Kolkata is unknown ({error})"
    return "" if found == dt.timedelta(hours=5, minutes=30) else f"Asia/Kolkata is UTC+{found}"


def synchronised() -> bool | None:
    """What the kernel says of its clock, without asking a service; None where it cannot be asked."""
    try:
        said = int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512)))
    except (AttributeError, OSError):
        return None
    return None if said < 0 else said != TIME_ERROR
