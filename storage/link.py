"""One PostgreSQL connection for callers that do not wait in a loop of their own.

A private thread runs the loop; calls are serialised; each is one transaction, or one statement. A connection that is
lost or does not answer is thrown away and the call raises LedgerDown: it may or may not have been committed. The next
call connects anew, as does the first one after `close` or in a process that a link was sent to.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

import asyncpg

from core.errors import ConfigError, InputError, LedgerDown

T = TypeVar("T")
Work = Callable[[Any], Awaitable[T]]

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,  # its disk fails
    asyncpg.PostgresIOError,
    asyncpg.UndefinedFileError,
    asyncpg.InternalServerError,  # its files are damaged
    asyncpg.DataCorruptedError,
    asyncpg.IndexCorruptedError,
)


@contextlib.contextmanager
def in_our_words(what: str) -> Iterator[None]:
    """PostgreSQL's errors as the desk's; anything not listed is a bug and passes."""
    try:
        yield
    except asyncpg.DataError as error:
        raise InputError(f"{what}: the ledger cannot hold this value: {error}") from error
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidCatalogNameError) as error:
        raise ConfigError(f"{what}: {error}; run storage.ledger.migrate on this server first") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise LedgerDown(
            f"{what}: the ledger refuses the role of its dsn: {error}; its owner grants it what it needs with "
            "`vikalp audit prepare`"
        ) from error
    except AWAY as error:
        raise LedgerDown(f"{what}: the ledger does not answer: {type(error).__name__}: {error}") from error


class Link:
    """`call(what, work)` runs `await work(connection)` in one transaction and returns its value.

    A picklable description that connects on first use. May be called from several threads.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        timeout_s: float,
        greeting: str = "",
        args: tuple[object, ...] = (),
        writer: str = "",
    ) -> None:
        """`writer` is told to PostgreSQL with this machine and process: the audit log's "from where"."""
        self.__setstate__((dsn, name, timeout_s, greeting, args, writer))

    def __getstate__(self) -> tuple[Any, ...]:
        return self._about

    def __setstate__(self, about: tuple[Any, ...]) -> None:
        self._about = about
        self._line: _Line | None = None
        self._making = threading.Lock()

    def call(self, what: str, work: Work[T], *, single: bool = False) -> T:
        """Raises LedgerDown within about twice the timeout, InputError for values PostgreSQL cannot hold.

        `single`: all that `work` writes is in one statement, which needs no BEGIN and COMMIT around it.
        """
        with self._making:
            if self._line is None:
                self._line = _Line(self._about)
            line = self._line
        return line.call(what, work, single=single)

    def close(self) -> None:
        """Give the connection back; the next call connects anew."""
        with self._making:
            line, self._line = self._line, None
        if line is not None:
            line.close()


class _Line:
    """A link in use: the thread, its loop and the connection."""

    def __init__(self, about: tuple[Any, ...]) -> None:
        self._dsn, self._name, self._timeout_s, self._greeting, self._args, writer = about
        self._agent = f"{writer} pid {os.getpid()} on {socket.gethostname()}" if writer else ""
        self._connection: Any = None
        self._lock = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True).start()

    def call(self, what: str, work: Work[T], *, single: bool) -> T:
        future = asyncio.run_coroutine_threadsafe(self._run(work, single=single), self._loop)
        with in_our_words(what):
            try:
                # The loop's own deadline comes first; this one is for a loop that has died.
                return future.result(self._timeout_s * 2 + 5)
            except FutureTimeoutError:
                future.cancel()
                raise

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(self._timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _run(self, work: Work[T], *, single: bool) -> T:
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_s):
                    connection = await self._connected()
                    if single:
                        return await work(connection)
                    async with connection.transaction():
                        return await work(connection)
            except AWAY:
                await self._drop()
                raise

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn,
                timeout=self._timeout_s,
                server_settings={
                    "application_name": self._name,
                    "vikalp.agent": self._agent,
                    "synchronous_commit": "on",
                    "plan_cache_mode": "force_generic_plan",  # what is asked is asked often, and by its key
                    "statement_timeout": str(int(self._timeout_s * 1000)),
                    # Whoever is stopped within a transaction, or cut off, must not keep its locks from a successor.
                    "idle_in_transaction_session_timeout": str(int(self._timeout_s * 1000)),
                },
            )
            if self._greeting:
                await self._connection.execute(self._greeting, *self._args)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
