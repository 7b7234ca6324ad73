"""A small market that stands still, served over HTTP with answers that a test chooses."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exchange.limits import Rates
from exchange.world import World, WorldConfig
from storage.ledger import migrate
from storage.postgres import PostgresServer
from tests.unit.exchange.conftest import DATE
from tests.unit.orders.answers import Answered
from tests.unit.orders.clocks import StandingWall
from tests.unit.storage.conftest import free_port


def answered() -> Answered:
    """Half an hour after the open; nothing moves but what orders do."""
    wall = StandingWall()
    world = World(WorldConfig(date=DATE, indices=("NIFTY",), rates=Rates(enforced=False)), wall=wall)
    world.step()
    wall.on(1800)
    world.step()
    world.day.step = lambda _: np.zeros(0, np.int64)  # type: ignore[method-assign]
    return Answered(world)


@pytest.fixture(scope="package")
def served() -> Iterator[Answered]:
    with answered() as server:
        yield server


@pytest.fixture(scope="package")
def dsn() -> Iterator[str]:
    """A PostgreSQL of these tests' own."""
    folder = Path(tempfile.mkdtemp(prefix="vk"))
    folder.chmod(0o755)
    postgres = PostgresServer(folder / "data", folder / "run", free_port(), listen=True)
    postgres.start()
    migrate(postgres.dsn)
    yield postgres.dsn
    postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)
