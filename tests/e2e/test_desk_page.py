"""The page of a whole desk: prices move, an order placed with the mouse is filled, the held kill switch sells it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ROOT, until
from tests.e2e.on_page import compare, load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
DESK = 7  # desk 0 is a person's
VIKALP = Path(sys.executable).with_name("vikalp")


@pytest.fixture(scope="module")
def desk_url() -> Iterator[str]:
    """A desk of its own, in a home of its own; ended whatever the test does."""
    # Not pytest's folder, which is closed to others: as root, PostgreSQL runs as another user, who must enter it.
    home = Path(tempfile.mkdtemp(prefix="vk-"))
    home.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["VIKALP_HOME"] = str(home)

    def vikalp(*words: str, limit_s: float) -> subprocess.CompletedProcess[str]:
        command = [str(VIKALP), *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )

    try:
        up = vikalp("up", "--detach", "--desk", str(DESK), limit_s=240)
        assert up.returncode == 0, up.stdout + up.stderr
        status = vikalp("status", "--desk", str(DESK), "--json", limit_s=60)
        assert status.returncode == 0, status.stdout + status.stderr
        yield _page_url(status.stdout)
    finally:
        down = vikalp("down", "--desk", str(DESK), limit_s=120)
    assert down.returncode == 0, down.stdout + down.stderr
    shutil.rmtree(home)


def _page_url(status: str) -> str:
    return str(json.loads(status)["urls"]["page"]).rstrip("/")


def test_prices_move_a_paper_order_is_placed_and_its_fill_is_seen(page: Page, desk_url: str) -> None:
    load(page, desk_url)
    expect(page.locator("#mode")).to_have_text("SIMULATED")
    compare(page, desk_url)
    before = page.evaluate("[...document.querySelectorAll('#chain-body td.c-ltp')].map((cell) => cell.textContent)")
    until(
        lambda: (
            page.evaluate("[...document.querySelectorAll('#chain-body td.c-ltp')].map((cell) => cell.textContent)")
            != before
        ),
        "a last price moves",
    )
    expect(page.locator("#oms-state")).to_have_text("ACTIVE")

    ask = page.locator("#chain-body tr.atm td.c-ask[data-side=call]")
    symbol = str(ask.get_attribute("data-symbol"))
    ask.click()
    page.locator("#ticket-type").select_option("MARKET")
    expect(page.locator("#ticket-margin")).to_contain_text("₹")
    page.locator("#ticket-send").click()
    expect(page.locator("#ticket-send")).to_contain_text("Confirm BUY")
    page.locator("#ticket-send").click()

    expect(page.locator("#orders tbody tr").first.locator("td.state")).to_have_text("COMPLETE")
    chain = httpx.get(f"{desk_url}/api/chain/NIFTY", timeout=30).json()
    expect(page.locator(f"#positions-manual-NRML-{symbol}-quantity")).to_have_text(str(chain["expiries"][0]["lot"]))


def test_all_five_indices_are_live(page: Page, desk_url: str) -> None:
    load(page, desk_url)
    for index in ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX"):
        expect(page.locator(f"#strip-{index}-spot")).not_to_have_text("–")
        page.locator(f"#index-tab-{index}").click()
        expect(page.locator("#chain-index")).to_have_text(index)
        compare(page, desk_url)


def test_the_kill_switch_held_on_the_page_stops_the_desk_and_squares_it_off(page: Page, desk_url: str) -> None:
    """What the first test bought is sold again."""
    assert any(one["quantity"] for one in positions(desk_url))
    load(page, desk_url)
    expect(page.locator("#oms-state")).to_have_text("ACTIVE")
    page.locator("#kill-more summary").click()
    page.locator("#kill-why").fill("a drill on the page")
    page.locator("#kill-square-off").check()
    page.locator("#kill").hover()
    page.mouse.down()
    expect(page.locator("#killed")).to_be_visible()
    page.mouse.up()
    expect(page.locator("#killed-says")).to_contain_text("a drill on the page")
    expect(page.locator("#oms-state")).to_have_text("HALTED")

    kill = httpx.get(f"{desk_url}/api/kill", timeout=30).json()["kill"]
    assert (kill["who"], kill["square_off"]) == ("page from 127.0.0.1", True)
    until(lambda: not any(one["quantity"] for one in positions(desk_url)), "everything is squared off")
    page.locator("#release-why").fill("seen")
    page.locator("#release-send").click()
    expect(page.locator("#killed")).to_be_hidden()
    expect(page.locator("#oms-state")).to_have_text("HALTED")


def positions(desk_url: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{desk_url}/api/positions", timeout=30).json())
