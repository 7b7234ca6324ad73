"""What a socket shall carry, and what it has been asked for so far."""

import json
from collections.abc import Iterator, Mapping

from core.errors import InputError
from core.kite import Mode, Segment

MOST_TOKENS = 3_000  # a connection; Kite Connect's documentation


class Subscriptions:
    """Tokens and modes wanted, kept across connections; each token is asked for once on each.

    Every mode is said, as nobody documents the one Kite gives to a bare subscription.
    """

    def __init__(self) -> None:
        self.wanted: dict[int, Mode] = {}
        self._asked: dict[int, Mode] = {}

    def want(self, modes: Mapping[int, Mode]) -> None:
        """All that shall be carried from now on; InputError, and nothing changed, if one socket cannot carry it."""
        if len(modes) > MOST_TOKENS:
            raise InputError(f"one socket carries {MOST_TOKENS} instruments, was {len(modes)}; use another link")
        self.wanted = dict(modes)

    def opened(self) -> None:
        """A new connection: nothing has been asked for on it."""
        self._asked = {}

    def has_index(self) -> bool:
        return any(token & 0xFF == Segment.INDICES for token in self.wanted)

    def messages(self) -> Iterator[str]:
        """What makes the connection carry what is wanted; each counts as said once it is taken from here.

        What is dropped goes first, so that the socket's limit is not passed on the way.
        """
        gone = [token for token in self._asked if token not in self.wanted]
        if gone:
            for token in gone:
                del self._asked[token]
            yield json.dumps({"a": "unsubscribe", "v": gone})
        new = [token for token in self.wanted if token not in self._asked]
        changed = {token: mode for token, mode in self.wanted.items() if self._asked.get(token) != mode}
        self._asked.update(changed)
        if new:
            yield json.dumps({"a": "subscribe", "v": new})
        for mode in Mode:
            tokens = [token for token, its in changed.items() if its == mode]
            if tokens:
                yield json.dumps({"a": "mode", "v": [mode.name.lower(), tokens]})
