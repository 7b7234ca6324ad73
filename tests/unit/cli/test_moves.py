"""Positions that move without a trade, by hand."""

import json

from tests.unit.cli.fake_world import Place
from tests.unit.cli.test_commands import CALL, vikalp

CONVERT = ("convert", CALL, "--quantity", "65", "--from", "mis", "--to", "nrml", "--strategy", "ema")


def test_a_conversion_says_what_it_does_and_with_its_id_is_done_once() -> None:
    place = Place()
    first = vikalp(place, *CONVERT, "--yes", "--id", "M1")
    again = vikalp(place, *CONVERT, "--yes", "--id", "m1", "--json")
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    assert f"65 × {CALL} of ema: MIS → NRML; id M1" in first.stderr
    (move,) = place.client.moved.values()
    assert (move.product_from, move.product, move.quantity, move.strategy) == ("MIS", "NRML", 65, "ema")
    assert "on the command line" in move.who
    assert json.loads(again.stdout)["move_id"] == "M1"
    assert "M1" in vikalp(place, "moves").stdout


def test_nothing_is_moved_before_it_is_confirmed() -> None:
    place = Place()
    assert vikalp(place, *CONVERT, typed="n\n").exit_code == 1
    assert vikalp(place, "adopt", CALL, typed="n\n").exit_code == 1
    assert place.client.moved == {}
    assert "no position was converted" in vikalp(place, "moves").stdout


def test_a_refusal_is_told_in_the_brokers_words_and_exits_with_1() -> None:
    place = Place()
    place.client.refused = CALL
    done = vikalp(place, *CONVERT, "--yes")
    assert done.exit_code == 1
    assert "Conversion not allowed." in done.stderr


def test_an_external_position_is_taken_over_at_a_price() -> None:
    place = Place()
    done = vikalp(place, "adopt", CALL, "--product", "nrml", "--strategy", "ema", "--price", "120.50", "-y", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert (made["kind"], made["strategy"], made["value_paise"]) == ("adopt", "ema", 65 * 12_050)


def test_what_is_no_product_or_id_is_an_error_that_says_what_is() -> None:
    place = Place()
    wrong = vikalp(place, "convert", CALL, "--quantity", "65", "--from", "cnc", "--to", "nrml", "-y")
    assert (wrong.exit_code, "expected NRML or MIS" in wrong.stderr) == (2, True)
    assert vikalp(place, *CONVERT, "-y", "--id", "a b").exit_code == 2
    assert place.client.moved == {}
