"""What may be concluded from an answer as it was sent, by rules of this file; see fuzz_client."""

import contextlib
import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from brokers.kite.login import Login
from core.errors import BrokerDown, InputError, NotLoggedIn, UnknownDate, UnknownName
from core.kite.instruments import Listing
from core.market import parse_symbol
from core.orders.answer import Answer
from core.orders.gtt import Trigger
from core.orders.tag import TAG
from core.records import Fill, Funds, Order
from core.schemas import BARS, Kind
from tests.unit.kite.fuzz_bodies import Reply
from tests.unit.kite.fuzz_seeds import ORDER, OURS

UNPROVEN = {
    "NetworkException",
    "OrderException",
    "DataException",
    "PermissionException",
    "TokenException",
    "KiteException",
}  # of a 400: none of them says what became of the order


def documents(reply: Reply) -> list[Any]:
    """What a client may read of an answer: JSON, as it is or unpacked; nothing of one that is not whole."""
    if not reply.whole or reply.status in {204, 304} or reply.status < 200:
        return []
    found = []
    for body in _bodies(reply):
        for coding in ("", "utf-16", "utf-16-le", "utf-7", "latin-1"):
            with contextlib.suppress(ValueError, RecursionError):
                found.append(json.loads(body.decode(coding, "replace") if coding else body))
    return [one for one in found if isinstance(one, dict)]


def _bodies(reply: Reply) -> list[bytes]:
    """As it is, and unpacked."""
    bodies = [reply.body]
    with contextlib.suppress(zlib.error):
        bodies.append(zlib.decompressobj(wbits=31).decompress(reply.body))  # as clients do: without its last bytes too
    return bodies


def _order_id(data: Any, broker_id: str) -> bool:
    return isinstance(data, dict) and data.get("order_id") == broker_id != ""


def _trigger_id(data: Any, broker_id: str) -> bool:
    found = data.get("trigger_id") if isinstance(data, dict) else None
    return type(found) is int and found > 0 and str(found) == broker_id


def _is_true(data: Any, broker_id: str) -> bool:
    return data is True and broker_id == ""


def _judge_order(got: object, reply: Reply, many: int, names: Callable[[Any, str], bool] = _order_id) -> None:
    assert isinstance(got, Answer), f"an order call came to {got!r}"
    assert many <= 1, f"{many} requests for one order"
    assert isinstance(got.message, str)
    said = documents(reply)
    if got.kind == "ACK":
        assert 200 <= reply.status < 300, "ACK by a status that says otherwise"
        told = [one for one in said if one.get("status") == "success" and not one.get("error_type")]
        assert any(names(one.get("data"), got.broker_id) for one in told), (
            f"ACK of {got.broker_id!r}, which the answer does not have"
        )
    elif got.kind == "REFUSED":
        assert many == 1
        assert any(_proves(reply.status, one) for one in said), "REFUSED without a proof"
    else:
        assert not (got.broker_id or many != 1)


def _judge_cancel(got: object, reply: Reply, many: int) -> None:
    _judge_order(got, reply, many)
    assert isinstance(got, Answer)
    assert got.broker_id in {"", ORDER["order_id"]}, "a cancel of another order is taken for one of this"


def _judge_trigger(got: object, reply: Reply, many: int) -> None:
    _judge_order(got, reply, many, _trigger_id)


def _judge_untrigger(got: object, reply: Reply, many: int) -> None:
    _judge_trigger(got, reply, many)
    assert isinstance(got, Answer)
    assert got.broker_id in {"", "112127"}, "another trigger's end is taken for this one's"


def _judge_convert(got: object, reply: Reply, many: int) -> None:
    _judge_order(got, reply, many, _is_true)


