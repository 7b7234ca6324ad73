"""The access token is in the address of the socket: who gets to see it."""

import datetime as dt
import ipaddress
import logging
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from brokers.kite.stream import State, Stream
from tests.unit.kite.sockets import Got, Server, config, drop, play, stall, steady, until


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for 127.0.0.1, and the file that makes a client trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "public.pem", folder / "private.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public


def test_a_server_that_cannot_prove_who_it_is_never_sees_the_token(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    server = Server(steady)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.whys(State.WAITING)) > 1)

    _, got = play(server, scene, tls=context)

    assert not server.paths
    assert "CERTIFICATE_VERIFY_FAILED" in got.whys(State.WAITING)[0]


def test_a_server_that_can_is_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: bool(got.frames))

    play(Server(steady), scene, tls=context)


@pytest.mark.parametrize(
    "root",
    ["ws://ws.kite.trade", "http://127.0.0.1", "wss://", "ws://127.0.0.1.evil.in", "x", "wss://a#b", "wss://a?b"],
)
def test_the_token_is_not_sent_in_the_clear(root: str) -> None:
    with pytest.raises(ValidationError, match="root is wss://host"):
        config(root)


def test_the_token_is_in_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(drop, stall, steady)

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: stream.counts().get("connections") == 3)

    _, got = play(server, scene)

    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert "access_token=" not in "".join([*ours, *(why for _, why in got.states)])
    assert any("access_token=" in record.getMessage() for record in caplog.records), "the server's own log has it"


def test_a_redirect_is_not_followed_with_the_token() -> None:
    server = Server(steady)

    def admit(connection: ServerConnection, request: Request) -> Response:
        server.paths.append(request.path)
        answer = connection.respond(302, "")
        answer.headers["Location"] = "/elsewhere"
        return answer

    server.admit = admit  # type: ignore[method-assign]

    async def scene(stream: Stream, got: Got) -> None:
        await until(lambda: len(got.whys(State.WAITING)) > 1)

    _, got = play(server, scene)

    assert all(urlsplit(path).path == "/" for path in server.paths)
    assert "HTTP 302" in got.whys(State.WAITING)[0]
