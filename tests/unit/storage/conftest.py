import itertools
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.ledger import PostgresLedger, migrate
from storage.postgres import PostgresServer

COUNT = itertools.count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place() -> Iterator[Path]:
    """A short folder everybody may enter: pytest's own is closed to the user that root runs PostgreSQL as."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    postgres = PostgresServer(folder / "data", folder / "run", free_port())
    postgres.start()
    yield postgres
    postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dsn(server: PostgresServer) -> str:
    migrate(server.dsn)
    return server.dsn


@pytest.fixture
def make_ledger(dsn: str) -> Iterator[Callable[..., PostgresLedger]]:
    """Ledgers of a session of this test's own; name one to share it."""
    made: list[PostgresLedger] = []
    own = f"session-{next(COUNT)}"

    def make(session: str = own, *, carry: bool = False, writer: str = "supervisor") -> PostgresLedger:
        made.append(PostgresLedger(dsn, session, carry=carry, writer=writer))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


@pytest.fixture
def ledger(make_ledger: Callable[..., PostgresLedger]) -> PostgresLedger:
    return make_ledger()
