"""Plans, modifications and limits by hand."""

import getpass
import json
from pathlib import Path

import pytest

from core.errors import DeskError
from core.records import LimitUse, Order, Terms
from tests.unit.cli.fake_world import NOW, FakeDesk, Place
from tests.unit.cli.test_commands import CALL, vikalp

BRACKET = ("plan", "start", "--kind", "bracket", "--symbol", CALL, "--side", "buy", "--lots", "2",
           "--limit", "120", "--stop", "100", "--target", "150.05")  # fmt: skip


def test_a_bracket_is_started_from_a_persons_units() -> None:
    place = Place()
    done = vikalp(place, *BRACKET, "--set", "exit.reach=0.02")

    assert done.exit_code == 0, done.output
    (begun,) = place.client.begun.values()
    made = json.loads(begun.body)
    assert (made["type"], made["symbol"], made["side"]) == ("bracket", CALL, "BUY")
    assert (made["quantity"], made["limit_paise"], made["index"], made["strategy"]) == (130, 12_000, "NIFTY", "manual")
    assert (made["created_ns"], made["exit"]["stop_paise"], made["exit"]["target_paise"]) == (NOW, 10_000, 15_005)
    assert made["exit"]["reach"] == 0.02
    assert f"vikalp plan end {begun.plan_id} WHY" in done.stderr


def test_a_twap_runs_from_now_on_for_as_long_as_was_said() -> None:
    place = Place()
    done = vikalp(place, "plan", "start", "--kind", "twap", "--symbol", CALL, "--side", "sell", "--lots", "10",
                  "--over", "10m", "--slices", "5")  # fmt: skip

    assert done.exit_code == 0, done.output
    (begun,) = place.client.begun.values()
    made = json.loads(begun.body)
    assert (made["quantity"], made["slices"], made["start_ns"], made["end_ns"]) == (650, 5, NOW, NOW + 600 * 10**9)


def test_a_plan_of_a_file_keeps_its_id_and_a_second_start_is_the_same_plan(tmp_path: Path) -> None:
    place, file = Place(), tmp_path / "plan.json"
    file.write_text(json.dumps({"type": "sliced", "plan_id": "P1", "symbol": CALL, "side": "SELL", "quantity": 3_900}))
    for _ in range(2):
        assert vikalp(place, "plan", "start", str(file)).exit_code == 0

    assert list(place.client.begun) == ["P1"]
    shown = vikalp(place, "plans").stdout
    assert "P1" in shown
    assert "begun: it waits" in shown
    assert [plan["plan_id"] for plan in json.loads(vikalp(place, "plans", "--json").stdout)] == ["P1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "expected one of the two"),
        (("no-such.json",), "No such file"),
        (("--kind", "moon"), "this is no plan: Invalid value 'moon'"),
        (("--kind", "bracket", "--symbol", CALL), "this is no plan: Object missing required field"),
        ((*BRACKET[2:], "--set", "exit"), "expected NAME=VALUE"),
        ((*BRACKET[2:], "--set", "symbol.x=1"), "has no fields of its own"),
        ((*BRACKET[2:], "--target", "90"), "the target lies on the stop's side"),
        (("--kind", "sliced", "--lots", "1"), "of which contract?"),
        (("--kind", "twap", "--symbol", CALL, "--over", "ten minutes"), "expected a time such as 90s, 10m or 1h"),
        (("--kind", "sliced", "--symbol", "NIFTY", "--lots", "1"), "not a contract"),
    ],
)
def test_what_is_no_plan_is_told_so_and_nothing_is_started(words: tuple[str, ...], says: str) -> None:
    place = Place()
    done = vikalp(place, "plan", "start", *words)

    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not place.client.begun


def test_a_plan_is_ended_by_its_id() -> None:
    place = Place()
    vikalp(place, *BRACKET)
    (plan_id,) = place.client.begun
    done = vikalp(place, "plan", "end", plan_id.lower(), "enough", "--json")

    assert json.loads(done.stdout)["running"] is False
    assert vikalp(place, "plan", "end", "NOSUCH", "enough").exit_code == 2
    assert vikalp(Place(), "plans").stdout == "no plans\n"


def test_a_stop_order_is_shown_and_sent_with_its_trigger() -> None:
    place = Place()
    done = vikalp(place, "order", CALL, "sell", "--trigger", "100", "--limit", "95", "--purpose", "exit",
                  "--strategy", "ema_channel", "--product", "MIS", "--yes")  # fmt: skip

    (sent,) = place.client.sent
    assert (sent.order_type, sent.trigger_paise, sent.limit_paise) == ("SL", 10_000, 9_500)
    assert (sent.strategy, sent.product, sent.purpose) == ("ema_channel", "MIS", "exit")
    assert "from ₹100.00 on at ₹95.00, MIS, exit, of ema_channel" in done.stderr
    assert "₹100.00" in done.stdout


