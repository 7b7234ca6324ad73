"""Kite's stream as core.ports.Socket: a thread keeps it connected and logged in, what it brings waits to be taken."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from brokers.kite.stream import State, Stream, StreamConfig
from brokers.kite.subscriptions import Subscriptions
from brokers.kite.waiting import Waiting
from core.errors import VikalpError
from core.kite import Mode
from core.ports import Arrived

ASK_S = 2.0  # between two questions for an access token
AGAIN_S = 60.0  # before a refused one is tried again
CLOSE_S = 1.0  # for the thread to end


class KiteSocket:
    """One socket for up to 3,000 instruments. A description that can be pickled, until `open` makes it a connection.

    `token` gives the day's access token, or raises a VikalpError that says what to do while nobody is logged in. It may
    take its time: at the start, and when Kite has refused the one there was, it is asked in a thread of its own until
    it gives another; then everything goes on by itself. LOGIN_NEEDED is said once it has been asked in vain. A 403 may
    also be about one socket too many, while an earlier one lingers: a refused token is tried again every minute.

    If nobody takes for too long the oldest frames go (see Waiting). An exception that ends the thread, which is a bug,
    is raised by every `take` from then on.
    """

    def __init__(
        self,
        config: StreamConfig,
        *,
        token: Callable[[], str],
        market_open: Callable[[], bool],
        remedy: str = "log in (vikalp login)",
    ) -> None:
        """`market_open` says whether index ticks are due now; it is asked ten times a second.

        `remedy`: what to do where nobody is logged in.
        """
        self._config, self._token, self._market_open, self._remedy = config, token, market_open, remedy
        self._modes: Mapping[int, Mode] = {}
        self._line: _Line | None = None

    def open(self) -> None:
        """Begin to connect; without effect on one that is open."""
        if self._line is None:
            self._line = _Line(self._config, self._token, self._market_open, self._remedy)
            self._line.subscribe(self._modes)
            self._line.start()

    def subscribe(self, modes: Mapping[int, Mode]) -> None:
        """All that shall be carried from now on, also before `open`, from any thread; InputError for too much."""
        Subscriptions().want(modes)  # in the stream's own thread nobody would hear it
        self._modes = dict(modes)
        if self._line is not None:
            self._line.subscribe(self._modes)

    def take(self) -> Arrived:
        """What came since the last call, as Waiting gives it; RuntimeError once the thread has ended by itself."""
        return Arrived() if self._line is None else self._line.take()

    def wait(self, longest_s: float) -> None:
        """Return when `take` has something to give or to raise, at the latest after `longest_s` seconds."""
        if self._line is None:
            time.sleep(longest_s)
        else:
            self._line.wait(longest_s)

    def counts(self) -> Mapping[str, int]:
        """What Stream counts, and dropped_frames; nothing while it is closed."""
        return {} if self._line is None else self._line.counts()

    def close(self) -> None:
        """The connection and its thread end."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_line": None}


class _Line(Waiting):
    """An open socket: a daemon thread with the loop of two tasks, the stream and who finds it a login."""

    def __init__(
        self, config: StreamConfig, token: Callable[[], str], market_open: Callable[[], bool], remedy: str
    ) -> None:
        super().__init__()
        self._remedy = remedy
        self._token, self._stream = token, Stream(config, self, market_open=market_open)
        self._needed, self._said = asyncio.Event(), ""
        self._failed: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._run())
        self._thread = threading.Thread(target=self._live, name="kite socket", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def subscribe(self, modes: Mapping[int, Mode]) -> None:
        self._tell(lambda: self._stream.subscribe(modes))

    def on_state(self, state: str, why: str) -> None:
        """Everything but LOGIN_NEEDED is handed on: that one is said when there is no token, after a look for one."""
        if state == State.LOGIN_NEEDED:
            self._needed.set()
            return
        if state == State.OPEN:
            self._said = ""
        super().on_state(state, why)

    def take(self) -> Arrived:
        if self._failed is not None:
            raise RuntimeError("the socket's thread has ended") from self._failed
        return super().take()

    def counts(self) -> Mapping[str, int]:
        return {**self._stream.counts(), "dropped_frames": self.dropped_frames}

    def close(self) -> None:
        self._tell(self._task.cancel)
        self._thread.join(CLOSE_S)

    def _tell(self, act: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is closed: `take` says why
            self._loop.call_soon_threadsafe(act)

    def _live(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._failed = error
            self._arrived.set()
        finally:
            # asyncio.run would wait for the loop's threads too, of which one may be asking for a token, or for a name.
            self._loop.run_until_complete(_cancel(asyncio.all_tasks(self._loop)))
            self._loop.close()

    async def _run(self) -> None:
        """Until one of the two ends, which only a fault does."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._logins())

    async def _logins(self) -> None:
        refused = ""
        while True:
            await self._needed.wait()
            self._needed.clear()
            refused = await self._login(refused)

    async def _login(self, refused: str) -> str:
        """The token that the stream was given: another than `refused`, the one it had, unless a minute is over."""
        began = self._loop.time()
        while True:
            try:
                token = await asyncio.to_thread(self._token)
                why = f"{'the access token was refused' if token else 'nobody is logged in'}; {self._remedy}"
            except VikalpError as error:
                token, why = "", str(error)
            if token and (token != refused or self._loop.time() - began >= AGAIN_S):
                self._stream.login(token)
                return token
            if why != self._said:
                self._said = why
                super().on_state(State.LOGIN_NEEDED, why)
            await asyncio.sleep(ASK_S)


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
