"""The audit of chaos finds what it is there for: an order lost, doubled, or told differently in the two books."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.audit import Report, audit
from tests.chaos.books import (
    Exchange,
    Ledger,
    OurFill,
    OurOrder,
    OurPosition,
    TheirOrder,
    TheirPosition,
    TheirTrade,
    exchange_of,
)

CALL = {"symbol": "NIFTY26NOV25000CE", "product": "NRML"}
OURS = OurOrder(
    tag="BUY1", state="COMPLETE", side="BUY", quantity=65, strategy="one", filled=65, average_paise=10_010.0,
    broker_id="7", **CALL,
)  # fmt: skip
REFUSED = OurOrder(tag="NO1", state="REFUSED", side="BUY", quantity=65, strategy="one", **CALL)
NEVER = OurOrder(tag="NEVER1", state="REJECTED", side="BUY", quantity=65, strategy="two", **CALL)
THEIRS = TheirOrder(
    order_id="7", tag="BUY1", status="COMPLETE", side="BUY", quantity=65, filled=65, filled_paise=650_650,
    charges=Decimal("23.604"), **CALL,
)  # fmt: skip
LEDGER = Ledger(
    orders=(OURS, REFUSED, NEVER),
    fills=(
        OurFill(trade_id="7-1", tag="BUY1", symbol=CALL["symbol"], side="BUY", quantity=55, paise=10_000),
        OurFill(trade_id="7-2", tag="BUY1", symbol=CALL["symbol"], side="BUY", quantity=10, paise=10_065),
    ),
    positions=(
        OurPosition(
            quantity=65, open_cost_paise=650_650, realised_paise=0, charges_paise=2_360, strategy="one", **CALL
        ),
    ),
)
EXCHANGE = Exchange(
    orders=(THEIRS,),
    trades=(
        TheirTrade(trade_id="1", order_id="7", quantity=55, paise=10_000),
        TheirTrade(trade_id="2", order_id="7", quantity=10, paise=10_065),
    ),
    positions=(TheirPosition(quantity=65, cash_paise=-650_650, **CALL),),
    spent_paise=650_650,
    posts={"BUY1": 1},
)


def with_order(**changes: Any) -> Ledger:
    return replace(LEDGER, orders=(replace(OURS, **changes), REFUSED, NEVER))


def at_theirs(**changes: Any) -> Exchange:
    return replace(EXCHANGE, orders=(replace(THEIRS, **changes),))


def test_two_books_that_say_the_same_are_clean() -> None:
    report = audit(LEDGER, EXCHANGE, answered={"BUY1": "OPEN", "NO1": "REFUSED"})

    assert report.lines() == []
    assert report.clean


@pytest.mark.parametrize("state", ["JOURNALLED", "UNKNOWN", "OPEN"])
def test_an_intent_whose_end_nobody_knows_is_lost(state: str) -> None:
    report = audit(with_order(state=state), EXCHANGE)

    assert list(report.lost) == ["BUY1"]
    assert state in report.lost["BUY1"]
    assert not report.clean


def test_an_order_a_trader_was_told_of_and_the_ledger_never_heard_of_is_lost() -> None:
    assert list(audit(LEDGER, EXCHANGE, answered={"GONE1": "OPEN"}).lost) == ["GONE1"]


@pytest.mark.parametrize(
    "exchange",
    [
        replace(EXCHANGE, orders=(THEIRS, replace(THEIRS, order_id="8", status="REJECTED", filled=0, filled_paise=0))),
        replace(EXCHANGE, posts={"BUY1": 2}),
        at_theirs(filled=130, filled_paise=1_301_300),
    ],
    ids=["two orders", "two requests", "filled beyond what was asked"],
)
def test_an_intent_that_was_sent_or_filled_twice_is_doubled(exchange: Exchange) -> None:
    assert list(audit(LEDGER, exchange).doubled) == ["BUY1"]


def test_a_tag_filled_beyond_what_was_asked_in_the_ledger_alone_is_doubled() -> None:
    assert list(audit(with_order(filled=130), EXCHANGE).doubled) == ["BUY1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "CANCELLED"}, {"filled": 55}, {"average_paise": 10_009.9}, {"broker_id": "9"}, {"side": "SELL"},
        {"product": "MIS"}, {"symbol": "NIFTY26NOV25000PE"}, {"quantity": 130},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_an_order_that_the_books_tell_differently_is_mismatched(changes: dict[str, Any]) -> None:
    assert "BUY1" in audit(with_order(**changes), EXCHANGE).mismatched


def test_an_order_at_the_exchange_alone_or_given_up_here_and_alive_there_is_mismatched() -> None:
    stray = replace(THEIRS, order_id="8", tag="STRAY1", status="OPEN", filled=0, filled_paise=0)
    given_up = replace(stray, tag="NEVER1")

    assert "STRAY1" in audit(LEDGER, replace(EXCHANGE, orders=(THEIRS, stray))).mismatched
    assert "NEVER1" in audit(LEDGER, replace(EXCHANGE, orders=(THEIRS, given_up))).mismatched


def test_an_order_that_is_complete_here_and_unknown_there_is_mismatched() -> None:
    assert "BUY1" in audit(LEDGER, replace(EXCHANGE, orders=(), posts={})).mismatched


def test_a_refused_order_that_was_sent_all_the_same_is_mismatched() -> None:
    assert "NO1" in audit(LEDGER, replace(EXCHANGE, posts={"BUY1": 1, "NO1": 1})).mismatched


@pytest.mark.parametrize(
    ("break_it", "found"),
    [
        (lambda: (replace(LEDGER, fills=LEDGER.fills[:1]), EXCHANGE), "trade 7-2"),
        (lambda: (LEDGER, replace(EXCHANGE, trades=EXCHANGE.trades[:1])), "trade 7-2"),
        (
            lambda: (replace(LEDGER, fills=(LEDGER.fills[0], replace(LEDGER.fills[1], paise=10_060))), EXCHANGE),
            "trade 7-2",
        ),
        (lambda: (with_position(quantity=0), EXCHANGE), "position NIFTY26NOV25000CE NRML"),
        (lambda: (with_position(realised_paise=1), EXCHANGE), "position NIFTY26NOV25000CE NRML"),
        (lambda: (with_position(charges_paise=2_361), EXCHANGE), "position NIFTY26NOV25000CE NRML of one"),
        (lambda: (replace(LEDGER, positions=()), EXCHANGE), "position NIFTY26NOV25000CE NRML"),
        (lambda: (LEDGER, replace(EXCHANGE, spent_paise=650_651)), "cash"),
    ],
    ids=[
        "a fill less", "a trade less", "another price", "another quantity", "a paisa of cash", "a paisa of charges",
        "no position", "a paisa of the account",
    ],
)  # fmt: skip
def test_a_trade_a_position_or_a_paisa_that_differs_is_mismatched(
    break_it: Callable[[], tuple[Ledger, Exchange]], found: str
) -> None:
    report: Report = audit(*break_it())

    assert found in report.mismatched
    assert not report.lost
    assert not report.doubled


def with_position(**changes: Any) -> Ledger:
    return replace(LEDGER, positions=(replace(LEDGER.positions[0], **changes),))


def test_a_position_of_the_whole_account_bears_the_charges_of_every_strategy() -> None:
    whole = with_position(strategy="")

    assert audit(whole, EXCHANGE).clean
    other = replace(OURS, strategy="two")
    assert "position NIFTY26NOV25000CE NRML of one" in audit(replace(LEDGER, orders=(other,)), EXCHANGE).mismatched


def test_the_exchanges_book_is_read_as_its_admin_tells_it() -> None:
    order = {
        "order_id": "7", "user_id": "VK0001", "tag": "BUY1", "status": "COMPLETE", "side": "BUY", "quantity": 65,
        "filled": 65, "filled_paise": 650_650, "charges": "23.604", **CALL,
    }  # fmt: skip
    position = {**CALL, "overnight": 0, "bought": 65, "bought_paise": 650_650, "sold": 0, "sold_paise": 0}
    trades = [
        {"trade_id": t.trade_id, "order_id": "7", "quantity": t.quantity, "paise": t.paise} for t in EXCHANGE.trades
    ]
    calls = [{"method": "POST", "tag": "BUY1"}, {"method": "DELETE", "tag": ""}]
    users = {"VK0001": {"opening_paise": 10_00_000_00, "spent_paise": 650_650, "positions": [position]}}

    assert exchange_of({"users": users, "orders": [order], "trades": trades, "calls": calls}) == EXCHANGE
