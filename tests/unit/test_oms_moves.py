"""Conversions, asked for once and found in the positions after a crash; external positions that are taken over."""

from contextlib import suppress

import msgspec
import pytest

from core.errors import DeskError, InputError, LedgerDown
from core.orders.books import external, net
from core.records import Move
from tests.fakes_broker import Died
from tests.fakes_orders import LOT, SYMBOL, intent
from tests.world_oms import World


class Held(World):
    """Two lots are held in NRML by strategy s."""

    def __init__(self) -> None:
        super().__init__()
        self.long(2 * LOT)
        self.wait(11)

    def convert(self, move_id: str = "M1", quantity: int = LOT) -> Move:
        return self.oms.convert(SYMBOL, "NRML", "MIS", quantity, "s", "asha", move_id)

    def adopt(self, move_id: str = "A1", price_paise: int = 0) -> Move:
        return self.oms.adopt(SYMBOL, "NRML", "manual", "asha", move_id, price_paise)

    def held(self) -> dict[tuple[str, str], int]:
        return {(one.strategy, one.product): one.quantity for one in self.oms.positions() if one.quantity}

    def wait(self, seconds: int = 40) -> None:
        for _ in range(seconds):
            self.later(1)

    def sums(self) -> None:
        """Every unit that the broker holds is in a book."""
        books = self.oms._journal.books
        assert external(books, self.broker.positions()) == {}
        gross = sum(book.gross_paise(36_000) for book in books.books.values())
        assert gross == sum(book.gross_paise(36_000) for book in net(books).values())


def test_units_become_the_other_product_for_what_they_had_cost() -> None:
    world = Held()
    done = world.convert()
    assert (done.phase, done.quantity, done.value_paise) == ("done", LOT, LOT * 35_000)
    assert world.held() == {("s", "NRML"): LOT, ("s", "MIS"): LOT}
    assert {one.average_paise for one in world.oms.positions()} == {35_000}
    world.sums()
    world.restart()
    assert world.held() == {("s", "NRML"): LOT, ("s", "MIS"): LOT}
    world.sums()
    assert [(move.kind, move.phase) for move in world.oms.moves()] == [("convert", "done")]


def test_asked_again_with_its_id_it_is_the_same_and_of_another_position_an_error() -> None:
    world = Held()
    first = world.convert()
    assert world.convert() == first
    assert len(world.broker.conversions) == 1
    with pytest.raises(InputError, match="another one already"):
        world.oms.convert(SYMBOL, "MIS", "NRML", LOT, "s", "asha", "M1")
    back = world.oms.convert(SYMBOL, "MIS", "NRML", LOT, "s", "asha", "M2")
    assert back.phase == "done"
    assert world.held() == {("s", "NRML"): 2 * LOT}


ANSWERS = ["ack", "refuse", "lose the request", "lose the answer", "die before accept", "die after accept"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("how", "write"), [("", 0), ("down", 1), ("lost", 1), ("down", 2), ("lost", 2)])
def test_at_every_point_of_a_crash_it_is_done_once_or_not_at_all(answer: str, how: str, write: int) -> None:
    """The `write`-th word of it is not made, or made and not heard of; the broker answers so, or the process ends."""
    world, count = Held(), [0]
    world.broker.next_convert = answer

    def fails(name: str) -> bool:
        count[0] += name == "record_move"
        return name == "record_move" and count[0] == write

    if how:
        setattr(world.ledger, how, fails)
    with suppress(Died, LedgerDown):
        world.convert()
    setattr(world.ledger, how or "down", lambda name: False)
    world.restart()
    world.wait()
    asked = (how, write) != ("down", 1)
    reached = (how, write) not in {("down", 1), ("lost", 1)}
    done = reached and answer in {"ack", "lose the answer", "die after accept"}
    assert len(world.broker.conversions) == int(reached)
    assert world.held() == ({("s", "NRML"): LOT, ("s", "MIS"): LOT} if done else {("s", "NRML"): 2 * LOT})
    assert [move.phase for move in world.oms.moves()] == (["done" if done else "refused"] if asked else [])
    world.sums()
    world.broker.next_convert = "ack"
    assert world.convert("M2").phase == "done"
    world.restart()
    world.sums()


def test_nothing_else_of_the_contract_moves_while_one_has_no_answer() -> None:
    world = Held()
    world.broker.next_convert = "lose the answer"
    assert world.convert().phase == "asked"
    with pytest.raises(DeskError, match="has no answer yet"):
        world.convert("M2")
    with pytest.raises(DeskError, match="has no answer yet"):
        world.adopt()
    world.later(11)
    assert world.convert().phase == "done"


@pytest.mark.parametrize("answer", ["lose the request", "lose the answer"])
def test_a_stop_that_rests_all_day_keeps_no_conversion_from_its_end(answer: str) -> None:
    world = Held()
    world.oms.submit(intent("STOP", side="SELL", purpose="exit", limit_paise=90_000))
    world.broker.next_convert = answer
    assert world.convert().phase == "asked"
    world.wait()
    assert world.convert().phase == ("done" if answer == "lose the answer" else "refused")
    assert world.order("STOP").state == "OPEN"
    world.sums()


