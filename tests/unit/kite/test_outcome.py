"""Each answer a server can give, through the unmodified client, and what the desk may conclude from it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException, TokenException
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError, ProxyError

from brokers.kite.outcome import MOST_WORDS, Cause, Outcome, careful, judge, send
from core.errors import ConfigError

ORDER = {"variety": "regular", "exchange": "NFO", "tradingsymbol": "NIFTY26NOV26000CE", "transaction_type": "BUY",
         "quantity": 65, "product": "NRML", "order_type": "LIMIT", "price": 101.5, "tag": "T"}  # fmt: skip
PATIENCE_S = 0.3  # of the client
JSON = "application/json"
HTML = "<html><body>502 Bad Gateway</body></html>"


def error(kind: str | None, words: str) -> str:
    """Kite's envelope; without a kind, the field is missing."""
    return json.dumps({"status": "error", "message": words, "data": None} | ({"error_type": kind} if kind else {}))


class Handler(BaseHTTPRequestHandler):
    """Answers as its server is told; an action instead of a status does something else to the connection."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.requests.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, kind, body = server.reply
        if status == "silence":
            server.over.wait(10)
        if not isinstance(status, int):
            self.close_connection = True
            if status == "half":
                head = "Content-Type: application/json\r\nContent-Length: 99"
                self.wfile.write(f"HTTP/1.1 {body or '200 OK'}\r\n{head}\r\n\r\n{{".encode())
            return
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status == 307:
            self.send_header("Location", self.path)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        self.headers["Content-Length"] = "0"
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as in the library
        pass


@contextmanager
def kite(status: int | str, kind: str = JSON, body: str = "") -> Iterator[tuple[KiteConnect, list[str]]]:
    """The client against a server that always answers so, and the bodies it received."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.reply, server.requests, server.over = (status, kind, body), [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        root = f"http://127.0.0.1:{server.server_port}"
        client = KiteConnect(api_key="key", access_token="token", root=root, timeout=PATIENCE_S)
        yield careful(client), server.requests
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


