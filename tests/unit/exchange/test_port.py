"""`vikalp exchange` on a port that somebody has: what to do, not a number of the system's."""

import socket

from tests.unit.cli.fake_world import Place
from tests.unit.cli.test_commands import vikalp


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = vikalp(Place(), "exchange", "--port", str(port), "--date", "2026-11-23")

    assert done.exit_code == 2
    assert done.stderr == (
        f"error: port {port} of 127.0.0.1 is in use, perhaps by another exchange: end what listens there, or take "
        "another port with --port, 0 for any\n"
    )
