"""What risk makes of positions that moved without a trade."""

import msgspec

from actors.risk.risk import RiskActor, RiskConfig
from core.records import Move
from core.risk.book import held, with_move
from core.risk.replay import replay
from core.risk.resting import agrees
from tests.fakes_ledger import MemoryLedger
from tests.fakes_orders import INDEX, LOT, NOON, SYMBOL, HandClock, ListBus

ADOPTED = Move(
    move_id="A1", kind="adopt", phase="done", strategy="ema", symbol=SYMBOL, index=INDEX, quantity=-LOT,
    product_from="", product="NRML", who="asha", at_ns=NOON, value_paise=LOT * 35_000,
)  # fmt: skip


def test_what_was_taken_over_is_held_by_the_desk_and_by_its_strategy_once() -> None:
    book = replay([], [], [], [ADOPTED])
    assert held(book, SYMBOL) == book.parts["ema"].holdings[SYMBOL].quantity == -LOT
    assert book.holdings[SYMBOL].average_paise == 35_000
    assert with_move(book, ADOPTED).holdings == book.holdings
    assert agrees(book, {}, [ADOPTED.id])


def test_a_conversion_changes_nothing_that_limits_see() -> None:
    book = replay([], [], [], [ADOPTED])
    for change in ({"kind": "convert", "product_from": "MIS"}, {"phase": "asked"}):
        other = msgspec.structs.replace(ADOPTED, move_id="M1", **change)
        assert with_move(book, other) == book


def test_told_of_a_move_it_does_not_count_risk_reads_the_ledger() -> None:
    ledger = MemoryLedger()
    risk = RiskActor(RiskConfig(), bus=ListBus(), clock=HandClock(), ledger=ledger)
    ledger.moved["A1", "done"] = ADOPTED
    risk.settle({}, [ADOPTED.id])
    assert held(risk._book, SYMBOL) == -LOT
