"""The page against a gateway on an invented desk: what is shown is what the API says, and a person can trade."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import TOKEN, Gateway, until
from tests.e2e.on_page import compare, load

pytestmark = pytest.mark.e2e


def atm(page: Page, side: str, column: str) -> str:
    """Symbol of the contract at the money."""
    cell = page.locator(f"#chain-body tr.atm td.c-{column}[data-side={side}]")
    return str(cell.get_attribute("data-symbol"))


def fill_ticket(page: Page, symbol: str, column: str, lots: str, limit: str = "") -> None:
    page.locator(f"#cell-{symbol}-{column}").click()
    expect(page.locator("#ticket-symbol")).to_have_text(symbol)
    page.locator("#ticket-lots").fill(lots)
    if limit:
        page.locator("#ticket-limit").fill(limit)


def send(page: Page) -> None:
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-send")).to_contain_text("Confirm")
    page.locator("#ticket-send").click()


def test_every_figure_on_the_page_is_the_apis_at_the_same_sequence(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)

    first, figures = compare(page, gateway.url)
    until(lambda: int(page.locator("#chain-sequence").inner_text()) > first + 3, "the chain moves")
    second, _ = compare(page, gateway.url)

    assert second > first
    assert figures > 1_000


def test_another_index_and_expiry_are_shown_whole(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    page.locator("#index-tab-SENSEX").click()
    expect(page.locator("#chain-index")).to_have_text("SENSEX")
    page.locator("#expiry-2026-12-29").click()
    expect(page.locator("#chain-expiry")).to_have_text("2026-12-29")

    compare(page, gateway.url)

    expect(page.locator("#expiry-2026-12-29-left")).to_contain_text("lot 20")
    expect(page.locator("#figure-vix")).to_have_text("–")


def test_rows_stay_the_same_nodes_while_figures_change(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    page.evaluate("document.querySelectorAll('#chain-body td').forEach((cell) => (cell.marked = true))")
    before = int(page.locator("#chain-sequence").inner_text())
    until(lambda: int(page.locator("#chain-sequence").inner_text()) > before + 4, "the chain moves")

    assert page.evaluate("[...document.querySelectorAll('#chain-body td')].every((cell) => cell.marked)")


def test_an_order_shows_margin_first_then_its_fill_and_position(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    symbol = atm(page, "call", "ask")
    fill_ticket(page, symbol, "ask", "2", "150.05")
    expect(page.locator("#ticket-quantity")).to_have_text("150")
    expect(page.locator("#ticket-margin")).to_have_text("₹22,507.50")
    expect(page.locator("#ticket-estimate")).to_have_text("estimate")

    send(page)

    expect(page.locator("#ticket-message")).to_contain_text(f"COMPLETE: BUY 150 {symbol}")
    expect(page.locator(f"#positions-manual-NRML-{symbol}-quantity")).to_have_text("150")
    orders = httpx.get(f"{gateway.url}/api/orders", timeout=30).json()
    mine = next(order for order in reversed(orders) if order["intent"]["symbol"] == symbol)
    expect(page.locator(f"#orders-{mine['intent']['tag']}-state")).to_have_text("COMPLETE")
    assert (mine["intent"]["limit_paise"], mine["filled_quantity"]) == (15_005, 150)


def test_a_refusal_is_said_in_words(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "put", "bid"), "bid", "500", "100")

    send(page)

    expect(page.locator("#ticket-message")).to_contain_text("REFUSED: SELL 37,500")
    expect(page.locator("#orders td.said").first).to_contain_text("an order may be 20 lots")


def test_an_open_order_is_cancelled_and_exit_all_asks_first(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "0.05")
    send(page)
    open_row = page.locator("#orders tr.live").first
    tag = str(open_row.get_attribute("id")).removeprefix("orders-")
    page.locator(f"#cancel-{tag}").click()
    expect(page.locator(f"#orders-{tag}-state")).to_have_text("CANCELLED")

    page.locator("#exit-all").click()
    page.locator("#exit-cancel").click()
    expect(page.locator("#exit-dialog")).to_be_hidden()
    page.locator("#exit-all").click()
    page.locator("#exit-confirm").click()

    expect(page.locator("#ticket-message")).to_contain_text("exit all:")


def test_a_restarting_shard_is_seen_and_its_recovery_too(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    gateway.say("crash")
    expect(page.locator("#actors-shard\\.NIFTY-state")).to_have_text("RESTARTING")
    expect(page.locator("#strip-NIFTY-age")).to_have_class("age bad")
    expect(page.locator("#chain-box")).to_have_class("stale")
    assert httpx.get(f"{gateway.url}/health", timeout=30).status_code == 503

    gateway.say("well")

    expect(page.locator("#actors-shard\\.NIFTY-state")).to_have_text("READY")
    expect(page.locator("#strip-NIFTY-age")).not_to_have_class("age bad")
    expect(page.locator("#chain-box")).not_to_have_class("stale")


def test_nothing_beside_the_chain_is_cut_off(page: Page, gateway: Gateway) -> None:
    page.set_viewport_size({"width": 1600, "height": 900})
    load(page, gateway.url)
    gateway.say("worn")
    expect(page.locator("#actors-strategy\\.ema_channel-gaps")).to_have_text("13 gaps")

    cut = page.locator("#side").evaluate("""side => [...side.querySelectorAll("td")].filter((cell) =>
        cell.scrollWidth > cell.clientWidth
        || cell.getBoundingClientRect().right > side.getBoundingClientRect().right).map((cell) => cell.id)""")
    gateway.say("fresh")

    assert cut == []


def test_a_desk_that_does_not_answer_is_said_to_be_unreachable(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    gateway.say("down")
    expect(page.locator("#trouble")).to_contain_text("status unreachable: supervisor did not answer")

    gateway.say("up")

    expect(page.locator("#trouble")).to_have_text("")


def test_a_gateway_that_is_gone_leaves_nothing_on_the_page_that_looks_well(page: Page, tmp_path: Path) -> None:
    gone = Gateway(tmp_path)
    load(page, gone.url)
    expect(page.locator("#oms-state")).to_have_text("ACTIVE")

    assert gone.end() == 0

    expect(page.locator("#connection")).to_have_text(re.compile(r"^no connection to the desk since \d\d:\d\d:\d\d$"))
    expect(page.locator("#chain-box")).to_have_class("stale")
    expect(page.locator("#provenance")).to_have_text(re.compile(r"^cached, not heard of since \d\d:\d\d:\d\d$"))
    expect(page.locator("#strip-NIFTY-age")).to_have_class("age bad")
    for name in ("phase", "oms-state", "ledger-state"):
        expect(page.locator(f"#{name}")).to_have_text("unknown")
    first = float(str(page.locator("#strip-NIFTY-age").text_content()).removesuffix("s"))
    until(
        lambda: float(str(page.locator("#strip-NIFTY-age").text_content()).removesuffix("s")) > first + 1, "ages count"
    )
    page.locator("#chain-body tr.atm td.c-ask[data-side=call]").click()
    send(page)
    expect(page.locator("#ticket-message")).to_have_text("no connection to the desk: nothing was sent")


def test_a_pause_of_the_desk_is_forgotten_when_it_speaks_again(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    # As on a slow line: nothing comes for a while, and then all of it.
    page.evaluate("() => { [hear, late] = [desk.apply, []]; desk.apply = (message) => late.push(message); }")
    expect(page.locator("#connection")).to_contain_text("no connection to the desk since")
    expect(page.locator("#actors-oms-state")).to_have_text("unknown")

    page.evaluate("() => { desk.apply = hear; late.forEach(hear); }")

    expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator("#oms-state")).to_have_text("ACTIVE")
    expect(page.locator("#actors-oms-state")).to_have_text("READY")
    expect(page.locator("#strip-NIFTY-age")).to_have_class("age good")
    expect(page.locator("#provenance")).to_have_text("simulated")
    expect(page.locator("#chain-box")).not_to_have_class("stale")
    _, figures = compare(page, gateway.url)
    assert figures > 1_000, "the chain is still there"


def test_an_alert_has_its_time_and_is_whole_in_its_title_and_an_alarm_stays(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    trouble = page.locator("#trouble")
    gateway.say("warn")
    expect(trouble).to_have_text(
        re.compile(r"^\d\d:\d\d:\d\d by the wall clock, warning: shard.SENSEX: started again, .* by its id$")
    )
    expect(trouble).to_have_attribute("title", str(trouble.text_content()))
    gateway.say("quiet")
    expect(trouble).to_have_text("")

    gateway.say("old")
    gateway.say("alarm")

    expect(trouble).to_have_text(re.compile(r"^\d\d:\d\d:\d\d by the wall clock, alarm: shard.SENSEX"))
    gateway.say("quiet")
    expect(trouble).to_have_text("")


def test_orders_show_when_they_were_made_newest_first(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    fill_ticket(page, atm(page, "call", "ask"), "ask", "1", "0.05")
    send(page)
    row = page.locator("#orders tbody tr").first
    expect(row).to_have_class("live")
    tag = str(row.get_attribute("id")).removeprefix("orders-")
    made = page.locator(f"#orders-{tag}-time").text_content()
    clock = str(page.locator("#market-clock").text_content())
    until(lambda: page.locator("#market-clock").text_content() != clock, "a second goes by")
    page.locator(f"#cancel-{tag}").click()

    expect(page.locator(f"#orders-{tag}-state")).to_have_text("CANCELLED")

    expect(page.locator(f"#orders-{tag}-time")).to_have_text(str(made))
    expect(page.locator("#orders tbody tr").first).to_have_attribute("id", f"orders-{tag}")


def test_the_page_needs_nothing_from_elsewhere_and_does_not_scroll_sideways(page: Page, gateway: Gateway) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    load(page, gateway.url)

    elsewhere = [url for url in asked if not url.startswith((gateway.url, "data:", f"ws://127.0.0.1:{gateway.port}"))]

    assert not elsewhere
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "document.getElementById('chain-box').scrollWidth <= document.getElementById('chain-box').clientWidth"
    )


def test_an_order_over_the_api_needs_the_token(gateway: Gateway) -> None:
    chain = httpx.get(f"{gateway.url}/api/chain/BANKNIFTY", timeout=30).json()
    symbol = chain["contracts"][0]["symbol"]
    order = {"symbol": symbol, "side": "BUY", "lots": 1, "limit_paise": 5_000}

    without = httpx.post(f"{gateway.url}/api/orders", json=order, timeout=30)
    having = httpx.post(
        f"{gateway.url}/api/orders", json=order, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
    )

    assert without.status_code == 401
    assert having.json()["intent"]["quantity"] == 35
    assert having.json()["state"] == "COMPLETE"
