"""The ticket and the exit dialog: said in words before anything is sent, and once sent never twice."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Gateway, until
from tests.e2e.on_page import load
from tests.e2e.test_page import atm, fill_ticket, send

pytestmark = pytest.mark.e2e


def orders(gateway: Gateway) -> int:
    return len(httpx.get(f"{gateway.url}/api/orders", timeout=30).json())


@pytest.mark.parametrize("lots", ["", "0", "-1", "1.5", "1e1"])
def test_lots_that_are_none_are_said_before_the_review(page: Page, gateway: Gateway, lots: str) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", lots, "150.05")

    page.locator("#ticket-send").click()

    expect(page.locator("#ticket-message")).to_have_text("lots: a whole number of 1 or more")
    expect(page.locator("#ticket-send")).to_have_text("Review order")
    expect(page.locator("#ticket-lots")).to_be_focused()


@pytest.mark.parametrize("limit", ["0", "-5", "1.234", "100.03", "abc", "0.04"])
def test_a_limit_that_is_no_price_is_said_before_the_review(page: Page, gateway: Gateway, limit: str) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "put", "ask"), "ask", "1", limit)

    page.locator("#ticket-limit").press("Enter")

    expect(page.locator("#ticket-message")).to_have_text("limit: a multiple of 0.05 above 0")
    expect(page.locator("#ticket-send")).to_have_text("Review order")


def test_after_an_order_two_more_enters_send_nothing(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    symbol = atm(page, "call", "ask")
    fill_ticket(page, symbol, "ask", "1", "1,150.05")
    page.locator("#ticket-limit").press("Enter")
    page.locator("#ticket-limit").press("Enter")
    expect(page.locator("#ticket-message")).to_contain_text(f"COMPLETE: BUY 75 {symbol}")
    expect(page.locator("#ticket-symbol")).to_have_text("click a price in the chain")
    expect(page.locator("#ticket-limit")).to_have_value("")
    sent = orders(gateway)

    page.locator("#ticket-limit").press("Enter")
    page.locator("#ticket-limit").press("Enter")
    fill_ticket(page, atm(page, "put", "ask"), "ask", "1", "0.05")  # the page still works, and nothing came before this
    send(page)

    expect(page.locator("#ticket-message")).to_contain_text("OPEN: BUY 75")
    assert orders(gateway) == sent + 1


def test_escape_empties_side_limit_and_symbol(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "put", "bid"), "bid", "3", "12.05")
    expect(page.locator("#ticket-sell")).to_have_class("on")

    page.locator("#ticket-limit").press("Escape")

    expect(page.locator("#ticket-symbol")).to_have_text("click a price in the chain")
    expect(page.locator("#ticket-limit")).to_have_value("")
    expect(page.locator("#ticket-lots")).to_have_value("1")
    assert page.locator("#ticket .toggle .on").count() == 0
    expect(page.locator("#ticket-send")).to_be_disabled()


def test_exit_all_says_what_it_closes_and_how(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    symbol = atm(page, "put", "ask")
    fill_ticket(page, symbol, "ask", "2", "200")
    send(page)
    expect(page.locator(f"#positions-manual-NRML-{symbol}-quantity")).not_to_have_text("0")
    held = str(page.locator(f"#positions-manual-NRML-{symbol}-quantity").text_content())

    expect(page.locator("#exit-all")).to_have_text("Cancel & exit all")
    page.locator("#exit-all").click()

    expect(page.locator("#exit-confirm")).to_have_text("Yes, cancel and exit all")
    expect(page.locator("#exit-says")).to_contain_text("Cancel every working order")
    expect(page.locator("#exit-says")).to_contain_text("limit orders that reach up to 5 % beyond the best price")
    expect(page.locator(f"#closing-manual-NRML-{symbol}-quantity")).to_have_text(held.removeprefix("−"))
    expect(page.locator(f"#closing-manual-NRML-{symbol}-side")).to_have_text("SELL")
    page.locator("#exit-confirm").click()
    until(lambda: page.locator("#closing tbody tr").count() == 0, "nothing is left to close")
    page.locator("#exit-all").click()
    expect(page.locator("#exit-says")).to_have_text(
        re.compile(r"^Cancel every working order \(\d+ now\)\? No position is open\.$")
    )
    page.locator("#exit-cancel").click()


def test_an_order_without_an_answer_is_sent_again_as_the_same_order(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "0.05")
    sent = orders(gateway)
    gateway.say("mute")
    send(page)
    expect(page.locator("#ticket-message")).to_contain_text("UNKNOWN: BUY 75")
    expect(page.locator("#ticket-send")).to_have_text("Send again")
    until(lambda: orders(gateway) == sent + 1, "it had been taken")

    page.locator("#ticket-send").click()

    expect(page.locator("#ticket-message")).to_contain_text("OPEN: BUY 75")
    expect(page.locator("#ticket-symbol")).to_have_text("click a price in the chain")
    assert orders(gateway) == sent + 1


def test_a_changed_ticket_is_another_order(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "0.05")
    sent = orders(gateway)
    gateway.say("mute")
    send(page)
    expect(page.locator("#ticket-send")).to_have_text("Send again")

    page.locator("#ticket-limit").fill("0.10")
    expect(page.locator("#ticket-send")).to_have_text("Review order")
    send(page)

    expect(page.locator("#ticket-message")).to_contain_text("OPEN: BUY 75")
    until(lambda: orders(gateway) == sent + 2, "two orders")
