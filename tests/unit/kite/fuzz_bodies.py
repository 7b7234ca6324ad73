"""Answers a server can give that are not what Kite gives: drawn from sound ones, or from nothing.

A `Reply` is what goes over the wire, down to where it is cut; who judges what a client made of it reads the same one,
never the client's words.
"""

import gzip
import json
import random
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

JSON, HTML, CSV = "application/json", "text/html", "text/csv"
STATUSES = (100, 101, 200, 200, 200, 201, 202, 204, 206, 226, 300, 302, 304, 400, 400, 401, 403, 403, 404, 405, 408,
            409, 410, 418, 428, 429, 429, 451, 500, 500, 502, 503, 504, 520, 599, 999)  # fmt: skip
ERRORS = ("TokenException", "InputException", "GeneralException", "MarginException", "NetworkException",
          "OrderException", "DataException", "PermissionException", "KiteException", "HoldingException", "Exception",
          "__name__", "__builtins__", "", "x", "ModelException")  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 65.5, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 2**31, 2**63, 2**70,
    10**400, "", "x", "0", "-1", "65", "65.0", "nan", "1e5", "None", "\0", "\ud800", "न", "a" * 5000, [], {}, [[]],
    [None], [{}], {"order_id": "7"}, "9999999999999999999", "2026-13-45 99:99:99", "2026-11-20 10:00:00", "BUY", "OPEN",
)  # fmt: skip
PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


@dataclass(frozen=True)
class Reply:
    """`framing`: length, chunked, or none (the end of the connection ends it). `fault` is of the connection."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", JSON),)
    body: bytes = b"{}"
    framing: str = "length"
    fault: str = ""  # cut, longer, trailing, silence, gone, reset, drip, noise

    @property
    def whole(self) -> bool:
        """Whether all of it arrives and its end can be seen."""
        return self.fault in {"", "trailing"} or (self.fault, self.framing) == ("longer", "none")

    def header(self, name: str) -> str:
        """All of that name, as a client reads them."""
        return ", ".join(value for its, value in self.headers if its.lower() == name)


def success(data: Any) -> Reply:
    return Reply(body=_bytes({"status": "success", "data": data}))


def failure(status: int, kind: str, words: str = "?") -> Reply:
    return Reply(status, body=_bytes({"status": "error", "message": words, "data": None, "error_type": kind}))


def csv(text: str) -> Reply:
    return Reply(headers=(("Content-Type", CSV),), body=text.encode())


def malformed(rng: random.Random, sound: Reply) -> Reply:
    """`sound` with one to three things wrong; seldom nothing of it is left."""
    if rng.random() < 0.05:
        return _from_nothing(rng)
    reply = sound
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        reply = rng.choices(
            (_value, _values, _status, _error, _bytes_of, _coding, _kind, _framing, _redirect, _line),
            (8, 6, 5, 3, 5, 4, 3, 3, 1, 1),
        )[0](rng, reply)
    return reply


def _from_nothing(rng: random.Random) -> Reply:
    body = rng.choice(
        (b"", b"null", b"[]", b"7", b'"x"', b"{", PAGE, rng.randbytes(200), b"[" * 100_000, b'{"a":' * 9_999)
    )
    return Reply(rng.choice(STATUSES), (("Content-Type", rng.choice((JSON, HTML, CSV))),), body)


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document, from the top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _document(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _value(rng: random.Random, reply: Reply) -> Reply:
    """Another value at one place, or nothing there, or something beside it."""
    document = _document(reply)
    if not isinstance(document, dict | list):
        return _cell(rng, reply)
    path = rng.choice(_places(document))
    if not path:
        return replace(reply, body=_bytes(rng.choice((*ODD[:20], [document], {"data": document}))))
    at = document
    for key in path[:-1]:
        at = at[key]
    what = rng.randrange(5)
    if what == 0:
        del at[path[-1]]
    elif what == 1 and isinstance(at, dict):
        at[rng.choice(("order_id", "data", "status", "error_type", "tag", "extra", ""))] = rng.choice(ODD)
    elif what == 2:
        at[path[-1]] = [at[path[-1]]]
    else:
        at[path[-1]] = rng.choice(ODD)
    return replace(reply, body=_bytes(document))


def _cell(rng: random.Random, reply: Reply) -> Reply:
    """CSV: another cell in some lines, or one more, or one less, or a line twice."""
    lines = reply.body.decode("latin-1").splitlines()
    if len(lines) < 2:
        return _bytes_of(rng, reply)
    for _ in range(rng.choice((1, 1, 3))):
        at = rng.randrange(len(lines))
        cells, what = lines[at].split(","), rng.randrange(6)
        if what == 0:
            cells.pop(rng.randrange(len(cells)))
        elif what == 1:
            cells.insert(rng.randrange(len(cells) + 1), "1")
        elif what == 2:
            lines.insert(at, lines[at])
            continue
        else:
            cells[rng.randrange(len(cells))] = str(
                rng.choice((*ODD[:9], *ODD[12:22], '"', "26000", "2026-11-23", "NFO"))
            )
        lines[at] = ",".join(cells)
    return replace(reply, body="\n".join(lines).encode("latin-1", "replace"))


def _values(rng: random.Random, reply: Reply) -> Reply:
    """One odd value for every place of a name: a column of another type."""
    document = _document(reply)
    named = [path for path in _places(document) if path and isinstance(path[-1], str)]
    if not named:
        return _bytes_of(rng, reply)
    name, odd = rng.choice(named)[-1], rng.choice(ODD)
    for path in named:
        with suppress(LookupError, TypeError):  # a place that is gone with the one above it
            at = document
            for key in path[:-1]:
                at = at[key]
            if path[-1] == name:
                at[name] = odd
    return replace(reply, body=_bytes(document))


def _status(rng: random.Random, reply: Reply) -> Reply:
    return replace(reply, status=rng.choice(STATUSES))


def _error(rng: random.Random, reply: Reply) -> Reply:
    """The envelope of an error, or a part of it; sometimes in a 200, sometimes with the data of a success."""
    document = _document(reply)
    data = document.get("data") if isinstance(document, dict) else None
    envelope = {"status": rng.choice(("error", "error", "success", "fail", None)), "message": rng.choice(("?", *ODD)),
                "data": rng.choice((None, None, data)), "error_type": rng.choice(ERRORS)}  # fmt: skip
    for name in list(envelope):
        if rng.random() < 0.1:
            del envelope[name]
    headers = (("Content-Type", JSON),)
    return replace(reply, status=rng.choice(STATUSES), body=_bytes(envelope), headers=headers)


def _bytes_of(rng: random.Random, reply: Reply) -> Reply:  # noqa: C901 a list of ways
    """The body's bytes: cut, changed, doubled, replaced."""
    body = bytearray(reply.body)
    what = rng.randrange(9)
    if what == 0:
        del body[rng.randrange(len(body) + 1) :]
    elif what == 1:
        for _ in range(rng.randrange(1, 9)):
            if body:
                body[rng.randrange(len(body))] = rng.randrange(256)
    elif what == 2:
        body += rng.choice((bytes(body), b"}", b"\0", b" ", rng.randbytes(20), b"\n" * 3))
    elif what == 3:
        body[:] = rng.choice((b"", PAGE, b"null", b"instrument_token,exchange", b"OK"))
    elif what == 4:
        body[:] = rng.randbytes(rng.randrange(1, 400))
    elif what == 5:
        body[:0] = rng.choice((b"\xef\xbb\xbf", b")]}',\n", b" " * 2000, b"\0", b"<"))
    elif what == 6 and body[:1] == b"{":
        body[:1] = rng.choice((b'{"status":"error",', b'{"status":"success",', b'{"data":null,', b'{"error_type":"x",'))
    elif what == 7:
        body[:] = body.replace(b'"', b"'")
    else:
        body[:] = body.replace(b":", b":" + rng.choice((b"9" * 5000, b"[" * 5000, b"-", b"NaN,", b" ")), 1)
    return replace(reply, body=bytes(body))


