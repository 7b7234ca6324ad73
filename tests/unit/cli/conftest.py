"""A home of desks for commands that reach a desk's own PostgreSQL."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where desks live, with a short name that everybody may enter: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    monkeypatch.setenv("VIKALP_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    yield folder
    shutil.rmtree(folder)
