"""Does the local exchange on one core publish 9,000 instruments at one update a second, full mode, on three sockets?

The exchange is the server that `vikalp exchange` and a desk run, in a process of its own on one core, with strikes
enough for 9,000 instruments and Kite's limits (3,000 tokens a socket, 3 sockets). One process on the other core has the
three sockets and decodes every packet. After some seconds 30 whole seconds of market time are counted: an update is
lost where an instrument has no packet with the exchange time of one of those seconds. Near options move oftener.

The age of a frame is from the market time of its quotes to its arrival. A packet's time is whole seconds, but quotes
come every 100 ms, so the k-th frame of a second is taken to be of the k-th tenth: where the exchange put two tenths
into one frame, the frame is called older than it is.

Peer, in the same run, on the same core with the same receiver: a bare server of the websockets package that sends
frames recorded from the exchange, ten a second. It draws no market and encodes nothing; the ratio is of core time.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from kiteconnect import KiteConnect
from numpy.typing import NDArray
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.table import Row, write
from brokers.kite.login import request_token_of
from core.kite import decode, warm
from core.market import session, to_ns

INSTRUMENTS, SOCKETS = 9_000, 3
STRIKES = 140  # each side: five indices then list 9,013 instruments
TICKS = 3_050  # a second and index: near options ten times a second, far ones once
DATE = dt.date(2026, 11, 20)
SETTLE_S, MEASURE_S = 5, 30
OLD_S = 600  # of the day, when it is measured
SECOND = 1_000_000_000
EXCHANGE_CORE, OUR_CORE = 0, 1
Ints = NDArray[np.int64]


class Heard(NamedTuple):
    """What one socket got: arrival (UTC ns) and bytes of each frame, and how it ended before its time, if it did."""

    at_ns: list[int]
    frames: list[bytes]
    ended: str


class Count(NamedTuple):
    packets: int
    lost: int
    slowest: float  # updates a second of the instrument with fewest
    ages_ms: Ints


def main() -> int:
    role, *arguments = sys.argv[1:] or ["measure"]
    return {"measure": _measure, "exchange": _exchange, "peer": _peer, "receive": _receive}[role](*arguments)


def _exchange(opens_wall_ns: str) -> int:
    """The server's process: says its port."""
    from cluster.local_exchange import serve as serve_world  # noqa: PLC0415 of this process alone
    from exchange.world import World, WorldConfig  # noqa: PLC0415

    config = WorldConfig(
        date=DATE, opens_wall_ns=int(opens_wall_ns), strikes_each_side=STRIKES, ticks_per_second=TICKS, one_day=True
    )
    serve_world(World(config), 0, lambda port: print(port, flush=True))
    return 0