def _judge_margins(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    if isinstance(got, BrokerDown):
        return
    assert isinstance(got, Funds)
    found = [one.get("data") for one in documents(reply)] if _succeeds(reply) else []
    assert any(
        isinstance(one, dict) and abs(_number(one.get("net")) * 100 - got.available_paise) <= 0.5
        and abs(_number((one.get("utilised") or {}).get("debits")) * 100 - got.used_paise) <= 0.5 for one in found
    ), f"{got}"  # fmt: skip


def _judge_gtts(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    if isinstance(got, BrokerDown):
        return
    assert isinstance(got, list)
    for one in got:
        assert isinstance(one, Trigger)
        assert any(_same_trigger(one, row) for rows in _rows(reply) for row in rows), f"{one}"


def _same_trigger(one: Trigger, row: dict[str, Any]) -> bool:
    values = row["condition"]["trigger_values"]
    prices = [(leg.trigger_paise, leg.limit_paise) for leg in one.legs]
    said = [(_number(value), _number(order["price"])) for value, order in zip(values, row["orders"], strict=True)]
    close = all(
        abs(a - x * 100) <= 0.5 and abs(b - y * 100) <= 0.5 for (a, b), (x, y) in zip(prices, said, strict=True)
    )
    return close and str(row["id"]).removesuffix(".0") == one.trigger_id and one.quantity > 0


def _proves(status: int, said: dict[str, Any]) -> bool:
    """Whether an envelope says that nothing was placed."""
    kind = said.get("error_type")
    if said.get("status") != "error" or said.get("data") or not (isinstance(kind, str) and kind):
        return False
    return status == 429 or (status, kind) == (403, "TokenException") or (status == 400 and kind not in UNPROVEN)


def judge_read(got: object, reply: Reply, many: int) -> None:
    """Of the rest it is enough that they raise nothing else; what they give comes from an answer of success."""
    assert many <= 1
    if isinstance(got, InputError):
        assert reply.status in {400, 403} or reply.fault == "", f"{got}"
    elif isinstance(got, Login):
        assert _succeeds(reply)
        assert got.access_token
        assert got.user_id
        assert got.expires_ns > 0
    elif got is None or got is False:
        # over at Kite: only its own word ends a session, 403 with a TokenException; logged out: or success
        assert _dead(reply) or (got is None and _succeeds(reply)), f"{got!r}"


def _dead(reply: Reply) -> bool:
    """Whether Kite says that the session is over."""
    return reply.status == 403 and any(one.get("error_type") == "TokenException" for one in documents(reply))


def _succeeds(reply: Reply) -> bool:
    success = any(one.get("status") == "success" and not one.get("error_type") for one in documents(reply))
    return 200 <= reply.status < 300 and success


def _rows(reply: Reply) -> list[list[dict[str, Any]]]:
    """The lists of rows that an answer may be read as."""
    if not _succeeds(reply):
        return []
    lists = [one.get("data") for one in documents(reply)]
    return [one for one in lists if isinstance(one, list) and all(isinstance(row, dict) for row in one)]


def _judge_book(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    if isinstance(got, BrokerDown):
        assert not isinstance(got, NotLoggedIn) or _dead(reply), "the login is called dead, and Kite does not say so"
        return
    assert isinstance(got, list)
    assert any(_same_book(got, rows) for rows in _rows(reply)), f"{got}"


def _judge_find(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    assert not isinstance(got, NotLoggedIn) or _dead(reply), "the login is called dead, and Kite does not say so"
    if not isinstance(got, BrokerDown):
        found = [row for rows in _rows(reply) for row in rows if row.get("tag") == OURS[0]]
        assert isinstance(got, Order) or got is None
        assert (got is not None) == any(map(_ours, found)) or not found
        assert got is None or any(_same_order(got, row) for row in found)
        assert _rows(reply), "no book was read, and one order of it is said to be there or not"


def _same_book(orders: list[Order], rows: list[dict[str, Any]]) -> bool:
    ours = [row for row in rows if _ours(row)]
    return len(ours) == len(orders) and all(map(_same_order, orders, ours))


def _ours(row: dict[str, Any]) -> bool:
    tag, symbol = row.get("tag"), row.get("tradingsymbol")
    assert tag is None or not tag or isinstance(tag, str), f"whose order is it? its tag is {tag!r}"
    if not (isinstance(tag, str) and TAG.fullmatch(tag)):
        return False
    try:
        return parse_symbol(str(symbol)).kind != Kind.INDEX
    except (UnknownName, UnknownDate):
        return False


def _same_order(order: Order, row: dict[str, Any]) -> bool:
    """Whether it says what the row says: one that is no order must have made the whole book unreadable."""
    asked, filled = order.intent, order.filled_quantity
    states = ("COMPLETE", "CANCELLED", "REJECTED")
    return all((
        isinstance(row["order_id"], str) and order.broker_id == row["order_id"] != "",
        asked.tag == row["tag"] and asked.symbol == row["tradingsymbol"] and asked.side == row["transaction_type"],
        asked.quantity == _number(row["quantity"]) > 0 and filled == _number(row["filled_quantity"]),
        0 <= filled <= asked.quantity,
        order.state == (row["status"] if row["status"] in states else "OPEN"),
        isinstance(row["status"], str) and row["status"] != "",
        abs(asked.limit_paise - _number(row["price"]) * 100) <= 0.5 and asked.limit_paise >= 0,
        order.average_paise == _number(row["average_price"]) * 100 >= 0,
    ))  # fmt: skip


def _number(value: Any) -> float:
    """Nothing at all is 0; NaN, which equals nothing, for what is no number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value or 0)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _judge_trades(got: object, reply: Reply, many: int) -> None:
    assert many <= 2
    if isinstance(got, BrokerDown):
        return
    assert isinstance(got, list)
    rows = [row for rows in _rows(reply) for row in rows]
    assert _rows(reply), "no trades were read"
    for fill in got:
        assert isinstance(fill, Fill)
        assert any(_same_fill(fill, row) for row in rows), f"{fill}"


def _same_fill(fill: Fill, row: dict[str, Any]) -> bool:
    return all((
        fill.trade_id == f"{row.get('order_id')}-{row.get('trade_id')}",
        isinstance(row.get("trade_id"), str) and row["trade_id"] != "",
        fill.symbol == row.get("tradingsymbol") and fill.side == row.get("transaction_type"),
        fill.quantity == _number(row.get("quantity")) > 0,
        abs(fill.price_paise - _number(row.get("average_price")) * 100) <= 0.5,
        fill.price_paise > 0 and fill.at_ns > 0,
    ))  # fmt: skip


def _judge_instruments(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    if isinstance(got, Listing):
        assert reply.whole or reply.framing == "none", "a dump that was cut off"
        assert reply.status == 200, "a dump by a status that says otherwise"
        said = b"\n".join(_bodies(reply))
        assert all(row.symbol.encode() in said for row in got.rows), "a contract that the answer does not have"
        assert all(row.lot > 0 and row.tick_paise > 0 and (row.strike_paise > 0) == (row.kind >= Kind.CALL)
                   for row in got.rows)  # fmt: skip
        assert all(0 < token < 1 << 32 for token in got.tokens.values())


def _judge_history(got: object, reply: Reply, many: int) -> None:
    assert many == 1
    if isinstance(got, list):
        for filled in got:
            assert filled.holes == () or _succeeds(reply), "an absence that no answer proves"
            for batch in filled.batches:
                assert batch.schema == BARS
                assert _succeeds(reply)
                batch.validate(full=True)


JUDGES: Mapping[str, Callable[[object, Reply, int], None]] = {
    "modify": _judge_cancel, "margins": _judge_margins, "gtts": _judge_gtts, "place gtt": _judge_trigger,
    "cancel gtt": _judge_untrigger, "convert": _judge_convert,
    "place": _judge_order, "cancel": _judge_cancel, "book": _judge_book, "find": _judge_find, "trades": _judge_trades,
    "instruments": _judge_instruments, "history": _judge_history,
}  # fmt: skip
