"""How long until ticks come again after a socket is dropped, and until a socket that has gone quiet is noticed?

The exchange is `vikalp exchange`, with its own faults: every socket closed by the server (drop), open sockets on which
nothing comes (stall), and those on which heartbeats go on and no tick comes. Ours is brokers/kite/stream.py with its
own defaults, in a process of its own; a drop counts from the order to the first tick on another connection, a stall
from the order to the end of the attempt. Peer, on the same exchange at the same faults: the unmodified KiteTicker of
kiteconnect.
"""

import asyncio
import contextlib
import json
import logging
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from kiteconnect import KiteConnect, KiteTicker

from benchmarks.desk import VIKALP
from benchmarks.table import Row, write
from brokers.kite.login import request_token_of
from brokers.kite.stream import State, Stream, StreamConfig
from core.kite import Mode, ticks_in, warm

DROPS, STALLS = 8, 4  # tries; one stall of each kind is waited out for the peer
QUIET_S = 5.0  # of good ticks before each try
NEVER_S = 30.0
DROP_ASKED_S, STALL_ASKED_S = 2.0, 5.0
KEY = "vikalp"
Event = tuple[str, float]  # open, tick, lost; wall seconds


def say(what: str) -> None:
    print(what, time.time(), flush=True)


def ours(root: str, token: str, tokens: str) -> None:
    class Receiver:
        def on_frame(self, frame: bytes, _: int) -> None:
            if ticks_in(frame, index_only=False):
                say("tick")

        def on_text(self, *_: Any) -> None:
            pass

        def on_state(self, state: State, why: str) -> None:
            if state is State.WAITING:
                print(why, file=sys.stderr)
            say({State.OPEN: "open", State.WAITING: "lost"}.get(state, "other"))

    async def run() -> None:
        stream = Stream(StreamConfig(api_key=KEY, root=root), Receiver(), market_open=lambda: True)
        stream.login(token)
        stream.subscribe(dict.fromkeys(json.loads(tokens), Mode.FULL))
        await stream.run()

    warm()
    asyncio.run(run())


def peer(root: str, token: str, tokens: str) -> None:
    logging.disable()
    ticker = KiteTicker(KEY, token, root=root)
    wanted = json.loads(tokens)

    def opened(own: Any, _: Any) -> None:
        say("open")
        own.subscribe(wanted)
        own.set_mode("full", wanted)

    ticker.on_connect = opened
    ticker.on_ticks = lambda *_: say("tick")
    ticker.on_close = lambda *_: say("lost")
    ticker.on_error = lambda *_: None
    ticker.connect()


class Contestant:
    """One of the two in its process; `events` is what it has said so far."""

    def __init__(self, role: str, *words: str) -> None:
        self.name, self.events = role, list[Event]()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.reconnect", role, *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, at = line.split()
            self.events.append((what, float(at)))

    def after(self, since_s: float, *row: str) -> float | None:
        """When the last of these events came, each after the one before it and all after `since_s`; None: not yet."""
        wanted = iter(row)
        next_one = next(wanted)
        for what, at in list(self.events):
            if at > since_s and what == next_one:
                next_one = next(wanted, "")
                if not next_one:
                    return at
        return None

    def wait(self, since_s: float, within_s: float, *row: str) -> float | None:
        """Seconds from `since_s` until then; None if it took more than `within_s`."""
        while (at := self.after(since_s, *row)) is None:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with code {self._process.returncode}")
            if time.time() > since_s + within_s:
                return None
            time.sleep(0.02)
        return at - since_s if at - since_s <= within_s else None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def exchange() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = subprocess.Popen([VIKALP, "exchange", "--port", str(port)], stdout=sys.stderr)
    try:
        root, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                requests.get(f"{root}/admin", timeout=5)
                break
            except requests.ConnectionError:
                if time.monotonic() > deadline or own.poll() is not None:
                    raise
                time.sleep(0.1)
        yield root
    finally:
        own.terminate()
        own.wait()