def _peer(recorded: str) -> int:
    """The peer's process: the frames of each socket over and over, ten a second; says its port."""
    frames: list[list[bytes]] = pickle.loads(Path(recorded).read_bytes())
    free = iter(frames)

    async def send(connection: ServerConnection) -> None:
        mine, turn, began = next(free), 0, time.monotonic()
        async for _ in connection:  # what it subscribes to
            break
        while True:
            await connection.send(mine[turn % len(mine)])
            turn += 1
            await asyncio.sleep(max(0.0, began + turn / 10 - time.monotonic()))

    async def run() -> None:
        async with serve(send, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            print(next(iter(server.sockets)).getsockname()[1], flush=True)
            await asyncio.get_running_loop().create_future()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
    return 0


def _receive(url: str, asked: str, seconds: str, out: str) -> int:
    """The receiver's process: three sockets, each packet decoded as it comes."""
    tokens: list[list[int]] = json.loads(Path(asked).read_text())

    async def hear(mine: list[int]) -> Heard:
        at_ns, frames, until = [], [], time.monotonic() + float(seconds)
        async with connect(url, compression=None, max_size=None, ping_interval=None) as socket:
            await socket.send(json.dumps({"a": "mode", "v": ["full", mine]}))
            while (left := until - time.monotonic()) > 0:
                try:
                    frame = await asyncio.wait_for(socket.recv(), left)
                except TimeoutError:
                    break
                except OSError as error:
                    return Heard(at_ns, frames, str(error))
                at_ns.append(time.time_ns())
                assert isinstance(frame, bytes)
                assert not decode(frame).refused
                frames.append(frame)
        return Heard(at_ns, frames, "")

    async def run() -> list[Heard]:
        return await asyncio.gather(*(hear(mine) for mine in tokens))

    warm()
    Path(out).write_bytes(pickle.dumps(asyncio.run(run())))
    return 0


def _measure() -> int:
    hours = session("NSE", DATE)
    assert hours is not None
    open_ns, opened_wall_ns = to_ns(hours.open), (time.time_ns() // SECOND - OLD_S) * SECOND
    with tempfile.TemporaryDirectory() as folder:
        with _process(Path(folder), EXCHANGE_CORE, "exchange", str(opened_wall_ns)) as (exchange, port):
            tokens, url = _log_in(port)
            heard, busy = _hear(Path(folder), exchange, url, tokens)
        count = _counted(heard, tokens, open_ns - opened_wall_ns)
        recorded = Path(folder) / "recorded"
        recorded.write_bytes(pickle.dumps([one.frames[-10:] for one in heard]))
        with _process(Path(folder), EXCHANGE_CORE, "peer", str(recorded)) as (peer, port):
            played, bare = _hear(Path(folder), peer, f"ws://127.0.0.1:{port}", tokens)
    ended = [one.ended for one in heard if one.ended]
    p50, p99 = np.percentile(count.ages_ms, [50, 99])
    rate, peers = count.packets / MEASURE_S, sum(map(_packets, played)) / (MEASURE_S + SETTLE_S)
    print(f"age p50 {p50:.0f} ms, worst {count.ages_ms.max():.0f} ms; sockets ended {ended}; the peer {peers:.0f} "
          "packets/s", file=sys.stderr)  # fmt: skip
    reached = count.lost == 0 and not ended and count.slowest >= 1.0
    write(
        Row(
            question="the exchange on one core publishes 9,000 instruments, full mode, three sockets",
            ours=f"{rate:.0f} packets/s, each instrument {count.slowest:.2f}/s or more, {count.lost} updates lost, "
            f"frame age p99 {p99:.0f} ms, {busy:.1%} of the core",
            peer=f"{bare:.1%} of the core, a bare websockets server that sends {peers:.0f} recorded packets/s",
            ratio=busy / bare,
            asked="1 update a second each, no loss",
            reached=reached,
        )
    )
    return 0 if reached else 1


@contextlib.contextmanager
def _process(folder: Path, core: int, *role: str) -> Iterator[tuple[psutil.Process, str]]:
    """One of our roles on one core, and the port it says; ended with the block."""
    with (folder / role[0]).open("wb") as log:
        own = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.exchange_publish", *role], stdout=subprocess.PIPE, stderr=log, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, _core(core)),  # noqa: PLW1509 one thread, and nothing but this
        )  # fmt: skip
        try:
            assert own.stdout is not None
            port = own.stdout.readline().strip()
            if not port:
                raise RuntimeError((folder / role[0]).read_text())
            yield psutil.Process(own.pid), port
        finally:
            own.terminate()
            own.wait()


def _core(wanted: int) -> set[int]:
    """One of the cores this process may use: the first, or the last."""
    mine = sorted(os.sched_getaffinity(0))
    return {mine[0] if wanted == EXCHANGE_CORE else mine[-1]}


def _log_in(port: str) -> tuple[list[list[int]], str]:
    """The tokens of each socket, and the address of all three."""
    root = f"http://127.0.0.1:{port}"
    kite = KiteConnect("vikalp", root=root)
    page = f"{root}/connect/login?v=3&api_key=vikalp"
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = kite.reqsession.get(page, allow_redirects=False, timeout=5)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    request_token = request_token_of(answer.headers["location"].partition("?")[2])
    token = kite.generate_session(request_token, "vikalp")["access_token"]
    kite.set_access_token(token)
    listed = [row["instrument_token"] for row in kite.instruments()]
    if len(listed) < INSTRUMENTS:
        raise RuntimeError(f"the exchange lists {len(listed)} instruments, {INSTRUMENTS} are asked for")
    tokens = [listed[at:INSTRUMENTS:SOCKETS] for at in range(SOCKETS)]
    return tokens, f"ws://127.0.0.1:{port}/?api_key=vikalp&access_token={token}"


def _hear(folder: Path, server: psutil.Process, url: str, tokens: list[list[int]]) -> tuple[list[Heard], float]:
    """What the three sockets get of `server`, and the share of its core it takes for it."""
    asked, out, seconds = folder / "asked", folder / "heard", SETTLE_S + MEASURE_S
    asked.write_text(json.dumps(tokens))
    command = [sys.executable, "-m", "benchmarks.exchange_publish", "receive", url, str(asked), str(seconds), str(out)]
    receiver = subprocess.Popen(command)
    os.sched_setaffinity(receiver.pid, _core(OUR_CORE))
    time.sleep(SETTLE_S)
    began, before = time.monotonic(), sum(server.cpu_times()[:2])
    time.sleep(MEASURE_S - SETTLE_S)  # the receiver was a while starting: all of this it listens
    busy = (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began)
    if receiver.wait():
        raise RuntimeError("the receiver ended with an error; its words are above")
    heard: list[Heard] = pickle.loads(out.read_bytes())
    return heard, busy


def _packets(heard: Heard) -> int:
    return sum(len(decode(frame).packets) for frame in heard.frames)


def _counted(heard: list[Heard], tokens: list[list[int]], ahead_ns: int) -> Count:
    """Of the last MEASURE_S whole seconds but one of market time; `ahead_ns` is market time less the wall's."""
    end_s = (min(one.at_ns[-1] for one in heard) + ahead_ns) // SECOND - 1
    first_s = end_s - MEASURE_S
    packets, lost, fewest, ages = 0, 0, MEASURE_S * 100, []
    for one, mine in zip(heard, tokens, strict=True):
        row = {token: at for at, token in enumerate(mine)}
        seen = np.zeros((len(mine), MEASURE_S), np.int64)
        last_s, tenth = 0, 0
        for at_ns, frame in zip(one.at_ns, one.frames, strict=True):
            got = decode(frame).packets
            seconds = got.exchange_ns // SECOND
            newest = int(seconds.max(initial=0))
            tenth = tenth + 1 if newest == last_s else 0
            last_s = max(newest, last_s)
            inside = (seconds >= first_s) & (seconds < end_s)
            rows = np.array([row[token] for token in got.token[inside].tolist()], np.int64)
            np.add.at(seen, (rows, seconds[inside] - first_s), 1)
            if first_s <= newest < end_s:
                ages.append((at_ns + ahead_ns - newest * SECOND - tenth * SECOND // 10) / 1e6)
        packets += int(seen.sum())
        lost += int((seen == 0).sum())
        fewest = min(fewest, int(seen.sum(axis=1).min()))
    return Count(packets, lost, fewest / MEASURE_S, np.array(ages))


if __name__ == "__main__":
    sys.exit(main())
