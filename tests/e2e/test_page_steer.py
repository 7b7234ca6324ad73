"""The kill switch, its release, other prices for an order, a plan's end and the way out of a book, by hand."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Gateway, until
from tests.e2e.on_page import load
from tests.e2e.test_page import atm, fill_ticket, send

pytestmark = pytest.mark.e2e


@pytest.fixture
def desk(gateway: Gateway) -> Iterator[Gateway]:
    """The shared gateway; its kill switch is released after the test, whatever became of it."""
    yield gateway
    token = {"Authorization": "Bearer a-token-for-tests"}
    httpx.post(f"{gateway.url}/api/release", json={"why": "the test is over"}, headers=token, timeout=30)
    gateway.say("resume")
    until(lambda: killed(gateway) is None, "it is released")


def killed(gateway: Gateway) -> dict[str, object] | None:
    return httpx.get(f"{gateway.url}/api/kill", timeout=30).json()["kill"]  # type: ignore[no-any-return]


def quiet(page: Page) -> list[str]:
    """What the browser's console says from now on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    return said


def ring_is_full_after(page: Page, press: str) -> None:
    """Press, and wait until the page itself says that it acts."""
    if press == "pointer":
        page.locator("#kill").hover()
        page.mouse.down()
    else:
        page.locator("#kill").focus()
        page.keyboard.down(press)
    expect(page.locator("#kill")).to_have_class("holding")


@pytest.mark.parametrize("press", ["pointer", "Space", "Enter"])
def test_held_long_enough_it_kills_and_a_bar_says_who_why_and_how_to_release(
    page: Page, desk: Gateway, press: str
) -> None:
    said = quiet(page)
    load(page, desk.url)
    expect(page.locator("#killed")).to_be_hidden()
    page.locator("#kill-more summary").click()
    page.locator("#kill-why").fill("all is red")

    ring_is_full_after(page, press)
    expect(page.locator("#killed")).to_be_visible()
    page.mouse.up() if press == "pointer" else page.keyboard.up(press)

    expect(page.locator("#killed-says")).to_have_text(
        re.compile(r"^Pulled by page from 127\.0\.0\.1 at \d\d:\d\d:\d\d IST, market: all is red\. Nothing is sent; .*")
    )
    expect(page.locator("#killed")).to_contain_text("vikalp resume trades")
    expect(page.locator("#oms-state")).to_have_text("HALTED")
    found = killed(desk)
    assert found is not None
    assert (found["why"], found["square_off"]) == ("all is red", False)
    assert said == []


@pytest.mark.parametrize("press", ["pointer", "Space"])
def test_let_go_too_early_it_does_nothing_and_says_so(page: Page, desk: Gateway, press: str) -> None:
    load(page, desk.url)
    ring_is_full_after(page, press)
    page.mouse.up() if press == "pointer" else page.keyboard.up(press)

    expect(page.locator("#kill")).not_to_have_class("holding")
    expect(page.locator("#ticket-message")).to_have_text(
        re.compile(r"^the kill switch was held for \d\.\d s of 1\.5 s: nothing was sent$")
    )
    held_until = time.monotonic() + 2.5  # past the time at which it would have acted
    until(lambda: time.monotonic() > held_until, "time has passed")
    assert killed(desk) is None
    expect(page.locator("#killed")).to_be_hidden()


@pytest.mark.parametrize("away", ["move", "Escape", "Tab"])
def test_a_pointer_that_leaves_and_a_focus_that_goes_let_go_too(page: Page, desk: Gateway, away: str) -> None:
    load(page, desk.url)
    ring_is_full_after(page, "Enter" if away == "Tab" else "pointer")
    if away == "move":
        page.mouse.move(400, 400)
    else:
        page.keyboard.press(away)

    expect(page.locator("#kill")).not_to_have_class("holding")
    expect(page.locator("#ticket-message")).to_contain_text("nothing was sent")
    assert killed(desk) is None
    page.mouse.up()


