"""The desk's role writes what it must, and PostgreSQL itself refuses it everything else."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from core.errors import ConfigError, LedgerDown
from storage.broker_store import PostgresBrokerStore
from storage.ledger import PostgresLedger, migrate
from storage.ledger.roles import DESK, READER, check, prepare, prepare_own
from storage.ledger.verify import verify
from storage.postgres import PostgresServer
from tests.unit.storage.attacks import FACTS, STATES, fill_in, run
from tests.unit.storage.test_ledger import a_fill, an_intent, done

TABLES = [*FACTS, *STATES, "sessions", "events", "chain_heads", "chained", "schema_version"]


@pytest.fixture(scope="module")
def desk_dsn(server: PostgresServer, dsn: str) -> str:
    made = prepare_own(server)
    ledger = PostgresLedger(made, "roles")
    fill_in(ledger, made)
    ledger.close()
    return made


@pytest.fixture
def elsewhere(server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """An empty database of its own owner: addresses by role."""
    run(server.dsn, "DROP DATABASE IF EXISTS elsewhere")
    for role in ("owner", "trader"):
        run(server.dsn, f"DROP ROLE IF EXISTS {role}")
        run(server.dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    run(server.dsn, "CREATE DATABASE elsewhere OWNER owner")
    there = server.dsn.split("@", 1)[1].replace("/postgres?", "/elsewhere?")
    yield lambda role: f"postgresql://{role}:p@{there}"
    run(server.dsn, "DROP DATABASE elsewhere")
    for role in ("owner", "trader"):
        run(server.dsn, f"DROP ROLE {role}")


def test_the_desk_s_role_does_all_a_desk_does(desk_dsn: str) -> None:
    found = verify(desk_dsn, session="roles").sessions[0]
    assert found.problem is None
    assert found.writers == {DESK: found.events}
    store = PostgresBrokerStore(desk_dsn, "roles")
    store.save(done(an_intent()), [a_fill()])
    assert store.load() == ([done(an_intent())], [a_fill()])
    store.close()


def refused(dsn: str, tried: list[str]) -> None:
    """PostgreSQL says no to each."""

    async def go() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for sql in tried:
                with pytest.raises(
                    (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidAuthorizationSpecificationError)
                ):
                    await connection.execute(sql)
                    pytest.fail(f"allowed: {sql}")
        finally:
            await connection.close()

    asyncio.run(go())


@pytest.mark.parametrize("role", [DESK, READER])
@pytest.mark.parametrize("table", TABLES)
def test_no_role_removes_or_unguards_anything(desk_dsn: str, server: PostgresServer, table: str, role: str) -> None:
    tried = [
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"DROP TABLE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} ADD COLUMN x int",
        f"ALTER TABLE {table} OWNER TO {role}",
        f"CREATE TRIGGER x BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE RULE x AS ON INSERT TO {table} DO INSTEAD NOTHING",
    ]
    guards = run(server.dsn, "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass", table)
    tried += [f'DROP TRIGGER "{row["tgname"]}" ON {table}' for row in guards]
    refused(server.dsn_of(role), tried)


def test_the_desk_s_role_updates_no_fact(desk_dsn: str) -> None:
    columns = {"version": ["schema_version"], "relation": ["chained"]}
    columns["session_id"] = [*FACTS, "sessions", "events", "chain_heads"]
    refused(desk_dsn, [f"UPDATE {t} SET {column} = {column}" for column, tables in columns.items() for t in tables])


def test_the_desk_s_role_gains_nothing(desk_dsn: str) -> None:
    tried = [
        "SET session_replication_role = replica",
        "SET SESSION AUTHORIZATION vikalp",
        "SET ROLE vikalp",
        "ALTER SYSTEM SET fsync = off",
        "CREATE TABLE mine (x int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION refuse_change CASCADE",
        "ALTER ROLE vikalp_desk SUPERUSER",
        "CREATE ROLE other SUPERUSER",
        "COPY fills TO '/tmp/x'",
        "COPY fills FROM PROGRAM 'true'",
        "SELECT append_event('roles', 'x', 'fills', 'x', '{}')",
        "SELECT keep_facts('fills', 'x', 'tag')",
        "INSERT INTO events VALUES ('roles', 999999, 'x', 'x', 'x', 0, 0, 'x', '{}', '', '')",
        "INSERT INTO chain_heads VALUES ('other', 0, sha256('x'))",
    ]
    refused(desk_dsn, tried)


def test_a_table_of_the_same_name_in_the_role_s_own_hands_changes_nothing(desk_dsn: str) -> None:
    """The chain's functions run as their owner: they must not be led to a temporary table."""

    async def lead_astray() -> None:
        connection = await asyncpg.connect(desk_dsn)
        try:
            await connection.execute("CREATE TEMP TABLE events (LIKE public.events); SET search_path = pg_temp, public")
            await connection.execute(
                "INSERT INTO public.system_alerts (session_id, at_wall_ns, severity, subject, message) "
                "VALUES ('roles', 1, 'info', 'x', 'y')"
            )
            assert await connection.fetchval("SELECT count(*) FROM pg_temp.events") == 0
        finally:
            await connection.close()

    asyncio.run(lead_astray())
    assert verify(desk_dsn, session="roles").sessions[0].problem is None