def log_in(root: str) -> tuple[str, list[int]]:
    """An access token, and an index with a hundred contracts beside it."""
    kite = KiteConnect(KEY, root=root)
    answer = requests.get(f"{root}/connect/login?v=3&api_key={KEY}", allow_redirects=False, timeout=5)
    token = kite.generate_session(request_token_of(answer.headers["location"].partition("?")[2]), KEY)["access_token"]
    kite.set_access_token(token)
    listed = [row["instrument_token"] for row in kite.instruments()]
    return token, listed[:100]


def fault(root: str, name: str, seconds: float) -> float:
    """Switch it on; when, wall seconds."""
    at = time.time()
    requests.post(f"{root}/admin/faults/{name}", data={"seconds": str(seconds)}, timeout=5).raise_for_status()
    return at


def settle(contestants: Sequence[Contestant]) -> None:
    """Both have ticks, and go on having them for a while."""
    since = time.time()
    for one in contestants:
        if one.wait(since, 120, "tick") is None:
            raise RuntimeError(f"{one.name} has no ticks")
    time.sleep(QUIET_S)


def main() -> int:
    if sys.argv[1:]:
        return {"ours": ours, "peer": peer}[sys.argv[1]](*sys.argv[2:]) or 0
    dropped: dict[str, list[float]] = {"ours": [], "peer": []}
    noticed: dict[str, list[float]] = {"stall": [], "heartbeats_only": []}
    peer_noticed: list[float] = []
    with exchange() as root:
        token, tokens = log_in(root)
        words = (root.replace("http", "ws"), token, json.dumps(tokens))
        both = [Contestant(name, *words) for name in dropped]
        try:
            for _ in range(DROPS):
                settle(both)
                at = fault(root, "drop", 1)
                for one in both:
                    took = one.wait(at, 120, "open", "tick")
                    if took is None:
                        raise RuntimeError(f"{one.name} has not come back within 120 s")
                    dropped[one.name].append(took)
            for name, found in noticed.items():
                for turn in range(STALLS):
                    settle(both)
                    long = turn == STALLS - 1
                    at = fault(root, name, NEVER_S + 1 if long else STALL_ASKED_S + 1)
                    found.append(both[0].wait(at, NEVER_S, "lost") or NEVER_S)
                    if long and (saw := both[1].wait(at, NEVER_S, "lost")) is not None:
                        peer_noticed.append(saw)
                    requests.delete(f"{root}/admin/faults/{name}", timeout=5).raise_for_status()
        finally:
            for one in both:
                one.end()
    return report(dropped, noticed, peer_noticed)


def report(dropped: dict[str, list[float]], noticed: dict[str, list[float]], peer_noticed: list[float]) -> int:
    print(f"dropped {dropped}, noticed {noticed}, peer {peer_noticed}", file=sys.stderr)
    mine, its = dropped["ours"], dropped["peer"]
    write(
        Row(
            question="socket dropped → first tick, worst",
            ours=f"{max(mine):.2f} s (median {statistics.median(mine):.2f}, {len(mine)} drops)",
            peer=f"{max(its):.2f} s (median {statistics.median(its):.2f}), kiteconnect's KiteTicker",
            ratio=max(mine) / max(its),
            asked="≤ 2 s",
            reached=max(mine) <= DROP_ASKED_S,
        )
    )
    silent, beating = noticed["stall"], noticed["heartbeats_only"]
    worst = max(*silent, *beating)
    saw = f"{max(peer_noticed):.1f} s" if peer_noticed else f"never within {NEVER_S:.0f} s"
    write(
        Row(
            question="socket quiet → noticed, worst",
            ours=f"{worst:.2f} s (no byte {max(silent):.2f}, heartbeats alone {max(beating):.2f}; {2 * STALLS} stalls)",
            peer=f"{saw}, kiteconnect's KiteTicker; the ratio is to that",
            ratio=worst / max(peer_noticed, default=NEVER_S),
            asked="≤ 5 s",
            reached=worst <= STALL_ASKED_S,
        )
    )
    return 0 if max(mine) <= DROP_ASKED_S and worst <= STALL_ASKED_S else 1


if __name__ == "__main__":
    sys.exit(main())
