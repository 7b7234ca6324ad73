"""Every port of a desk, derived from its number: two desks never meet, and nothing is left to Ray's own guesses.

Desk 0 has the well-known ones: the page on 8000, Ray's dashboard on 8265, Ray's client server on 10001. Everything
else lies in a block of 200 ports from 24000 on, below Linux's ephemeral ports and above the 23000–23999 that Ray's
client server takes for itself.
"""

import socket
from dataclasses import asdict, dataclass

import psutil

from core.errors import ConfigError

DESKS = 40
_BLOCK = 24_000
_SIZE = 200


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The ports of one desk; every field but the worker range is one TCP port."""

    page: int
    dashboard: int
    client: int
    gcs: int
    node_manager: int
    object_manager: int
    runtime_env_agent: int
    metrics: int
    agent_http: int
    agent_grpc: int
    dashboard_metrics: int
    autoscaler_metrics: int
    postgres: int
    exchange: int
    worker_min: int
    worker_max: int


def ports(desk: int) -> Ports:
    """Derive the ports of desk number `desk`; raises ConfigError outside 0…39."""
    if not 0 <= desk < DESKS:
        raise ConfigError(f"desk: expected 0 … {DESKS - 1}, was {desk}")
    base = _BLOCK + _SIZE * desk
    return Ports(
        page=8000 + desk,
        dashboard=8265 + desk,
        client=10_001 if desk == 0 else base + 10,
        gcs=base,
        node_manager=base + 1,
        object_manager=base + 2,
        runtime_env_agent=base + 3,
        metrics=base + 4,
        agent_http=base + 5,
        agent_grpc=base + 6,
        dashboard_metrics=base + 7,
        autoscaler_metrics=base + 8,
        postgres=base + 9,
        exchange=base + 11,
        worker_min=base + 20,
        worker_max=base + _SIZE - 1,
    )


def in_use(desk: int) -> list[str]:
    """One sentence for each port of the desk that somebody else listens on; empty when it can start."""
    said = []
    for name, port in asdict(ports(desk)).items():
        if name == "worker_max" or not _taken(port):
            continue
        said.append(f"port {port} ({name.replace('_', ' ')}) is in use by {_owner(port)}")
    return said


def require_free(desk: int) -> None:
    """Raise ConfigError naming every port in use and the way out."""
    said = in_use(desk)
    if said:
        free = next((other for other in range(DESKS) if other != desk and not in_use(other)), None)
        way_out = f", or start another desk: --desk {free}" if free is not None else ""
        raise ConfigError(f"desk {desk} cannot start: {'; '.join(said)}. End that program{way_out}")


def listening(port: int) -> bool:
    """True when something on this machine accepts connections on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 bound for an instant, never listened on: Ray binds all addresses
        except OSError:
            return True
    return False


def _owner(port: int) -> str:
    try:
        found = [c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid]
        if found:
            process = psutil.Process(found[0])
            return f"pid {process.pid} ({process.name()})"
    except (psutil.Error, PermissionError):
        pass  # another user's process: its name is not ours to read
    return "another program"