def test_an_order_for_now_or_for_the_next_open_says_so() -> None:
    place = Place()
    vikalp(place, "order", CALL, "buy", "--limit", "100", "--ioc", "--yes")
    vikalp(place, "order", CALL, "buy", "--limit", "100", "--amo", "--yes")

    assert [(sent.validity, sent.variety) for sent in place.client.sent] == [("IOC", "regular"), ("DAY", "amo")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--trigger", "100"), "an order of type SL has --trigger and --limit, was given --trigger"),
        (("--type", "market", "--limit", "100"), "an order of type MARKET has no price, was given --limit"),
        (("--type", "limit"), "an order of type LIMIT has --limit, was given none"),
        (("--type", "sl-m"), "expected LIMIT, MARKET or SL"),
        (("--strategy", "ema_channel"), "whose position an exit leaves"),
    ],
)
def test_prices_that_are_not_those_of_the_type_are_refused(words: tuple[str, ...], says: str) -> None:
    place = Place()
    done = vikalp(place, "order", CALL, "buy", *words, "--yes")

    assert (done.exit_code, place.client.sent) == (2, [])
    assert says in done.stderr


def stop(place: Place) -> str:
    vikalp(place, "order", CALL, "sell", "--trigger", "100", "--limit", "95", "--yes")
    return place.client.sent[0].tag


def test_a_modification_says_from_what_to_what_and_keeps_what_was_not_said() -> None:
    place = Place()
    tag = stop(place)
    done = vikalp(place, "modify", tag, "--trigger", "105.05")

    assert done.exit_code == 0, done.output
    assert place.client.modified == [(tag, Terms(order_type="SL", limit_paise=9_500, trigger_paise=10_505))]
    assert "from ₹100.00 on at ₹95.00 → from ₹105.05 on at ₹95.00" in done.stderr
    assert "₹105.05" in done.stdout
    vikalp(place, "modify", tag, "--type", "limit", "--limit", "90")
    assert place.client.modified[-1][1] == Terms(order_type="LIMIT", limit_paise=9_000)


def test_a_modification_that_was_not_done_exits_1_and_one_not_confirmed_says_so() -> None:
    class Keeping(FakeDesk):
        words = "the broker refused to modify it: too late"

        def modify(self, tag: str, terms: Terms) -> Order:
            return Order(intent=self.sent[0], state="OPEN", message=self.words)

    place = Place(Keeping())
    refused = vikalp(place, "modify", stop(place), "--limit", "90")
    Keeping.words = ""
    asked = vikalp(place, "modify", place.client.sent[0].tag, "--limit", "90")

    assert refused.exit_code == 1
    assert "too late" in refused.stderr
    assert asked.exit_code == 0
    assert "not confirmed it yet" in asked.stderr


def test_an_order_that_is_over_was_not_modified_even_to_the_terms_it_had() -> None:
    class Over(FakeDesk):
        def orders(self) -> list[Order]:
            return [Order(intent=one, state="CANCELLED") for one in self.sent]

        def modify(self, tag: str, terms: Terms) -> Order:
            return Order(intent=self.sent[0], state="CANCELLED", message=f"not modified: order {tag} is over")

    place = Place(Over())
    tag = stop(place)
    for words in (("--limit", "90"), ("--limit", "95")):
        done = vikalp(place, "modify", tag, *words)
        assert done.exit_code == 1
        assert "is over" in done.stderr


def test_what_cannot_be_modified_is_told_so() -> None:
    place = Place()
    vikalp(place, "order", CALL, "buy", "--limit", "100", "--yes")
    tag = place.client.sent[0].tag
    for words, says in (((tag,), "nothing to modify"), ((tag, "--trigger", "1"), "a LIMIT order has none"),
                        (("NOSUCH", "--limit", "1"), "no order that lives")):  # fmt: skip
        done = vikalp(place, "modify", *words)
        assert done.exit_code == 2
        assert says in done.stderr
    assert place.client.modified == []


def test_limits_show_the_order_budget_too_and_go_without_while_the_order_manager_is_away() -> None:
    place = Place()
    place.client.limits = lambda: [LimitUse(limit="order_size", used=1, allowed=20, unit="lots")]  # type: ignore[method-assign]
    both = vikalp(place, "limits", "--json")
    place.client.budget = lambda: (_ for _ in ()).throw(DeskError("oms is down"))  # type: ignore[method-assign]
    one = vikalp(place, "limits", "--json")

    shown = [[use["limit"] for use in json.loads(done.stdout)] for done in (both, one)]
    assert (shown, one.exit_code) == ([["order_size", "orders_a_day"], ["order_size"]], 0)
    assert "without the order budget: oms is down" in one.stderr


def test_limits_are_set_by_name_with_a_reason() -> None:
    place = Place()
    done = vikalp(place, "limits", "set", "order_size.max_lots=10", "stale_quote.on=false", "--why", "a quiet day")

    assert done.exit_code == 0, done.output
    expected = ({"order_size.max_lots": 10, "stale_quote.on": False}, getpass.getuser(), "a quiet day")
    assert place.client.changed == [expected]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--why", "x"), "nothing to set"),
        (("order_size.max_lots=10",), "a reason is needed"),
        (("order_size=10", "--why", "x"), "expected NAME.FIELD=VALUE"),
        (("order_size.max_lots", "--why", "x"), "expected NAME.FIELD=VALUE"),
    ],
)
def test_what_is_no_change_of_a_limit_is_refused(words: tuple[str, ...], says: str) -> None:
    place = Place()
    done = vikalp(place, "limits", "set", *words)

    assert (done.exit_code, place.client.changed) == (2, [])
    assert says in done.stderr
