"""Pulls the kill switch when an actor that trading depends on is gone for good."""

import threading
import time
from collections.abc import Callable

from cluster.client import Calls
from core.errors import VikalpError

NEEDED = frozenset({"link", "feed", "shard", "pair", "risk"})  # without one of these nobody sees what is traded
TRIES, AGAIN_S = 30, 1.0


def is_needed(name: str) -> bool:
    """Whether trading depends on the actor `name`; without the order manager itself nothing is sent anyway."""
    return name.partition(".")[0] in NEEDED


def pull(namespace: str, why: str, alarm: Callable[[str], object]) -> None:
    """Ask the order manager, which may be restarting itself, from a thread of its own until it has been done."""
    threading.Thread(target=_pull, args=(Calls(namespace), why, alarm), name="kill switch", daemon=True).start()


def _pull(calls: Calls, why: str, alarm: Callable[[str], object]) -> None:
    said = ""
    for _ in range(TRIES):
        try:
            calls.call("oms", "kill", why, "the supervisor")
        except VikalpError as error:
            said = f"{error}"
            time.sleep(AGAIN_S)
        else:
            return
    alarm(f"the kill switch could not be pulled ({why}): {said}; `vikalp kill` does it by its file")
