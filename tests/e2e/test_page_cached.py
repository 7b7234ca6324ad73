"""Live, then cached: each step is said on the page, and on a cached chain the ticket takes no entry."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Gateway, until
from tests.e2e.on_page import compare, load
from tests.e2e.test_page import atm, fill_ticket, send

pytestmark = pytest.mark.e2e
CACHED = re.compile(r"^cached \d+\.\ds, simulated: entries are refused, exits pass$")
SMILE = """() => {
  for (let id = 0; id < 1000; id++) {
    const found = getElement(id);
    if (found?.$el?.id !== "smile") continue;
    const option = found.chart.getOption();
    return [option.series.reduce((sum, one) => sum + one.data.length, 0), option.title[0].text];
  }
}"""


@pytest.fixture
def silent(gateway: Gateway) -> Iterator[Gateway]:
    """NIFTY has stopped, the others go on."""
    until(lambda: httpx.get(f"{gateway.url}/api/chain/NIFTY", timeout=30).status_code == 200, "a chain")
    gateway.say("crash")
    yield gateway
    gateway.say("well")


def test_a_chain_that_stops_is_cached_with_its_age_counting_up(page: Page, silent: Gateway) -> None:
    load(page, silent.url)
    says, age = page.locator("#provenance"), page.locator("#strip-NIFTY-age")
    expect(says).to_have_text(CACHED)
    expect(says).to_have_class("is-cached")
    expect(page.locator("#chain-box")).to_have_class("stale")
    expect(page.locator("#figures")).to_have_css("opacity", "0.5")
    first = float(re.findall(r"[\d.]+", str(says.text_content()))[0])
    until(lambda: float(re.findall(r"[\d.]+", str(says.text_content()))[0]) > first + 1, "the age counts up")
    expect(age).to_have_text(re.compile(r"^cached \d+\.\ds$"))
    assert httpx.get(f"{silent.url}/api/chain/NIFTY", timeout=30).json()["provenance"]["kind"] == "cached"

    page.locator("#index-tab-SENSEX").click()

    expect(page.locator("#chain-index")).to_have_text("SENSEX")
    expect(says).to_have_text("simulated")
    expect(page.locator("#chain-box")).not_to_have_class("stale")
    expect(page.locator("#figures")).to_have_css("opacity", "1")


def test_on_a_cached_chain_the_ticket_refuses_an_entry_before_it_is_sent_and_takes_an_exit(
    page: Page, silent: Gateway
) -> None:
    load(page, silent.url)
    expect(page.locator("#provenance")).to_have_text(CACHED)
    sent = len(httpx.get(f"{silent.url}/api/orders", timeout=30).json())
    symbol = atm(page, "call", "ask")
    fill_ticket(page, symbol, "ask", "1", "0.05")
    expect(page.locator("#ticket-message")).to_contain_text("NIFTY is cached")
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-message")).to_have_text(
        re.compile(r"^NIFTY is cached \d+\.\ds: entries are refused, exits pass$")
    )
    expect(page.locator("#ticket-send")).to_have_text("Review order")
    expect(page.locator("#ticket-purpose")).to_be_focused()
    page.locator("#ticket-purpose").select_option("hedge")
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-send")).to_have_text("Review order")
    assert len(httpx.get(f"{silent.url}/api/orders", timeout=30).json()) == sent

    page.locator("#ticket-purpose").select_option("exit")
    send(page)

    expect(page.locator("#ticket-message")).to_contain_text(f"OPEN: BUY 75 {symbol}")


def test_the_index_of_the_ticket_decides_not_the_one_looked_at(page: Page, silent: Gateway) -> None:
    load(page, silent.url)
    expect(page.locator("#provenance")).to_have_text(CACHED)
    page.locator("#index-tab-SENSEX").click()
    expect(page.locator("#chain-index")).to_have_text("SENSEX")
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "0.05")
    page.locator("#index-tab-NIFTY").click()
    expect(page.locator("#chain-index")).to_have_text("NIFTY")

    send(page)

    expect(page.locator("#ticket-message")).to_contain_text("OPEN: BUY 20 SENSEX")


def test_before_the_login_the_last_chain_of_the_tape_is_shown_and_then_the_live_one(
    page: Page, tmp_path: object
) -> None:
    paper = Gateway(tmp_path, "--paper")  # type: ignore[arg-type]
    load(page, paper.url)
    expect(page.locator("#mode")).to_have_text("PAPER")
    expect(page.locator("#provenance")).to_have_text(
        re.compile(r"^cached, \d{4}-\d\d-\d\d \d\d:\d\d: entries are refused, exits pass$")
    )
    expect(page.locator("#strip-NIFTY-age")).to_have_text(re.compile(r"^cached \d\d [A-Z][a-z]{2}$"))
    expect(page.locator("#strip-SENSEX-age")).to_have_text("no data")
    compare(page, paper.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "150")
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-message")).to_contain_text(": entries are refused, exits pass")

    paper.say("login")

    expect(page.locator("#provenance")).to_have_text("live")
    expect(page.locator("#provenance")).to_have_class("is-live")
    expect(page.locator("#chain-box")).not_to_have_class("stale")
    compare(page, paper.url)
    assert paper.end() == 0


def test_the_page_remembers_the_index_that_was_looked_at(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    page.locator("#index-tab-BANKNIFTY").click()
    expect(page.locator("#chain-index")).to_have_text("BANKNIFTY")

    load(page, gateway.url)

    expect(page.locator("#chain-index")).to_have_text("BANKNIFTY")
    expect(page.locator("#index-tab-BANKNIFTY")).to_have_class("index-tab on")


def test_after_the_settlement_the_smile_is_empty_and_says_why(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)

    def smile() -> tuple[int, str]:
        """Points and title of the chart as it is drawn."""
        points, title = page.evaluate(SMILE)
        return int(points), str(title)

    until(lambda: smile()[0] > 0, "the smile has points")
    gateway.say("settle")

    until(lambda: smile() == (0, "Implied vol by strike, %: settled"), "the smile is empty")
    expect(page.locator("#chain-body tr.atm td.c-iv").first).to_have_text("settled")
    gateway.say("unsettle")
    until(lambda: smile()[0] > 0 and smile()[1] == "Implied vol by strike, %", "the smile is back")


def test_ages_of_minutes_and_hours_are_counted_on_when_nothing_is_heard(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    ages = {"NIFTY": "cached 59.8s", "SENSEX": "59m59s", "FINNIFTY": "20h59m", "BANKNIFTY": "no data"}
    page.evaluate(
        """(ages) => {
          desk.apply = () => {}; // as if nothing came any more
          for (const [index, age] of Object.entries(ages)) $(`strip-${index}-age`).textContent = age;
        }""",
        ages,
    )
    expect(page.locator("#connection")).to_contain_text("no connection")

    expect(page.locator("#strip-NIFTY-age")).to_have_text(re.compile(r"^cached 1m0\ds$"))
    expect(page.locator("#strip-SENSEX-age")).to_have_text("1h00m")
    expect(page.locator("#strip-FINNIFTY-age")).to_have_text("20h59m")
    expect(page.locator("#strip-BANKNIFTY-age")).to_have_text("no data")
