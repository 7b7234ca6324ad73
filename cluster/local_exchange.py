"""The desk's own exchange: one process of the host's, whose clock is the desk's.

`python -m cluster.local_exchange FILE` runs it; `vikalp exchange` is the same server alone. Its orders are in its
memory, as a broker's are nobody else's: if it dies, the desk ends. The process imports the exchange and no desk:
without Ray, the ledger's driver and the actors it takes 30 MB less and listens half a second earlier.
"""

# A desk is of the host alone.
# ruff: noqa: PLC0415

import errno
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from cluster.ports import listening, ports
from cluster.state import ROOT, write_private
from core.errors import ConfigError, DeskError
from core.market.overlay import use, use_dump
from exchange.server.app import build
from exchange.world import World, WorldConfig

if TYPE_CHECKING:
    from cluster.desk import Desk

PROGRAM = (sys.executable, "-m", "cluster.local_exchange")
END_S = 5.0


class LocalExchange:
    """The process, seen from the host."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder, self._env = folder, env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def start(self, desk: "Desk") -> None:
        """Returns at once, before it listens."""
        file = self._folder / "exchange.pickle"
        write_private(file, "")
        file.write_bytes(pickle.dumps((config_of(desk), ports(desk.desk).exchange, desk.facts, desk.dump)))
        with (self._folder / "exchange.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, str(file)], cwd=ROOT, env=dict(self._env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def require(self) -> None:
        """Raises DeskError once it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise DeskError(
                f"the local exchange ended with code {self._process.returncode}, and its orders with it; see "
                f"{self._folder / 'exchange.log'}"
            )

    def end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def until_it_listens(port: int, within_s: float) -> None:
    """Raises DeskError when it does not."""
    deadline = time.monotonic() + within_s
    while not listening(port):
        if time.monotonic() > deadline:
            raise DeskError(f"the local exchange did not listen on {port} within {within_s:g} s; see exchange.log")
        time.sleep(0.05)


def world_of(desk: "Desk") -> World:
    """The market of a simulated desk."""
    return World(config_of(desk))


def config_of(desk: "Desk") -> WorldConfig:
    """Its session, its clock, which stands still from the close on."""
    from cluster.desk import simulated

    session, market = simulated(desk), desk.settings.market
    return WorldConfig(
        seed=market.seed,
        date=session.date,
        speed=market.speed,
        opens_wall_ns=session.anchor_wall_ns,
        one_day=True,
        indices=desk.settings.indices,
        ticks_per_second=market.ticks_per_second,
        strikes_each_side=market.strikes,
    )


def about(world: World, port: int) -> str:
    """What runs there, with the seed that would run it again."""
    run = f"{len(world.day.listing)} instruments, speed {world.config.speed:g}, seed {world.config.seed}"
    return f"exchange of {world.day.date} at http://127.0.0.1:{port}: {world.day.market}; {run}"


def serve(world: World, port: int, tell: Callable[[int], None]) -> None:
    """Until a signal; `tell` hears the port once it is ours, another than `port` if that is 0."""
    config = uvicorn.Config(
        build(world), host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio",
        ws_per_message_deflate=False,
    )  # fmt: skip
    bound = _bound(port)
    tell(bound.getsockname()[1])
    uvicorn.Server(config).run(sockets=[bound])


def _bound(port: int) -> socket.socket:
    """Listening on this machine alone; ConfigError, which says what to do, for a port that cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        why = "is in use, perhaps by another exchange" if error.errno == errno.EADDRINUSE else f"{error.strerror}"
        raise ConfigError(
            f"port {port} of 127.0.0.1 {why}: end what listens there, or take another port with --port, 0 for any"
        ) from error
    return listener


def main() -> int:
    file = Path(sys.argv[1])
    config, port, facts, dump = pickle.loads(file.read_bytes())  # noqa: S301 our host wrote it, mode 600
    file.unlink()
    use(facts)
    use_dump(dump)
    world = World(config)
    serve(world, port, lambda bound: print(about(world, bound), flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
