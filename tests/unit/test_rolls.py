"""What expires is shown with its next contract and its cost from the desk's quotes, and rolled by a plan."""

import datetime as dt
import json

import msgspec
import pytest

from core.errors import DeskError, InputError
from core.market import charges_at, whole_paise
from core.records import Chain, Position
from core.schemas import CONTRACTS
from gateway.rolls import proposed, start
from tests.unit.cli.fake_world import FakeDesk, Place, chain, rows_of
from tests.unit.cli.test_commands import vikalp

NEAR, NEXT = "NIFTY26D0124500CE", "NIFTY26D0824500CE"
TODAY = dt.date(2026, 11, 20)


class Quoted(FakeDesk):
    """A lot and a short are held of a contract that expires on 1 December; both expiries are quoted."""

    quoted = True

    def chain(self, index: str) -> Chain | None:
        if not self.quoted:
            raise DeskError("shard.NIFTY is down")
        quotes = ((NEAR, dt.date(2026, 12, 1), 12_000), (NEXT, dt.date(2026, 12, 8), 20_000))
        contracts = [
            {"index": "NIFTY", "symbol": symbol, "kind": 2, "expiry": expiry, "strike_paise": 2_450_000,
             "bid_paise": mid - 50, "ask_paise": mid + 50, "bid_qty": 650, "ask_qty": 650, "last_paise": mid}
            for symbol, expiry, mid in quotes
        ]  # fmt: skip
        return Chain(contracts=rows_of(CONTRACTS, contracts), expiries=chain().expiries)

    def positions(self) -> list[Position]:
        (held,) = super().positions()
        return [
            msgspec.structs.replace(held, strategy="ema"),
            msgspec.structs.replace(held, strategy="manual", quantity=-130),
            msgspec.structs.replace(held, strategy="manual", quantity=0, symbol=NEXT),
        ]


def test_what_expires_has_its_next_contract_and_its_cost_at_the_touch() -> None:
    desk = Quoted()
    long, short = proposed(desk, days=11)
    fees = sum(
        charges_at("NIFTY", side, 65, at, TODAY).total for side, at in (("SELL", 11_950), ("BUY", 20_050))
    )  # fmt: skip
    assert (long.symbol, long.into, long.into_expiry) == (NEAR, NEXT, dt.date(2026, 12, 8))
    assert (long.close_paise, long.open_paise, long.spread_paise) == (-65 * 11_950, 65 * 20_050, 2 * 65 * 50)
    assert (long.charges_paise, long.net_paise) == (whole_paise(fees), 65 * 8_100 + whole_paise(fees))
    assert (short.quantity, short.close_paise, short.open_paise) == (-130, 130 * 12_050, -130 * 19_950)
    assert proposed(desk) == []
    assert [row.strategy for row in proposed(desk, days=11, strategy="ema")] == ["ema"]
    assert proposed(desk, days=11, index="SENSEX") == []


def test_each_strategy_has_a_plan_of_its_own() -> None:
    desk = Quoted()
    begun = start(desk, proposed(desk, days=11))
    made = [json.loads(plan.body) for plan in begun]
    assert [(plan["type"], plan["strategy"], plan["legs"][0]["quantity"]) for plan in made] == [
        ("rollover", "ema", 65), ("rollover", "manual", -130),
    ]  # fmt: skip


def test_asked_again_what_is_being_rolled_is_rolled_once() -> None:
    desk = Quoted()
    begun = start(desk, proposed(desk, days=11))
    assert start(desk, proposed(desk, days=11)) == begun, "no answer was heard"
    changed = [msgspec.structs.replace(row, quantity=2 * row.quantity) for row in proposed(desk, days=11)]
    with pytest.raises(
        InputError, match=f"nothing is rolled: {NEAR} of ema is being rolled by plan {begun[0].plan_id}"
    ):
        start(desk, changed)
    assert len(desk.begun) == 2


def test_two_that_ask_at_once_name_the_same_plans_and_after_its_end_it_is_another() -> None:
    one, other = Quoted(), Quoted()
    first, same = (start(desk, proposed(desk, days=11)) for desk in (one, other))
    assert [plan.plan_id for plan in first] == [plan.plan_id for plan in same]
    assert {json.loads(plan.body)["created_ns"] for plan in first} == {0}, "the order manager says when"
    for plan in first:
        one.begun[plan.plan_id] = msgspec.structs.replace(plan, running=False)
    again = start(one, proposed(one, days=11))
    assert not {plan.plan_id for plan in again} & {plan.plan_id for plan in first}


def test_without_a_quote_the_cost_is_not_known_and_nothing_is_rolled() -> None:
    desk = Quoted()
    desk.quoted = False
    rows = proposed(desk, days=11)
    assert all("is not known" in row.why for row in rows)
    with pytest.raises(InputError, match="nothing is rolled: NIFTY26D0124500CE"):
        start(desk, rows)
    with pytest.raises(InputError, match="no position expires"):
        start(desk, [])
    assert desk.begun == {}


def test_by_hand_it_is_shown_and_rolled_after_a_yes() -> None:
    place = Place(Quoted())
    shown = vikalp(place, "roll", "--days", "11")
    assert (shown.exit_code, place.client.begun) == (0, {}), shown.output
    assert NEXT in shown.stdout
    assert vikalp(place, "roll", "--days", "11", "--go", typed="n\n").exit_code == 1
    assert place.client.begun == {}
    done = vikalp(place, "roll", "--days", "11", "--go", "--yes", "--strategy", "ema", "--json")
    assert done.exit_code == 0, done.output
    assert [plan["kind"] for plan in json.loads(done.stdout)] == ["rollover"]
    assert "no position expires that soon" in vikalp(place, "roll").stdout
