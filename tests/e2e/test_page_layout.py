"""Nothing on the page is ever cut: at the widths of a desk, of laptops and of a phone, with prices of five digits."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import TOKEN, Gateway, until
from tests.e2e.on_page import load

pytestmark = pytest.mark.e2e
SIZES = [(1600, 900), (1440, 900), (1366, 768), (1280, 720), (1024, 768), (390, 844)]

# Every visible text that is wider than its own element, or reaches out of its panel or of the window; what lies in a
# box that scrolls may do the last two. One line that ends in … is no cut figure if the whole of it is in its title.
CUT = """() => {
  const wide = (e) => e.scrollWidth > e.clientWidth && getComputedStyle(e).display !== "inline";
  const cut = [];
  const tops = "#banner *, #strip *, #figures *, #tabs *, ";
  const seen = tops + "#chain th, #chain td, .panel h2, .panel th, .panel td, #ticket *";
  for (const e of document.querySelectorAll(seen)) {
    if (!e.checkVisibility() || !e.textContent.trim() || ["SELECT", "OPTION"].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const whole = e.title || e.closest("tr")?.title || "";
    if (style.textOverflow === "ellipsis" && whole.includes(e.textContent)) continue;
    if (wide(e) && !["auto", "scroll"].includes(style.overflowX)) cut.push(`${e.id || e.className}: ${e.textContent}`);
    const right = e.getBoundingClientRect().right;
    for (let box = e.parentElement; box; box = box.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(box).overflowX) && box !== document.body) break;
      const holds = box.matches(".panel, #banner, #strip, #figures, #tabs, body");
      if (holds && right > box.getBoundingClientRect().right + 1)
        cut.push(`${e.id || e.className} out of ${box.id || box.tagName}: ${e.textContent}`);
    }
  }
  return cut;
}"""


@pytest.fixture(scope="module")
def traded(gateway: Gateway) -> Gateway:
    """A desk with an order that was refused at length, one that is open, and positions of large sums."""
    until(lambda: httpx.get(f"{gateway.url}/api/chain/SENSEX", timeout=30).status_code == 200, "a chain")
    chain = httpx.get(f"{gateway.url}/api/chain/SENSEX", timeout=30).json()
    dear = [row for row in chain["contracts"] if row["bid_paise"] > 2_000_000]
    assert len(dear) >= 2
    for row, lots, limit in ((dear[0], 19, 2_456_785), (dear[1], 19, 2_456_785), (dear[0], 500, 100), (dear[0], 1, 5)):
        order = {"symbol": row["symbol"], "side": "BUY", "lots": lots, "limit_paise": limit}
        answer = httpx.post(
            f"{gateway.url}/api/orders", json=order, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )
        assert answer.status_code == 200, answer.text
    return gateway


def look_at(page: Page, url: str, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    load(page, url)
    page.locator("#index-tab-SENSEX").click()
    expect(page.locator("#chain-index")).to_have_text("SENSEX")
    expect(page.locator("#orders td.said", has_text="an order may be")).not_to_have_count(0)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_text_is_cut(page: Page, traded: Gateway, width: int, height: int) -> None:
    look_at(page, traded.url, width, height)

    cut = page.evaluate(CUT)

    assert not cut, cut
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("bid", "ask", "ltp"):
        assert page.locator(f"#chain-body tr.atm td.c-{name}").first.is_visible()
    expect(page.locator("#exit-all")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_text_is_cut_on_a_cached_chain(page: Page, tmp_path: Path, width: int, height: int) -> None:
    """Its words are the longest there are: of a chain of the tape, before anybody has logged in."""
    paper = Gateway(tmp_path, "--paper")
    page.set_viewport_size({"width": width, "height": height})
    load(page, paper.url)
    expect(page.locator("#provenance")).to_contain_text("entries are refused, exits pass")
    expect(page.locator("#strip-NIFTY-age")).to_contain_text("cached")

    cut = page.evaluate(CUT)
    assert paper.end() == 0

    assert not cut, cut
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_least_important_columns_go_first_and_come_back(page: Page, traded: Gateway) -> None:
    look_at(page, traded.url, 1600, 900)
    assert page.locator("#chain thead th.c-oi_change").first.is_visible()

    page.set_viewport_size({"width": 1280, "height": 720})

    expect(page.locator("#chain thead th.c-oi_change").first).to_be_hidden()
    expect(page.locator("#chain thead th.c-iv").first).to_be_visible()
    expect(page.locator("#columns label.no-room").first).to_have_attribute("title", "the window is too narrow for it")
    page.set_viewport_size({"width": 1600, "height": 900})
    expect(page.locator("#chain thead th.c-oi_change").first).to_be_visible()


def test_on_a_phone_the_chain_scrolls_in_its_own_box_and_the_panels_stack(page: Page, traded: Gateway) -> None:
    look_at(page, traded.url, 390, 844)

    boxes = [
        page.locator(f"#{name}").bounding_box() for name in ("chain-box", "ticket", "panel-orders", "panel-actors")
    ]
    tops = [box["y"] for box in boxes if box]

    assert tops == sorted(tops)
    assert len(tops) == 4
    assert page.evaluate(
        "(() => { const b = document.getElementById('chain-box'); return b.scrollWidth > b.clientWidth })()"
    )
    page.evaluate("document.getElementById('chain-box').scrollLeft = 0")
    expect(page.locator("#chain-body tr.atm th.strike")).to_be_in_viewport(ratio=1)  # it stays in sight


def test_more_greeks_are_a_tick_away_and_the_browser_remembers(page: Page, gateway: Gateway) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    load(page, gateway.url)
    for name in ("gamma", "vega", "rho"):
        assert page.locator(f"#chain thead th.c-{name}").first.is_hidden()
    page.locator("#columns summary").click()
    page.locator("#column-gamma").check()
    expect(page.locator("#chain thead th.c-gamma").first).to_be_visible()

    load(page, gateway.url)

    expect(page.locator("#chain thead th.c-gamma").first).to_be_visible()
    expect(page.locator("#chain thead th.c-rho").first).to_be_hidden()


def test_eighteen_expiries_are_one_line_that_scrolls(page: Page, gateway: Gateway) -> None:
    load(page, gateway.url)
    page.locator("#index-tab-FINNIFTY").click()
    expect(page.locator("#expiries .tab")).to_have_count(18)

    heights = page.evaluate("[...document.querySelectorAll('#expiries .tab')].map((tab) => tab.offsetHeight)")

    assert max(heights) < 30
    page.locator("#expiries .tab").last.click()
    expect(page.locator("#expiries .tab").last).to_have_class("tab on")
    expect(page.locator("#expiries .tab").last).to_be_in_viewport(ratio=0.99)


def test_a_long_refusal_is_one_line_and_a_click_shows_it_whole(page: Page, traded: Gateway) -> None:
    look_at(page, traded.url, 1280, 720)
    row = page.locator("#orders tbody tr", has_text="REFUSED").first
    box = row.bounding_box()
    assert box is not None
    assert box["height"] < 24
    assert "allowed 20 lots" in str(row.get_attribute("title"))

    row.click()

    expect(row).to_have_attribute("data-open", "")
    assert row.locator("td.said").evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