def test_a_click_does_not_kill(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    page.locator("#kill").click()
    page.locator("#kill").press("Enter")

    expect(page.locator("#ticket-message")).to_contain_text("nothing was sent")
    assert killed(desk) is None


def test_it_squares_off_if_asked_and_what_was_asked_is_refused_until_the_release(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    page.locator("#kill-more summary").click()
    page.locator("#kill-square-off").check()
    ring_is_full_after(page, "pointer")
    expect(page.locator("#killed")).to_be_visible()
    page.mouse.up()
    found = killed(desk)
    assert found is not None
    assert (found["why"], found["square_off"]) == ("from the page", True)

    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "150.05")
    send(page)
    expect(page.locator("#ticket-message")).to_contain_text("the kill switch is pulled by page from 127.0.0.1")

    expect(page.locator("#release-send")).to_be_disabled()
    page.locator("#release-why").fill("  ")
    expect(page.locator("#release-send")).to_be_disabled()
    page.locator("#release-why").press_sequentially("bad news")  # b and s are no sides here
    expect(page.locator("#release-why")).to_have_value("  bad news")
    page.locator("#release-send").click()

    expect(page.locator("#killed")).to_be_hidden()
    expect(page.locator("#ticket-message")).to_contain_text("the kill switch is released; orders are HALTED")
    assert killed(desk) is None


def test_without_a_connection_the_kill_switch_says_that_nothing_was_sent(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    page.context.set_offline(True)
    page.evaluate("window.socket.disconnect()")
    ring_is_full_after(page, "pointer")
    expect(page.locator("#ticket-message")).to_have_text("no connection to the desk: nothing was sent")
    page.mouse.up()
    assert killed(desk) is None


def working(page: Page, desk: Gateway) -> str:
    """The tag of an order that rests."""
    fill_ticket(page, atm(page, "put", "ask"), "ask", "1", "0.05")
    send(page)
    expect(page.locator("#ticket-message")).to_contain_text("OPEN: BUY 75")
    orders = httpx.get(f"{desk.url}/api/orders", timeout=30).json()
    return str([order["intent"]["tag"] for order in orders if order["state"] == "OPEN"][-1])


def test_an_orders_price_is_modified_and_its_row_shows_what_rests(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    tag = working(page, desk)

    page.locator(f"#modify-{tag}").click()
    expect(page.locator("#modify-dialog")).to_be_visible()
    expect(page.locator("#modify-says")).to_contain_text("BUY 75")
    expect(page.locator("#modify-limit")).to_have_value("0.05")
    expect(page.locator("#modify-trigger-box")).to_be_hidden()
    page.locator("#modify-limit").fill("abc")
    page.locator("#modify-send").click()
    expect(page.locator("#modify-message")).to_contain_text("limit: rupees above 0")
    page.locator("#modify-limit").fill("0.10")
    page.locator("#modify-limit").press("Enter")

    expect(page.locator("#modify-dialog")).to_be_hidden()
    expect(page.locator(f"#orders-{tag}-limit")).to_have_text("0.10")
    expect(page.locator(f"#orders-{tag}-limit")).to_have_class(re.compile("moved"))
    expect(page.locator("#ticket-message")).to_contain_text(": modified")
    page.locator(f"#cancel-{tag}").click()
    expect(page.locator(f"#orders-{tag}-state")).to_have_text("CANCELLED")


def test_a_stop_is_sent_with_its_trigger_shown_and_moved(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    fill_ticket(page, atm(page, "put", "bid"), "bid", "1")
    page.locator("#ticket-type").select_option("SL")
    page.locator("#ticket-limit").fill("90")
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-message")).to_have_text("trigger: a multiple of 0.05 above 0")
    page.locator("#ticket-trigger").fill("95")
    send(page)
    expect(page.locator("#ticket-message")).to_contain_text("OPEN: SELL 75")
    row = page.locator("#orders tbody tr.live").first
    tag = str(row.get_attribute("id")).removeprefix("orders-")
    expect(page.locator(f"#orders-{tag}-type")).to_have_text("SL")
    expect(page.locator(f"#orders-{tag}-trigger")).to_have_text("95.00")
    expect(page.locator("#ticket-trigger-box")).to_be_hidden()

    page.locator(f"#modify-{tag}").click()
    page.locator("#modify-trigger").fill("96.05")
    page.locator("#modify-send").click()

    expect(page.locator(f"#orders-{tag}-trigger")).to_have_text("96.05")
    page.locator(f"#cancel-{tag}").click()
    expect(page.locator(f"#orders-{tag}-state")).to_have_text("CANCELLED")


def test_a_plan_is_shown_with_its_last_word_and_ended_after_a_yes(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    desk.say("plan")
    expect(page.locator("#plans-PLAN23-message")).to_have_text("it waits for its entry")
    expect(page.locator("#plans-PLAN23-state")).to_have_text("running")

    page.locator("#end-PLAN23").click()
    expect(page.locator("#end-says")).to_contain_text("End plan PLAN23?")
    page.locator("#end-dialog [data-close]").click()
    expect(page.locator("#plans-PLAN23-state")).to_have_text("running")
    page.locator("#end-PLAN23").click()
    page.locator("#end-send").click()

    expect(page.locator("#plans-PLAN23-state")).to_have_text("over")
    expect(page.locator("#plans-PLAN23-message")).to_have_text("nothing was entered: from the page")
    expect(page.locator("#end-PLAN23")).to_have_count(0)


def test_the_exit_of_a_row_fills_the_ticket_with_the_whole_of_that_book(page: Page, desk: Gateway) -> None:
    load(page, desk.url)
    symbol = atm(page, "call", "ask")
    fill_ticket(page, symbol, "ask", "2", "200")
    page.locator("#ticket-product").select_option("MIS")
    send(page)
    row = f"manual-MIS-{symbol}"
    expect(page.locator(f"#positions-{row}-of")).to_have_text("manual MIS")

    page.locator(f"#leave-{row}").click()

    expect(page.locator("#ticket-symbol")).to_have_text(symbol)
    expect(page.locator("#ticket-lots")).to_have_value("2")
    expect(page.locator("#ticket-purpose")).to_have_value("exit")
    expect(page.locator("#ticket-product")).to_have_value("MIS")
    expect(page.locator("#ticket-sell")).to_have_class("on")
    send(page)
    expect(page.locator("#ticket-message")).to_contain_text(f"COMPLETE: SELL 150 {symbol}")
    expect(page.locator(f"#positions-{row}-quantity")).to_have_text("0")
    expect(page.locator(f"#leave-{row}")).to_have_count(0)
    expect(page.locator("#ticket-product")).to_have_value("NRML")
