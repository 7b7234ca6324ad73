"""Order updates to the users' own servers, as Kite posts them (kite.md §9): raw JSON, with the order's checksum.

Behind the market's back: an update is handed over and forgotten, those of one order arrive in their order, one attempt
each (how often Kite tries nobody says). A server that is slow or away costs its own updates and nothing else; they are
counted, and GET /admin shows it.
"""

import asyncio
from typing import Self

import httpx

from exchange.accounts import User
from exchange.orders.order import Row

POSTED = frozenset({"COMPLETE", "CANCELLED", "REJECTED", "UPDATE"})
TIMEOUT_S = 3.0  # of one attempt, all of it
AT_ONCE = 8  # attempts under way
MOST_WAITING = 1000  # updates; one more is dropped


class Postbacks:
    """Use it as an async context manager: what has not been posted when it ends is not posted."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._client: httpx.AsyncClient | None = None
        self._waiting: set[asyncio.Task[None]] = set()
        self._latest: dict[str, asyncio.Task[None]] = {}  # by order
        self._posted = self._failed = self._dropped = 0
        self._last_failure = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def put(self, user: User, row: Row) -> None:
        """Post an order update if Kite would, and the user wants it; returns at once."""
        if not user.postback_url or row["status"] not in POSTED:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            return
        order_id = str(row["order_id"])
        task = asyncio.create_task(self._post(user.postback_url, row, self._latest.get(order_id)))
        self._waiting.add(task)
        self._latest[order_id] = task
        task.add_done_callback(lambda done: self._forget(order_id, done))

    def counts(self) -> Row:
        """posted, failed, dropped, waiting; and why the last failure was one."""
        return {
            "posted": self._posted, "failed": self._failed, "dropped": self._dropped, "waiting": len(self._waiting),
            "last_failure": self._last_failure,
        }  # fmt: skip

    async def _post(self, url: str, row: Row, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._room:
            why = await self._attempt(url, row)
        if why:
            self._failed, self._last_failure = self._failed + 1, why
        else:
            self._posted += 1

    async def _attempt(self, url: str, row: Row) -> str:
        """Empty if the server took it, else why not; the answer's body is nobody's concern."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream("POST", url, json=row) as answer:
                return "" if answer.is_success else f"HTTP {answer.status_code}"
        except TimeoutError:
            return f"no answer within {TIMEOUT_S:g} s"
        except httpx.HTTPError as why:
            return type(why).__name__  # its words may hold the URL, and that a secret

    def _forget(self, order_id: str, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if self._latest.get(order_id) is task:
            del self._latest[order_id]