def test_what_neither_came_nor_stayed_is_an_alarm_and_adopted_by_a_person() -> None:
    world = Held()
    world.broker.next_convert = "lose the answer"
    world.convert()
    world.broker.by_hand[SYMBOL, "MIS"] -= LOT  # somebody sells them at once
    world.wait()
    assert [move.phase for move in world.oms.moves()] == ["asked"]
    assert sum("neither done nor undone" in words for words in world.ledger.alerts()) == 1
    with pytest.raises(DeskError, match="has no answer yet"):
        world.convert("M2")
    assert world.oms.adopt(SYMBOL, "NRML", "s", "asha", "A1", 36_000).quantity == -LOT
    world.sums()
    world.wait()
    assert [(move.kind, move.phase) for move in world.oms.moves()] == [("convert", "refused"), ("adopt", "done")]
    assert (world.held(), world.convert("M2").phase) == ({("s", "NRML"): LOT}, "done")


@pytest.mark.parametrize(("quantity", "words"), [(3 * LOT, "cannot be converted"), (0, "cannot be"), (-LOT, "cannot")])
def test_more_than_is_held_is_refused_before_anybody_is_asked(quantity: int, words: str) -> None:
    world = Held()
    with pytest.raises(InputError, match=words):
        world.convert(quantity=quantity)
    assert (world.broker.conversions, world.oms.moves()) == ([], [])


def test_what_is_leaving_or_gone_at_the_broker_is_not_converted() -> None:
    world = Held()
    leaves = intent("X", side="SELL", purpose="exit", quantity=2 * LOT, limit_paise=90_000)
    world.oms.submit(leaves)
    with pytest.raises(InputError, match="40 are leaving"):
        world.convert()
    world.oms.cancel("X")
    world.broker.by_hand[SYMBOL, "NRML"] -= 2 * LOT
    with pytest.raises(InputError, match=r"the account holds \+0"):
        world.convert()


def test_what_a_broker_refuses_is_told_in_its_words() -> None:
    world = Held()
    world.broker.next_convert = "refuse"
    refused = world.convert()
    assert (refused.phase, refused.message) == ("refused", "Conversion not allowed.")
    assert world.convert("M2").phase == "done"


def test_an_external_position_is_the_strategys_from_then_on() -> None:
    world = Held()
    world.broker.by_hand[SYMBOL, "NRML"] += LOT
    world.broker.average[SYMBOL, "NRML"] = (2 * LOT * 35_000 + LOT * 38_000) / (3 * LOT)
    move = world.adopt()
    assert (move.quantity, move.value_paise, move.strategy) == (LOT, LOT * 38_000, "manual")
    assert world.held() == {("s", "NRML"): 2 * LOT, ("manual", "NRML"): LOT}
    world.sums()
    world.restart()
    assert world.held() == {("s", "NRML"): 2 * LOT, ("manual", "NRML"): LOT}
    assert world.adopt() == move
    assert move.id in world.oms._journal.counted()
    world.later(1)
    assert move.id in world.risk.booked, "risk is told to read the ledger"
    exits = world.oms.exit_all("the end")
    assert {(one.intent.strategy, one.intent.quantity) for one in exits} == {("s", 2 * LOT), ("manual", LOT)}


def test_after_a_trade_of_its_own_the_positions_may_be_those_before_it_and_nothing_is_taken_over() -> None:
    world = Held()
    world.oms.submit(intent("MORE"))
    world.broker.fill("MORE", LOT, 36_000)
    world.oms.on_timer()
    assert world.held() == {("s", "NRML"): 3 * LOT}
    world.broker.by_hand[SYMBOL, "NRML"] -= LOT  # they lag: the trade is not in them yet
    with pytest.raises(DeskError, match="traded a moment ago"):
        world.adopt(price_paise=36_000)
    world.broker.by_hand[SYMBOL, "NRML"] += LOT
    world.wait(11)
    with pytest.raises(InputError, match=r"nothing of .* is external"):
        world.adopt()
    world.sums()


def test_a_strategy_that_sold_by_hand_gives_up_what_is_gone() -> None:
    world = Held()
    world.broker.by_hand[SYMBOL, "NRML"] -= LOT
    move = world.oms.adopt(SYMBOL, "NRML", "s", "asha", "A1", 36_000)
    assert (move.quantity, world.held()) == (-LOT, {("s", "NRML"): LOT})
    assert world.oms.positions()[0].realised_paise == LOT * 1_000
    world.sums()


def test_without_anything_external_or_with_orders_on_the_way_nothing_is_taken_over() -> None:
    world = Held()
    with pytest.raises(InputError, match=r"nothing of .* is external"):
        world.adopt()
    world.broker.by_hand[SYMBOL, "NRML"] += LOT
    with pytest.raises(InputError, match="say a price"):
        world.adopt()
    world.oms.submit(intent("A", limit_paise=100))
    with pytest.raises(DeskError, match="ask again later"):
        world.adopt(price_paise=38_000)
    world.oms.cancel("A")
    world.ledger.down = lambda name: name == "record_move"
    with pytest.raises(LedgerDown, match="nothing was taken over"):
        world.adopt(price_paise=38_000)
    world.ledger.down = lambda name: False
    world.later(1)
    assert world.adopt(price_paise=38_000).phase == "done"


def test_the_reading_of_a_move_is_what_was_written() -> None:
    world = Held()
    asked = world.convert()
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Move) == asked