def _coding(rng: random.Random, reply: Reply) -> Reply:
    """Another encoding of the characters or of the bytes, said or not said, true or not."""
    what = rng.randrange(6)
    if what == 0:
        return replace(
            reply, headers=(*reply.headers, ("Content-Encoding", rng.choice(("gzip", "deflate", "br", "x"))))
        )
    if what == 1:
        return replace(reply, body=gzip.compress(reply.body, mtime=0))
    if what == 2:
        packed = gzip.compress(reply.body, mtime=0)
        cut = rng.choice((len(packed), len(packed) - 4, len(packed) // 2))
        return replace(reply, body=packed[:cut], headers=(*reply.headers, ("Content-Encoding", "gzip")))
    if what == 3:
        text = reply.body.decode(errors="replace")
        return replace(
            reply, body=text.encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037")), "replace")
        )
    names = ("utf-16", "ascii", "nonsense", "", "x\0y", "utf-7", "idna", "rot13")
    kind = f"{reply.header('content-type')}; charset={rng.choice(names)}".replace("\0", "%00")
    return replace(reply, headers=(("Content-Type", kind),))


def _kind(rng: random.Random, reply: Reply) -> Reply:
    """Another Content-Type, two of them, or none."""
    kind = rng.choice((HTML, CSV, JSON, "text/plain", "application/jsonp", "image/png", "", "json", "x" * 300))
    headers = (("Content-Type", kind),)
    return replace(reply, headers=rng.choice((headers, headers, (*reply.headers, *headers), ())))


def _framing(rng: random.Random, reply: Reply) -> Reply:
    """Where the answer ends: in the middle, never, or before it begins."""
    fault = rng.choices(
        ("", "cut", "longer", "gone", "reset", "noise", "trailing", "silence", "drip"), (4, 5, 3, 2, 2, 2, 2, 0.3, 0.1)
    )[0]
    return replace(reply, framing=rng.choice(("length", "chunked", "none")), fault=fault)


def _redirect(rng: random.Random, reply: Reply) -> Reply:
    where = rng.choice(("/orders/regular", "/", "", "http://127.0.0.1:1/x", "http://[", "//", "\u00e9", "http://x\\y"))
    headers = (*reply.headers, ("Location", where))
    return replace(reply, status=rng.choice((301, 302, 303, 307, 308)), headers=headers)


def _line(rng: random.Random, reply: Reply) -> Reply:
    """Odd headers."""
    many = tuple((f"X-{n}", "1") for n in range(120))
    odd = rng.choice(((("X-Long", "x" * 70_000),), many, (("Set-Cookie", "a=\xff"),),
                      (("Content-Length", "-5"),), (("Content-Length", "many"),), (("Connection", "close"),),
                      (("Transfer-Encoding", "odd"),), (("X Y", ": :"),)))  # fmt: skip
    return replace(reply, headers=(*reply.headers, *odd))
