"""A call with an end: a name server, several addresses and an answer that trickles know no limit of one call."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` gives or raises; ReadTimeout once it has taken `seconds`; without any it is not asked at all.

    Once it has begun it goes on in its own thread, and nobody hears what becomes of it: what it sends may arrive, so
    that a client it uses must not be used again.
    """
    if seconds <= 0:
        raise requests.exceptions.ReadTimeout("not asked: the time for it is over")
    heard: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            heard.put((ask(), None))
        except Exception as error:
            heard.put((None, error))

    threading.Thread(target=run, name="kite", daemon=True).start()
    try:
        answer, error = heard.get(timeout=seconds)
    except queue.Empty:
        raise requests.exceptions.ReadTimeout(f"no whole answer within {seconds:.1f} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]
