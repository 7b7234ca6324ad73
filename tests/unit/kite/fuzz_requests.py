"""Requests that a client of Kite does not send, drawn from sound ones of every route of the exchange."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from exchange.faults import Fault
from exchange.listing import Instrument
from tests.unit.kite.fuzz_bodies import ODD

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "BREW")
TEXTS = ("", " ", "0", "-1", "1", "65", "1e9", "1e400", "nan", "sNaN", "-inf", "0x10", "٣", "²", "1_000", "65.0",
         "0.05", "0.001", "9" * 12, "9" * 13, "9" * 5000, "BUY", "None", "null", "true", "\0", "\n", "न", "\ud800",
         "a" * 3000,
         "%", "%zz", "%ff", "&", "=", ";", "../..", "[]", "{}", "[[", '{"a":1}', "2026-02-30", "9999-12-31 23:59:59",
         "0001-01-01", "2026-11-20 09:15:00", "2500-01-01", "regular", "iceberg", "bo", "INDICES",
         "NSE:NIFTY 50")  # fmt: skip
HEADERS = ("Bearer x", "token", "token ", "token :", "token vikalp", "token vikalp:", "token vikalp:x", "token x:y:z",
           "Token vikalp:x", "token\tvikalp:x", "token " + "x" * 9000, "token vikalp:\xff", "",
           "Basic dmlrYWxw")  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request; `auth` is a whole header, None for none."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] | None = None
    body: bytes | None = None  # instead of a form
    auth: str | None = None
    kind: str = FORM
    raw_query: bytes | None = None

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        return urlencode(self.form, errors="surrogatepass").encode() if self.form is not None else b""

    def query_string(self) -> bytes:
        if self.raw_query is not None:
            return self.raw_query
        return urlencode(self.query, errors="surrogatepass").encode()


def sound(rng: random.Random, auth: str, one: Instrument, price: float, order_ids: list[str]) -> Asked:
    """A request that the exchange takes, of any of its routes; `one` trades at about `price`."""
    order = {"exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": rng.choice(("BUY", "SELL")),
             "quantity": str(one.lot * rng.choice((1, 2, 40))), "product": rng.choice(("NRML", "MIS")),
             "order_type": rng.choice(("LIMIT", "LIMIT", "SL", "MARKET")), "price": f"{price * 0.5 // 0.05 * 0.05:.2f}",
             "trigger_price": f"{price * 0.6 // 0.05 * 0.05:.2f}", "validity": rng.choice(("DAY", "IOC", "TTL")),
             "validity_ttl": "5", "market_protection": "-1", "tag": "FUZZ", "disclosed_quantity": "0",
             "iceberg_legs": "2", "iceberg_quantity": str(one.lot),
             "autoslice": rng.choice(("true", "false"))}  # fmt: skip
    legs = [{**order, "order_type": "LIMIT", "product": "NRML", "quantity": one.lot, "price": price}]
    condition = {"exchange": one.exchange, "tradingsymbol": one.symbol, "trigger_values": [round(price / 2)],
                 "last_price": price}  # fmt: skip
    gtt = {"type": "single", "condition": json.dumps(condition), "orders": json.dumps(legs)}
    which = rng.choice((*order_ids[-20:], "1", "100001"))
    key = f"{one.exchange}:{one.symbol}"
    candles = f"/instruments/historical/{one.token}/{rng.choice(('minute', '60minute', 'day'))}"
    made: Mapping[str, Callable[[], Asked]] = {
        "place": lambda: Asked("POST", f"/orders/{rng.choice(('regular', 'amo', 'iceberg'))}", form=_pairs(order)),
        "modify": lambda: Asked("PUT", f"/orders/regular/{which}", form=_pairs(order)),
        "cancel": lambda: Asked("DELETE", f"/orders/regular/{which}", (("parent_order_id", "1"),)),
        "read": lambda: Asked("GET", rng.choice(("/orders", f"/orders/{which}", f"/orders/{which}/trades", "/trades",
                                                 "/portfolio/positions", "/portfolio/holdings", "/user/profile",
                                                 "/user/margins", "/user/margins/equity", "/gtt/triggers",
                                                 "/instruments", f"/gtt/triggers/{which}", "/instruments/NFO",
                                                 "/admin"))),
        "convert": lambda: Asked("PUT", "/portfolio/positions", form=_pairs(
            {**order, "position_type": "day", "old_product": "NRML", "new_product": "MIS"})),
        "margins": lambda: Asked("POST", rng.choice(("/margins/orders", "/margins/basket", "/charges/orders")),
                                 (("consider_positions", "True"), ("mode", "compact")),
                                 body=json.dumps([{**order, "average_price": price, "variety": "regular"}]).encode(),
                                 kind=JSON),
        "place gtt": lambda: Asked("POST", "/gtt/triggers", form=_pairs(gtt)),
        "modify gtt": lambda: Asked("PUT", f"/gtt/triggers/{which}", form=_pairs(gtt)),
        "delete gtt": lambda: Asked("DELETE", f"/gtt/triggers/{which}"),
        "quote": lambda: Asked("GET", rng.choice(("/quote", "/quote/ohlc", "/quote/ltp")),
                               (("i", key), ("i", str(one.token)), ("i", "NSE:NIFTY 50"))),
        "history": lambda: Asked("GET", candles, (("from", "2026-11-20 09:15:00"), ("to", "2026-11-20 09:30:00"),
        ("oi", "1"))),
        "login": lambda: Asked(rng.choice(("GET", "POST")), "/connect/login",
                               (("v", "3"), ("api_key", "vikalp"), ("redirect_params", "state=x"))),
        "session": lambda: Asked("POST", rng.choice(("/session/token", "/session/refresh_token")), form=_pairs(
            {"api_key": "vikalp", "request_token": "R" * 32, "checksum": "c" * 64})),
        "logout": lambda: Asked("DELETE", "/session/token", (("api_key", "vikalp"), ("access_token", "x" * 32))),
        "fault": lambda: Asked(rng.choice(("POST", "DELETE")), f"/admin/faults/{rng.choice(list(Fault))}",
                               form=_pairs({"seconds": "0.001", "uses": "1"})),
    }  # fmt: skip
    weights = (30, 10, 6, 10, 5, 12, 10, 4, 2, 8, 5, 3, 4, 2, 3)
    (name,) = rng.choices(list(made), weights)
    return replace(made[name](), auth=auth)


def _pairs(form: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in form.items())


def malformed(rng: random.Random, asked: Asked) -> Asked:
    """`asked` with one to three things wrong."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        asked = rng.choices((_field, _body, _query, _path, _method, _auth, _kind), (10, 6, 4, 4, 1, 2, 1))[0](
            rng, asked
        )
    return asked


