import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import ConfigError, LedgerDown
from storage.ledger import PostgresLedger, migrate
from storage.ledger.roles import prepare_own
from storage.ledger.verify import verify
from storage.postgres import PostgresServer, find_binaries, require_answer
from storage.programs import RunAs, reachable
from tests.unit.storage.attacks import fill_in
from tests.unit.storage.conftest import free_port
from tests.unit.storage.test_ledger import an_intent

AS_ROOT = os.geteuid() == 0
NOBODY = RunAs(65534, 65534, switch=True)


def test_it_starts_stops_and_starts_again_with_its_data(place: Path) -> None:
    server = PostgresServer(place / "data", place / "run", free_port())
    server.start()
    assert migrate(server.dsn) > 0
    assert (place / "data.password").stat().st_mode & 0o777 == 0o600
    assert (place / "run").stat().st_mode & 0o777 == 0o700
    server.stop()
    assert server.pid == 0
    server.start()
    assert PostgresLedger(server.dsn, "s").take_epoch() == 1
    server.stop()


def test_a_start_that_fails_leaves_no_server(place: Path) -> None:
    server = PostgresServer(place / "data", place / "run", free_port())

    async def inside_a_loop() -> None:
        server.start()  # asks SELECT 1 in a loop of its own: impossible here

    with pytest.raises(RuntimeError, match="running event loop"):
        asyncio.run(inside_a_loop())

    assert server.pid == 0
    server.start()
    assert server.pid
    server.stop()


def test_two_servers_side_by_side(place: Path, server: PostgresServer) -> None:
    other = PostgresServer(place / "data", place / "run", free_port(), listen=True)
    other.start()
    assert other.pid != server.pid
    migrate(other.dsn)
    by_tcp = PostgresLedger(f"{other.dsn.split('@')[0]}@127.0.0.1:{other._port}/postgres", "s")
    assert by_tcp.take_epoch() == 1
    by_tcp.close()
    other.stop()
    assert server.alive


def test_a_server_that_runs_already_is_adopted_and_can_be_stopped(place: Path) -> None:
    port = free_port()
    first = PostgresServer(place / "data", place / "run", port)
    first.start()
    second = PostgresServer(place / "data", place / "run", port)
    second.start()
    assert second.pid == first.pid
    with pytest.raises(ConfigError, match="start with the same port"):
        PostgresServer(place / "data", place / "run", port + 1).start()
    second.stop()
    assert not first.alive


def test_killed_while_writing_it_keeps_every_intent_it_acknowledged(place: Path) -> None:
    server = PostgresServer(place / "data", place / "run", free_port())
    server.start()
    migrate(server.dsn)
    ledger, acknowledged, enough = PostgresLedger(server.dsn, "s"), [], threading.Event()
    epoch = ledger.take_epoch()

    def write() -> None:
        try:
            while True:
                tag = f"T{len(acknowledged)}"
                ledger.journal_intent(epoch, an_intent(tag))
                acknowledged.append(tag)
                if len(acknowledged) == 50:
                    enough.set()
        except LedgerDown:
            return

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(60)
    os.kill(server.pid, signal.SIGKILL)
    writer.join(60)
    assert not writer.is_alive()
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 10
    kept = [order.intent.tag for order in ledger.orders()]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) <= 1  # committed, its answer lost
    server.stop()


def test_a_server_elsewhere_is_asked_and_what_is_no_address_is_named(dsn: str) -> None:
    require_answer(dsn)
    with pytest.raises(LedgerDown, match=r"ledger\.dsn: the ledger does not answer"):
        require_answer(f"postgresql://someone:secret@127.0.0.1:{free_port()}/desk")
    for bad in ("postgresql://h:port/x", "mysql://h/x"):
        with pytest.raises((ConfigError, LedgerDown), match=r"ledger\.dsn"):
            require_answer(bad)


def test_words_for_what_cannot_work(place: Path) -> None:
    with pytest.raises(ConfigError, match="too long for a Unix socket"):
        PostgresServer(place / "data", place / ("r" * 100), 5).start()
    with pytest.raises(ConfigError, match="no initdb and postgres"):
        find_binaries(place)
    (place / "data").mkdir()
    (place / "data" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds files but no database"):
        PostgresServer(place / "data", place / "run", 5).start()


def test_the_system_s_programs_do_as_well(place: Path) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    binaries = found[-1] if found else find_binaries()
    server = PostgresServer(place / "data", place / "run", free_port(), binaries=binaries)
    server.start()
    assert migrate(server.dsn) == migrate(server.dsn)
    ledger = PostgresLedger(prepare_own(server), "s", timeout_s=10)
    fill_in(ledger, server.dsn)
    ledger.close()
    assert verify(server.dsn).whole
    server.stop()


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as somebody else")
def test_root_s_server_runs_as_an_unprivileged_user_from_a_copy_where_it_must(place: Path) -> None:
    closed = place / "closed"
    package = find_binaries().parents[1]
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("include", "pginstall"))
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    binaries = closed / package.name / find_binaries().parent.name / "bin"
    server = PostgresServer(place / "data", place / "run", free_port(), binaries=binaries, user="nobody")
    server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
    assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(place / "data-programs")
    server.stop()
    with pytest.raises(ConfigError, match=r"may not be entered by uid 65534.*VIKALP_HOME"):
        reachable(binaries, closed / "data", NOBODY)


ORDINARY = """
import os, sys
import asyncpg.pgproto.pgproto, psutil  # while every folder of this Python may still be entered
from storage.postgres import PostgresServer
place, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if os.geteuid() != uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
server = PostgresServer(place + "/data", place + "/run", port)
server.start()
print(os.geteuid(), os.stat(f"/proc/{server.pid}").st_uid)
server.stop()
"""


def test_an_ordinary_user_s_server_runs_as_that_user(place: Path) -> None:
    home, uid = place / "home", 65534 if AS_ROOT else os.geteuid()
    home.mkdir()
    if AS_ROOT:
        os.chown(home, uid, uid)
    done = subprocess.run(
        [sys.executable, "-c", ORDINARY, str(home), str(free_port()), str(uid)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(uid), str(uid)]