ACCEPTED = json.dumps({"status": "success", "data": {"order_id": "1953341975595868160"}})
TABLE: dict[str, tuple[tuple[Any, ...], str, Cause, str]] = {
    "accepted": ((200, JSON, ACCEPTED), "ACK", Cause.ACCEPTED, ""),
    "token": ((403, JSON, error("TokenException", "Incorrect `api_key` or `access_token`.")),
              "REFUSED", Cause.LOGIN, "Incorrect `api_key` or `access_token`."),
    "margin": ((400, JSON, error("MarginException", "Insufficient funds.")),
               "REFUSED", Cause.INVALID, "Insufficient funds."),
    "input": ((400, JSON, error("InputException", "Invalid `quantity`.")),
              "REFUSED", Cause.INVALID, "Invalid `quantity`."),
    "429": ((429, JSON, error("NetworkException", "Too many requests")), "REFUSED", Cause.RATE, "Too many requests"),
    "429 of one order": ((429, JSON, error("NetworkException", "Maximum allowed order modifications exceeded.")),
                         "REFUSED", Cause.INVALID, "Maximum allowed order modifications exceeded."),
    "being processed": ((400, JSON, error("InputException", "Order cannot be modified as it is being processed")),
                        "REFUSED", Cause.INVALID, "Order cannot be modified"),
    "oms down": ((503, JSON, error("NetworkException", "Gateway timed out")),
                 "UNKNOWN", Cause.UNSURE, "NetworkException 503: Gateway timed out"),
    "order 500": ((500, JSON, error("OrderException", "?")), "UNKNOWN", Cause.UNSURE, "OrderException 500: ?"),
    "general 500": ((500, JSON, error("GeneralException", "?")), "UNKNOWN", Cause.UNSURE, "GeneralException 500: ?"),
    "input 500": ((500, JSON, error("InputException", "?")), "UNKNOWN", Cause.UNSURE, "InputException 500: ?"),
    "network 400": ((400, JSON, error("NetworkException", "Maximum allowed order modifications exceeded.")),
                    "UNKNOWN", Cause.UNSURE, "NetworkException 400: Maximum"),
    "order 400": ((400, JSON, error("OrderException", "?")), "UNKNOWN", Cause.UNSURE, "OrderException 400: ?"),
    "permission": ((403, JSON, error("PermissionException", "?")), "UNKNOWN", Cause.UNSURE, "PermissionException 403"),
    "token 500": ((500, JSON, error("TokenException", "?")), "UNKNOWN", Cause.UNSURE, "TokenException 500: ?"),
    "error in a 200": ((200, JSON, error("InputException", "?")), "UNKNOWN", Cause.UNSURE, "InputException 200: ?"),
    "no error_type": ((400, JSON, error(None, "?")), "UNKNOWN", Cause.UNSURE, "TypeError: "),
    "html 502": ((502, "text/html", HTML), "UNKNOWN", Cause.UNSURE, "DataException 502: Unknown Content-Type"),
    "html 403": ((403, "text/html", HTML), "UNKNOWN", Cause.UNSURE, "DataException 502: Unknown Content-Type"),
    "html 429": ((429, "text/html", HTML), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "empty 429": ((429, "", ""), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "csv 429": ((429, "text/csv", "a,b"), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "no json 429": ((429, JSON, "{"), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "no envelope 429": ((429, JSON, "[]"), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "no error_type 429": ((429, JSON, error(None, "?")), "UNKNOWN", Cause.RATE, "TooMany: too many requests"),
    "no name 429": ((429, JSON, error("__name__", "?")), "UNKNOWN", Cause.RATE, "TooMany: too many requests"),
    "accepted 429": ((429, JSON, ACCEPTED), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "half a 429": (("half", JSON, "429 Slow"), "UNKNOWN", Cause.RATE, "TooMany: too many requests (HTTP 429)"),
    "a long page": ((502, "text/html", HTML * 99), "UNKNOWN", Cause.UNSURE, "DataException 502: Unknown Content-Type"),
    "no content type": ((200, "", ACCEPTED), "UNKNOWN", Cause.UNSURE, "KeyError: 'content-type'"),
    "csv": ((200, "text/csv", "a,b"), "UNKNOWN", Cause.UNSURE, "TypeError: "),
    "no json": ((200, JSON, "{"), "UNKNOWN", Cause.UNSURE, "DataException 502: Couldn't parse"),
    "no object": ((200, JSON, "[]"), "UNKNOWN", Cause.UNSURE, "AttributeError: "),
    "no data": ((200, JSON, '{"status":"success","data":null}'), "UNKNOWN", Cause.UNSURE, "TypeError: "),
    "no id": ((200, JSON, '{"status":"success","data":{}}'), "UNKNOWN", Cause.UNSURE, "KeyError: 'order_id'"),
    "an empty id": ((200, JSON, '{"status":"success","data":{"order_id":""}}'),
                    "UNKNOWN", Cause.UNSURE, "Kite accepted, and gave ''"),
    "a number": ((200, JSON, '{"status":"success","data":{"order_id":7}}'),
                 "UNKNOWN", Cause.UNSURE, "Kite accepted, and gave 7"),
    "timeout": (("silence",), "UNKNOWN", Cause.UNSURE, "ReadTimeout: "),
    "hung up": (("gone",), "UNKNOWN", Cause.UNSURE, "ConnectionError: "),
    "half an answer": (("half",), "UNKNOWN", Cause.UNSURE, "ChunkedEncodingError: "),
    "a redirect": ((307, JSON, ""), "UNKNOWN", Cause.UNSURE, "TooManyRedirects: "),
}  # fmt: skip


@pytest.mark.parametrize(("reply", "kind", "cause", "words"), TABLE.values(), ids=TABLE)
def test_an_answer_is_judged_and_the_order_sent_once(
    reply: tuple[Any, ...], kind: str, cause: Cause, words: str
) -> None:
    with kite(*reply) as (client, received):
        got = send(lambda: client.place_order(**ORDER))

    assert (got.answer.kind, got.cause) == (kind, cause)
    passing = cause == Cause.RATE or "being processed" in got.answer.message
    assert got.answer.again == (kind == "REFUSED" and passing)
    assert got.answer.message.startswith(words)
    assert len(got.answer.message) <= MOST_WORDS
    assert got.answer.broker_id == ("1953341975595868160" if kind == "ACK" else "")
    assert len(received) == 1
    assert "tradingsymbol=NIFTY26NOV26000CE" in received[0]


def test_nobody_listening_means_nothing_was_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        root = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = careful(KiteConnect(api_key="key", access_token="token", root=root, timeout=PATIENCE_S))
        got = send(lambda: client.place_order(**ORDER))

    assert (got.answer.kind, got.cause) == ("REFUSED", Cause.NOT_SENT)


def test_a_list_that_is_null_is_unknown_too() -> None:
    """The client itself falls over it."""
    with kite(200, JSON, '{"status":"success","data":null}') as (client, _):
        got = send(client.orders)

    assert got.answer.message.startswith("UnboundLocalError")


def test_a_dead_token_also_calls_the_clients_hook() -> None:
    heard: list[str] = []
    with kite(403, JSON, error("TokenException", "expired")) as (client, _):
        client.set_session_expiry_hook(lambda: heard.append("dead"))
        assert send(lambda: client.place_order(**ORDER)).cause is Cause.LOGIN

    assert heard == ["dead"]


LINE = HTTPConnection("kite")
NEW = NewConnectionError(LINE, "refused")
RAW: dict[str, tuple[Exception, Cause]] = {
    "connect timeout": (requests.ConnectTimeout(MaxRetryError(None, "/", ConnectTimeoutError())), Cause.NOT_SENT),
    "no such host": (
        requests.ConnectionError(MaxRetryError(None, "/", NameResolutionError("kite", LINE, socket.gaierror()))),
        Cause.NOT_SENT,
    ),
    "proxy": (requests.exceptions.ProxyError(MaxRetryError(None, "/", ProxyError("?", NEW))), Cause.UNSURE),
    "tls": (requests.exceptions.SSLError(MaxRetryError(None, "/", NEW)), Cause.UNSURE),
    "read timeout": (requests.ReadTimeout(), Cause.UNSURE),
    "any timeout": (requests.Timeout(), Cause.UNSURE),
    "no reason": (requests.ConnectionError(), Cause.UNSURE),
    "reset": (requests.ConnectionError(ConnectionResetError(104, "reset by peer")), Cause.UNSURE),
    "a subclass nobody knows": (type("Newer", (TokenException,), {})("?"), Cause.UNSURE),
    "kite's base": (KiteException("?", code=400), Cause.UNSURE),
    "our own bug": (ZeroDivisionError(), Cause.UNSURE),
}


@pytest.mark.parametrize(("raised", "cause"), RAW.values(), ids=RAW)
def test_an_exception_no_server_makes_is_judged(raised: Exception, cause: Cause) -> None:
    got = judge(raised)

    assert got.cause is cause
    assert got.answer.kind == ("REFUSED" if cause is Cause.NOT_SENT else "UNKNOWN")


@pytest.mark.parametrize(
    "made", [{"pool": {"max_retries": 1}}, {"disable_ssl": True}, {"debug": True}], ids=["retries", "tls", "debug"]
)
def test_a_client_that_is_not_careful_is_refused(made: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        careful(KiteConnect(api_key="key", **made))


def test_a_wish_to_stop_is_not_an_answer() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(stop)


def test_an_outcome_can_travel() -> None:
    import pickle  # noqa: PLC0415 only here

    got: Outcome = judge(requests.ReadTimeout())

    assert pickle.loads(pickle.dumps(got)) == got
