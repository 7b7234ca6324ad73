"""What the page says of the kill switch, plans, books and limits, and what it does when it is asked to steer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.records import Alert, Intent, Kill, LimitUse, PlanStatus, PlanWord, Position
from gateway import panels
from gateway.actions import Actions
from gateway.books import with_nets
from gateway.limits import cells, near
from gateway.view import Shown, banner
from tests.e2e import synthetic
from tests.unit.gateway.world import World

S = 1_000_000_000
CALL = synthetic.symbol("NIFTY", synthetic.EXPIRY_DAYS[0], 25_900, synthetic.Kind.CALL)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.fill()
    return made


def shown(world: World) -> Shown:
    world.poll.once()
    found = Shown()
    panels.banner(world.context, found)
    kept = world.store.latest("NIFTY")
    assert kept is not None
    banner(world.context, kept, found)
    return found


def take(world: World, **asked: Any) -> dict[str, Any]:
    said: list[dict[str, Any]] = []
    actions = Actions(world.context, lambda about, **words: said.append({"about": about, **words}), "page from 1.2.3.4")
    asyncio.run(actions.take(asked))
    return said[-1]


def intent(tag: str, **change: Any) -> Intent:
    made = Intent(tag=tag, strategy="manual", index="NIFTY", symbol=CALL, side="BUY", quantity=75, order_type="LIMIT",
                  limit_paise=5_000, created_ns=synthetic.OPEN_NS)  # fmt: skip
    return msgspec.structs.replace(made, **change)


def test_the_kill_switch_says_who_why_when_and_what_is_left(world: World) -> None:
    assert (shown(world).texts["killed-says"], shown(world).classes["killed"]) == ("", "")
    world.desk.submit(intent("A"))
    world.desk.kill("all is red", "asha", square_off=False)
    world.desk.submit(intent("B"))
    found = shown(world)

    assert found.classes["killed"] == "on"
    assert found.texts["killed-says"] == (
        "Pulled by asha at 09:15:00 IST, market: all is red. Nothing is sent; every order is over, 1 position open."
    )
    world.desk.switch = Kill(pulled=True, who="asha", why="x", square_off=True)
    assert shown(world).texts["killed-says"].endswith("every order is over, 1 position being closed.")


def test_the_page_kills_and_releases_with_its_name_and_a_reason(world: World) -> None:
    killed = take(world, do="kill", why="  a wrong  price ", square_off=True)
    switch = world.desk.switch
    released = take(world, do="release", why="it was a test")

    assert switch == Kill(pulled=True, who="page from 1.2.3.4", why="a wrong price", square_off=True,
                          at_ns=synthetic.OPEN_NS)  # fmt: skip
    assert (killed["text"], killed["tone"]) == ("KILLED: a wrong price", "bad")
    assert (released["text"], world.desk.switch) == ("the kill switch is released; orders are HALTED", None)


@pytest.mark.parametrize("what", ["kill", "release", "end"])
def test_without_a_reason_nothing_is_steered(world: World, what: str) -> None:
    for why in ("", " ", None):
        said = take(world, do=what, why=why, plan="P")
        assert "a reason is needed" in said["text"]
        assert said["failed"]
    assert world.desk.switch is None


@pytest.mark.parametrize("square_off", ["true", 1, None])
def test_only_a_yes_squares_off(world: World, square_off: object) -> None:
    take(world, do="kill", why="x", square_off=square_off)

    assert world.desk.switch is not None
    assert not world.desk.switch.square_off


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("ACTIVE", "entries are refused, exits pass"),
        ("REDUCING", "entries are refused, exits pass"),
        ("HALTED", "entries and exits are refused, orders are HALTED"),
        ("UNREACHABLE", "nothing can be sent, the order manager does not answer"),
    ],
)
def test_a_cached_chain_says_what_passes_by_the_order_managers_own_state(world: World, state: str, says: str) -> None:
    status = msgspec.structs.replace(world.desk.status(), oms_state=state)
    world.desk.status = lambda: status  # type: ignore[method-assign]
    later = world.clock.wall_ns() + 60 * S
    world.clock.wall_ns = lambda: later  # type: ignore[method-assign]
    found = shown(world).texts

    assert found["provenance"].endswith(f": {says}")
    assert found["what-passes"] == says


def test_a_rehearsal_is_never_called_live_alone(world: World) -> None:
    status = msgspec.structs.replace(world.desk.status(), mode="LIVE", rehearsal=True)
    world.desk.status = lambda: status  # type: ignore[method-assign]
    found = shown(world)

    assert (found.texts["mode"], found.classes["mode"]) == ("LIVE REHEARSAL", "mode mode-live-rehearsal")


def alert(age_s: int, severity: str, subject: str, message: str) -> Alert:
    return Alert(at_wall_ns=1_000 * S - age_s * S, severity=severity, subject=subject, message=message)  # type: ignore[arg-type]


def test_a_recovery_stands_before_its_alarm_and_takes_its_red_away() -> None:
    lost = alert(900, "alarm", "link.1", "no prices")
    other = alert(800, "info", "oms", "something else")
    back, again = alert(700, "info", "link.1", "prices come again"), alert(600, "alarm", "link.1", "no prices anew")

    assert panels.current([lost, other], 1_000 * S) == [lost]
    assert panels.current([lost, other, back], 1_000 * S) == [back, lost]
    assert panels.current([lost, other, back, again], 1_000 * S) == [again]


def test_an_alarm_that_is_over_is_no_longer_red(world: World) -> None:
    now = world.clock.wall_ns()
    lost = Alert(at_wall_ns=now - 900 * S, severity="alarm", subject="link.1", message="no prices")
    world.desk.alerts = (lost,)
    assert shown(world).classes["trouble"] == "on bad"
    back = msgspec.structs.replace(lost, at_wall_ns=now - 800 * S, severity="info", message="prices come again")
    world.desk.alerts = (lost, back)

    assert shown(world).classes["trouble"] == "on"


def test_a_circuit_breaker_that_is_not_closed_is_on_the_page_and_unhealthy(world: World) -> None:
    status = msgspec.structs.replace(world.desk.status(), breaker="HALF_OPEN: 3 orders without an answer")
    world.desk.status = lambda: status  # type: ignore[method-assign]
    found = shown(world)

    assert "circuit breaker HALF_OPEN: 3 orders without an answer" in found.texts["trouble"]
    assert found.classes["trouble"] == "on"
    assert (
        "the circuit breaker is HALF_OPEN: 3 orders without an answer" in world.client.get("/health").json()["reasons"]
    )


def rows(world: World, table: str) -> list[dict[str, Any]]:
    world.poll.once()
    return panels.tables(world.context)[table]


def texts(row: dict[str, Any]) -> list[str]:
    return [text for text, _ in row["cells"]]


def test_an_order_shows_what_rests_and_that_it_was_modified(world: World) -> None:
    world.desk.submit(
        intent("A", side="SELL", order_type="SL", limit_paise=9_500, trigger_paise=10_000, validity="IOC")
    )
    before = texts(rows(world, "orders")[0])
    take(world, do="modify", tag="A", trigger="105.05", limit="")
    after = rows(world, "orders")[0]

    assert before[5:8] == ["SL IOC", "100.00", "95.00"]
    assert texts(after)[5:8] == ["SL IOC", "105.05", "95.00"]
    assert "modified 1 times, first 95.00" in after["title"]
    assert [class_ for _, class_ in after["cells"]][5:8] == ["moved", "n moved", "n moved"]
    assert json.loads(texts(after)[10]) == {
        "says": f"SELL 75 {CALL}", "limit": "95.00", "trigger": "105.05", "type": "SL"
    }  # fmt: skip


def test_a_modification_that_was_refused_says_so(world: World) -> None:
    world.desk.submit(intent("A", limit_paise=50))
    done, refused = take(world, do="modify", tag="A", limit="51"), take(world, do="modify", tag="A", limit="666")

    assert (done["text"], done["tone"]) == (f"BUY 75 {CALL}: modified", "good")
    assert (refused["text"], refused["tone"]) == (f"BUY 75 {CALL}: the broker refused to modify it: too late", "bad")
    assert "expected rupees above 0" in take(world, do="modify", tag="A", limit="0.001")["text"]
    assert "nothing to modify" in take(world, do="modify", tag="A")["text"]
    assert take(world, do="modify", tag="NOSUCH", limit="1")["failed"]


def held(strategy: str, quantity: int, product: str = "NRML", gross: int = 100) -> Position:
    return Position(symbol=CALL, index="NIFTY", quantity=quantity, average_paise=50.0, last_paise=60, realised_paise=0,
                    unrealised_paise=gross, charges_paise=7, strategy=strategy, product=product)  # type: ignore[arg-type]  # fmt: skip


def test_each_book_has_its_row_and_several_of_one_contract_and_product_their_net() -> None:
    books = [held("manual", 75), held("ema", -150), held("ema", 75, "MIS")]
    found = with_nets(books)

    assert [(p.strategy, p.product, p.quantity) for p in found] == [
        ("ema", "MIS", 75), ("ema", "NRML", -150), ("manual", "NRML", 75), ("", "NRML", -75)
    ]  # fmt: skip
    assert (found[-1].gross_paise, found[-1].charges_paise, found[-1].average_paise) == (200, 14, 0.0)


def test_the_way_out_of_a_row_is_of_its_strategy_and_product_and_a_net_has_none(world: World) -> None:
    books = [held("manual", 75), held("ema", -150), held("ema", 30, "MIS")]
    world.desk.positions = lambda: books  # type: ignore[method-assign]
    found = {row["key"]: texts(row) for row in rows(world, "positions")}

    assert list(found) == [f"{key}-{CALL}" for key in ("ema-MIS", "ema-NRML", "manual-NRML", "net-NRML")]
    out = json.loads(found[f"ema-NRML-{CALL}"][-1])
    assert (out["side"], out["lots"], out["limit"], out["strategy"], out["product"]) == (
        "BUY",
        2,
        "0.60",
        "ema",
        "NRML",
    )
    assert found[f"net-NRML-{CALL}"][-1] == found[f"ema-MIS-{CALL}"][-1] == ""  # the latter is less than a lot


def test_an_exit_from_the_page_leaves_the_book_it_was_asked_for(world: World) -> None:
    out = {"do": "order", "symbol": CALL, "side": "SELL", "lots": "1", "type": "LIMIT", "limit": "50.05",
           "purpose": "exit", "strategy": "ema", "product": "MIS"}  # fmt: skip
    take(world, **out)
    entry = take(world, **out | {"purpose": "entry"})

    (sent,) = world.desk.book.values()
    assert (sent.intent.strategy, sent.intent.product, sent.intent.purpose) == ("ema", "MIS", "exit")
    assert "whose position an exit leaves" in entry["text"]


def test_plans_show_what_they_said_last_running_ones_first(world: World) -> None:
    word = PlanWord(plan_id="P1", key="k", severity="alarm", message="the stop was jumped", at_ns=synthetic.OPEN_NS)
    plans = [
        PlanStatus(plan_id="P1", kind="square_off", strategy="ema", index="NIFTY", running=True, body="", words=(word,),
                   created_ns=5),
        PlanStatus(plan_id="P2", kind="twap", strategy="manual", index="NIFTY", running=False, body="", created_ns=9),
    ]  # fmt: skip
    world.desk.plans = lambda: plans  # type: ignore[method-assign]
    found = rows(world, "plans")

    assert [row["key"] for row in found] == ["P1", "P2"]
    assert texts(found[0]) == ["square off", "NIFTY ema", "running", "end", "the stop was jumped"]
    assert found[0]["cells"][-1][1] == "said bad"
    assert "09:15:00 the stop was jumped" in found[0]["title"]
    assert texts(found[1]) == ["twap", "NIFTY manual", "over", "", ""]


def test_a_plan_is_ended_from_the_page(world: World) -> None:
    world.desk.begun["P1"] = PlanStatus(plan_id="P1", kind="twap", strategy="m", index="NIFTY", running=True, body="")
    said = take(world, do="end", plan="P1", why="enough")

    assert said["text"] == "plan P1 is over"
    assert not world.desk.begun["P1"].running
    assert take(world, do="end", plan="P2", why="enough")["failed"]


@pytest.mark.parametrize(
    ("use", "says", "tone"),
    [
        (LimitUse(limit="fall of ema", used=8_000, allowed=10_000, unit="rupees"), "₹8,000.00 of ₹10,000.00", "slow"),
        (LimitUse(limit="delta", used=79, allowed=100, unit="rupees per 1 %"), "₹79.00 of ₹100.00 per 1 %", ""),
        (LimitUse(limit="a", used=0.3, allowed=0.3, unit="of the mid"), "30.00 % of the mid, at most 30.00 %", "bad"),
        (LimitUse(limit="duplicate", used=0, allowed=1_500, unit="ms"), "0 of 1.5 s", ""),
        (LimitUse(limit="contract", used=0, allowed=1, unit="contract"), "every order is held against it", ""),
    ],
)  # fmt: skip
def test_a_limit_is_said_in_its_unit_and_warns_from_80_percent(
    world: World, use: LimitUse, says: str, tone: str
) -> None:
    (_, bar), (words, _) = cells(use, world.context)

    assert (words, bar) == (says, f"bar {tone}")
    assert near(use, world.context) == bool(tone)


def test_the_head_of_the_limits_counts_those_near_their_end(world: World) -> None:
    uses = [LimitUse(limit=f"var of {n}", used=n, allowed=10, unit="rupees") for n in (7, 8, 12)]
    budget = [LimitUse(limit="orders_a_day", used=900, allowed=1_000, unit="orders a day")]
    world.desk.limits, world.desk.budget = lambda: uses, lambda: budget  # type: ignore[method-assign]

    assert shown(world).texts["limits-warned"] == "3 at 80 % or more"
    assert [row["key"] for row in rows(world, "limits")] == ["var-of-7", "var-of-8", "var-of-12", "orders_a_day"]
    assert cells(budget[0], world.context)[1] == ("900 of 1,000 orders a day", "says slow")
