"""A desk's ledger reached from outside: of one that is down its server runs meanwhile, and the chain's end is told."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.audit import reader_dsn
from cluster.desk import Desk
from cluster.ledger import ends, opened, own_server
from cluster.settings import load
from core.errors import InputError
from storage.ledger import PostgresLedger
from storage.ledger.roles import prepare_own
from storage.ledger.verify import verify
from tests.unit.storage.conftest import free_port

NUMBER = 8


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder everybody may enter: root runs PostgreSQL as somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    monkeypatch.setenv("VIKALP_HOME", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def a_desk(home: Path) -> Desk:
    return Desk(
        desk=NUMBER,
        settings=load(),
        session_id="s",
        namespace="vikalp",
        dsn="",
        data_dir=str(home),
        anchor_wall_ns=1_795_100_000 * 10**9,
    )


def test_the_ledger_of_a_desk_that_is_down_can_be_proved(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = own_server(NUMBER)
    server.start()
    ledger = PostgresLedger(prepare_own(server), "s", timeout_s=10)
    ledger.audit("host", "start", {})
    said = ends(a_desk(home), server.dsn)
    reader_dsn(NUMBER)
    ledger.close()
    server.stop()

    with opened(NUMBER) as dsn:
        (found,) = verify(dsn).sessions
        pid = own_server(NUMBER)._running()
        assert pid is not None
    assert found.problem is None
    assert said == f"the ledger's chain of s ends at event {found.events} with {found.head}"
    assert "vikalp_reader" in capsys.readouterr().out
    assert own_server(NUMBER)._running() is None, "it ran for this alone"


def test_words_where_there_is_no_ledger(home: Path) -> None:
    with pytest.raises(InputError, match="desk 8 has no ledger of its own"), opened(NUMBER):
        pass
    with pytest.raises(InputError, match="desk 8 has no ledger of its own"):
        reader_dsn(NUMBER)


def test_an_end_that_cannot_be_read_is_said_and_stops_nothing(home: Path) -> None:
    gone = f"postgresql://vikalp@127.0.0.1:{free_port()}/postgres"
    assert ends(a_desk(home), gone).startswith("where the ledger's chain ends is not known")
