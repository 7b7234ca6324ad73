"""A desk's ledger as the host and the command line reach it: where it is, and where its chain ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.desk import Desk, book_id
from cluster.ports import ports
from cluster.running import running_desk
from cluster.state import DeskState, alone, desk_dir, desk_number, find_state, home, temp_dir
from core.errors import InputError, VikalpError
from storage.ledger.roles import READER
from storage.ledger.verify import heads
from storage.postgres import PostgresServer


def own_server(desk: int) -> PostgresServer:
    """The PostgreSQL in the folder of desk number `desk`; whoever starts it beside the host holds `alone(desk)`."""
    run_dir = temp_dir(desk).with_name(f"{temp_dir(desk).name}-pg")
    return PostgresServer(desk_dir(desk) / "postgres", run_dir, ports(desk).postgres)


def address(state: DeskState) -> str:
    """Where a running desk's ledger is, as its actors use it."""
    return state.dsn or running_desk(state).settings.ledger.dsn


@contextmanager
def opened(desk: int | None) -> Iterator[str]:
    """An address of a desk's ledger, to read; of a desk that does not run its own PostgreSQL is started meanwhile.

    None picks as desk_number does. Raises InputError where there is no ledger.
    """
    number = desk_number(desk)
    state = find_state(number)
    if state is not None and state.alive:
        yield address(state)
        return
    with alone(number):  # no start of the desk meets this server
        server = _there(number)
        server.start()
        try:
            yield server.dsn
        finally:
            server.stop()


def reader_address(desk: int) -> str:
    """By which people may read the ledger of desk number `desk` while it runs; raises InputError as `opened`."""
    return _there(desk).dsn_of(READER)


def ends(desk: Desk, dsn: str) -> str:
    """Where the chain of this desk ends, for who keeps it elsewhere: only so is a rewritten chain found out."""
    try:
        found = heads(dsn, [desk.session_id, book_id(desk)])
    except VikalpError as error:
        return f"where the ledger's chain ends is not known: {error}"
    said = [
        f"the ledger's chain of {name} ends at event {offset} with {mark}" for name, (offset, mark) in found.items()
    ]
    return "; ".join(said) or "the ledger holds nothing of this session"


def _there(desk: int) -> PostgresServer:
    """The desk's own server, which was started before."""
    if not (desk_dir(desk) / "postgres" / "PG_VERSION").exists():
        raise InputError(f"desk {desk} has no ledger of its own below {home()}: name one with --desk or --dsn")
    return own_server(desk)
