"""The short form of `make fuzz` of the exchange, and that it would see what it looks for."""

import asyncio
from dataclasses import replace

import pytest

from exchange.faults import Fault
from exchange.server.reply import error
from tests.unit.kite.fuzz_exchange import Answer, Exchange, fuzz, judge
from tests.unit.kite.fuzz_requests import Asked


def test_malformed_requests_are_refused_and_harm_nothing() -> None:
    totals = fuzz(400, seed=1)

    assert totals.total() == 400
    assert {"200", "400", "403", "404", "405", "bytes: 400", "text: goes on"} <= set(totals)


def answer(status: int, body: bytes = b'{"status":"error","message":"?","error_type":"InputException"}') -> Answer:
    return status, {"content-type": "application/json"}, body


SOUND = Asked("GET", "/orders")
DEFECTS: dict[str, tuple[Answer, bool]] = {
    "a fault of ours": (answer(500, bytes(error(500, "GeneralException", "?").body)), True),
    "a refusal that has changed something": (answer(400), False),
    "no envelope": (answer(400, b"{}"), True),
    "no error_type": (answer(400, b'{"status":"error","message":"?"}'), True),
    "no json": (answer(200, b"OK"), True),
    "not a number": (answer(200, b'{"status":"success","data":NaN}'), True),
    "a gateway without a fault": ((502, {"content-type": "text/html"}, b"<html>"), True),
}


@pytest.mark.parametrize(("said", "unchanged"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_of_an_answer_is_seen(said: Answer, *, unchanged: bool) -> None:
    judge(SOUND, answer(400), None, unchanged=True)
    judge(SOUND, (502, {"content-type": "text/html"}, b"<html>"), Fault.BAD_GATEWAY, unchanged=True)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        judge(SOUND, said, None, unchanged=unchanged)


def test_an_order_shows_in_the_state_and_a_fault_of_the_app_comes_out() -> None:
    async def act(exchange: Exchange) -> None:
        one, before = exchange.one, exchange.state()
        form = {"exchange": one.exchange, "tradingsymbol": one.symbol, "transaction_type": "BUY", "product": "NRML",
                "quantity": str(one.lot), "order_type": "LIMIT", "price": "1.00"}  # fmt: skip
        placing = Asked("POST", "/orders/regular", form=tuple(form.items()), auth=exchange.auth())
        assert (await exchange.ask(replace(placing, auth=None)))[0] == 403
        assert exchange.state() != before, "a session was opened"
        before = exchange.state()
        assert (await exchange.ask(placing))[0] == 200
        assert exchange.state() != before
        del exchange.world.engine.orders
        with pytest.raises(AttributeError):
            await exchange.ask(Asked("GET", "/orders", auth=exchange.auth()))

    async def scene() -> None:
        async with Exchange(7) as exchange:
            await act(exchange)

    asyncio.run(scene())