def test_the_reader_reads_and_writes_nothing(desk_dsn: str, server: PostgresServer) -> None:
    reader = server.dsn_of(READER)
    assert verify(reader, session="roles").sessions[0].problem is None
    held = "SELECT epoch FROM oms_epoch FOR SHARE"  # with it a reader could hold up every order
    refused(reader, ["INSERT INTO sessions VALUES ('x')", "UPDATE orders SET message = ''", held])
    ledger = PostgresLedger(reader, "roles")
    with pytest.raises(LedgerDown, match=r"refuses the role of its dsn.*vikalp audit prepare"):
        ledger.audit("x", "y", {})
    ledger.close()


def test_preparing_again_changes_no_password_and_takes_back_what_was_given(
    server: PostgresServer, desk_dsn: str
) -> None:
    run(server.dsn, "GRANT DELETE ON fills TO vikalp_desk")
    assert prepare_own(server) == desk_dsn
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run(desk_dsn, "DELETE FROM fills")
    file = server._data.with_name(f"{server._data.name}.{DESK}.password")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_server_elsewhere_by_its_owner_is_migrated_and_warned_of(elsewhere: Callable[[str], str]) -> None:
    (warning,) = check(elsewhere("owner"))
    assert "role owner owns the ledger's tables" in warning
    assert check(elsewhere("owner")) == [warning]


def test_a_role_of_its_own_elsewhere_is_prepared_by_the_owner(elsewhere: Callable[[str], str]) -> None:
    with pytest.raises(LedgerDown, match="permission denied"):
        check(elsewhere("trader"))
    with pytest.raises(ConfigError, match="no role nobody_there on that server"):
        prepare(elsewhere("owner"), desk="nobody_there")
    assert prepare(elsewhere("owner"), desk="trader") == migrate(elsewhere("owner"))
    assert check(elsewhere("trader")) == []
    ledger = PostgresLedger(elsewhere("trader"), "s")
    fill_in(ledger, elsewhere("trader"))
    ledger.close()
    assert verify(elsewhere("trader")).whole

    run(elsewhere("owner"), "GRANT DELETE ON fills TO trader")
    assert check(elsewhere("trader")) == [
        "ledger.dsn: role trader may DELETE fills: REVOKE that (docs/ledger.md, Roles)"
    ]
    run(elsewhere("owner"), "REVOKE INSERT ON fills FROM trader")
    with pytest.raises(ConfigError, match="role trader may not INSERT fills: its owner runs `vikalp audit prepare`"):
        check(elsewhere("trader"))


def test_an_older_ledger_elsewhere_names_who_can_bring_it_up_to_date(
    elsewhere: Callable[[str], str], tmp_path: Path
) -> None:
    prepare(elsewhere("owner"), desk="trader")
    run(elsewhere("owner"), "DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)")
    with pytest.raises(ConfigError, match="this role does not own it: its owner runs `vikalp audit prepare`"):
        check(elsewhere("trader"))