def _field(rng: random.Random, asked: Asked) -> Asked:
    """A field of the form, or a value of the JSON, that is another, missing, doubled or beside the others."""
    if asked.form is None:
        return _value(rng, asked)
    form = list(asked.form)
    at, what = rng.randrange(len(form) + 1), rng.randrange(5)
    if what == 0 and at < len(form):
        del form[at]
    elif what == 1:
        form.insert(at, (rng.choice(form)[0] if form else "x", rng.choice(TEXTS)))
    elif what == 2 and at < len(form) and form[at][1][:1] in {"{", "["}:
        form[at] = (form[at][0], _json(rng, form[at][1].encode()).decode(errors="replace"))
    elif at < len(form):
        form[at] = (form[at][0], rng.choice(TEXTS))
    else:
        form.append((rng.choice(TEXTS), rng.choice(TEXTS)))
    return replace(asked, form=tuple(form))


def _value(rng: random.Random, asked: Asked) -> Asked:
    return replace(asked, body=_json(rng, asked.body)) if asked.body else _query(rng, asked)


def _json(rng: random.Random, text: bytes) -> bytes:
    """A JSON document with another value in one place."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text[: rng.randrange(len(text) + 1)]
    row = document[0] if isinstance(document, list) and document else document
    if isinstance(row, dict) and row and rng.random() < 0.8:
        row[rng.choice(list(row))] = rng.choice((*ODD, *TEXTS))
    else:
        document = rng.choice((*ODD, [document] * 3, [row] * 201, {"x": document}))
    return json.dumps(document).encode()


def _body(rng: random.Random, asked: Asked) -> Asked:
    """Bytes that are no form and no JSON, or too many of either."""
    own = bytearray(asked.content())
    if own and rng.random() < 0.4:
        own[rng.randrange(len(own))] = rng.randrange(256)
        return replace(asked, body=bytes(own))
    odd = (b"", b"\xff\xfe", b"a=%zz&b", b"&" * 5000, b"=" * 3000, b"[" * 100_000, b'{"a":' * 20_000, b"null", b"[]",
           b"[7]", b"[" + b"{}," * 300 + b"{}]", b'[{"quantity":' + b"9" * 5000 + b"}]", b"x" * 1_000_001, b"\0",
           b'["\\ud800"]', b"\x1f\x8b\x08", rng.randbytes(rng.randrange(300)), bytes(own[: len(own) // 2]),
           b"a=1&" * 2000)  # fmt: skip
    weights = [1.0] * len(odd)
    weights[12] = 0.1  # a megabyte
    return replace(asked, body=rng.choices(odd, weights)[0])


def _query(rng: random.Random, asked: Asked) -> Asked:
    query = list(asked.query)
    what = rng.randrange(4)
    if what == 0 and query:
        del query[rng.randrange(len(query))]
    elif what == 1:
        raw = rng.choice((b"%zz", b"i=%ff%fe", b"&&&", b"=", b"i" * 9000, b"i=%00", b"from=%0a", rng.randbytes(30)))
        return replace(asked, raw_query=bytes(byte for byte in raw if 0x20 < byte < 0x7F))
    elif what == 2:
        query += [("i", rng.choice(TEXTS))] * rng.choice((1, 2, 501, 1001))
    elif query:
        at = rng.randrange(len(query))
        query[at] = (query[at][0], rng.choice(TEXTS))
    return replace(asked, query=tuple(query))


def _path(rng: random.Random, asked: Asked) -> Asked:
    parts = asked.path.split("/")
    at, what = rng.randrange(1, len(parts)), rng.randrange(4)
    if what == 0:
        del parts[at]
    elif what == 1:
        parts.append(rng.choice(TEXTS))
    else:
        parts[at] = rng.choice(TEXTS)
    return replace(asked, path="/".join(quote(part, safe="", errors="replace")[:9000] for part in parts) or "/")


def _method(rng: random.Random, asked: Asked) -> Asked:
    return replace(asked, method=rng.choice(METHODS))


def _auth(rng: random.Random, asked: Asked) -> Asked:
    return replace(asked, auth=rng.choice((None, *HEADERS)))


def _kind(rng: random.Random, asked: Asked) -> Asked:
    return replace(asked, kind=rng.choice((JSON, FORM, "text/plain", "multipart/form-data; boundary=x", "", "x" * 500)))


def text_of(rng: random.Random, token: int) -> str | bytes:
    """A message for the socket of ticks."""
    whole = json.dumps({"a": rng.choice(("subscribe", "unsubscribe", "mode")), "v": rng.choice(
        ([token], ["full", [token]], ["ltp", [token]], [2**70], [-1], list(range(4000)), *ODD))})  # fmt: skip
    what = rng.randrange(4)
    if what == 0:
        return rng.randbytes(rng.randrange(100))
    if what == 1:
        return whole
    if what == 2:
        return whole[: rng.randrange(len(whole) + 1)]
    text = list(whole)
    text[rng.randrange(len(text))] = chr(rng.randrange(1, 0xD7FF))
    return "".join(text)
