"""A release of the kill switch that fails or is broken off: its file holds the switch as before."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from core.errors import LedgerDown
from tests.unit.cli.fake_world import FakeDesk
from tests.unit.cli.test_commands import vikalp
from tests.unit.cli.test_kill import Unreachable, pulled


@pytest.mark.parametrize("at", ["connect", "release"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), RuntimeError("a bug")])
def test_a_release_that_was_broken_off_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: str
) -> None:
    place = pulled(tmp_path)

    def broken_off(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(place if at == "connect" else place.client, at, broken_off)
    done = vikalp(place, "release", "it was a test", "--yes")

    file = place.kill_file(0)
    assert (done.exit_code != 0, file.read_text(), list(file.parent.iterdir())) == (True, "x (asha)\n", [file])
    assert "vikalp status" in done.stderr


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("error", [LedgerDown("the ledger is away"), KeyboardInterrupt()])
def test_what_was_written_during_a_release_that_failed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, *, linked: bool
) -> None:
    class Again(FakeDesk):
        def release(self, why: str, who: str) -> str:
            vikalp(Unreachable(folder=tmp_path), "kill", "all is red", "--who", "ravi", "--square-off")
            raise error

    place = pulled(tmp_path, Again())
    if not linked:
        monkeypatch.setattr(os, "link", no_links)
    vikalp(place, "release", "it was a test", "--yes")

    file = place.kill_file(0)
    assert (file.read_text(), list(file.parent.iterdir())) == ("all is red (ravi)\nsquare_off: yes\n", [file])


def no_links(*_: object) -> NoReturn:
    raise PermissionError("Operation not permitted")


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_cannot_be_linked_is_put_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    class Down(FakeDesk):
        def release(self, why: str, who: str) -> str:
            raise LedgerDown("the ledger is away; not released")

    place = pulled(tmp_path, Down())
    file, folder = place.kill_file(0), place.kill_file(0).parent
    if not there:
        file.unlink()
    monkeypatch.setattr(os, "link", no_links)
    done = vikalp(place, "release", "it was a test", "--yes")

    assert (list(folder.iterdir()), "the ledger is away" in done.stderr) == ([file] * there, True)
