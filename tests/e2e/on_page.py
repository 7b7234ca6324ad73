"""What the tests of the page read from it, all of one moment."""

import time
from typing import Any

import httpx
from playwright.sync_api import Page

from gateway.format import COLUMNS, FIGURES

# One evaluation is one moment: no push can come between two reads.
READ = """() => {
  const text = (id) => document.getElementById(id)?.textContent;
  const cells = {};
  document.querySelectorAll("#chain-body td[id]").forEach((cell) => (cells[cell.id] = cell.textContent));
  const figures = {};
  document.querySelectorAll("#figures span[id]").forEach((span) => (figures[span.id] = span.textContent));
  return { index: text("chain-index"), expiry: text("chain-expiry"), sequence: text("chain-sequence"), cells, figures };
}"""


def load(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("#chain-body tr.atm")


def compare(page: Page, url: str, limit_s: float = 60.0) -> tuple[int, int]:
    """Assert that page and API agree at one sequence; returns the sequence and the number of figures compared.

    The API keeps the last chains only: on a machine that paused too long between the two reads, both are read again.
    """
    deadline = time.monotonic() + limit_s
    while True:
        seen = page.evaluate(READ)
        asked = {"expiry": seen["expiry"], "sequence": seen["sequence"]}
        answer = httpx.get(f"{url}/api/chain/{seen['index']}", params=asked, timeout=30)
        if answer.status_code == 200:
            break
        assert time.monotonic() < deadline, answer.text
    expected = figures_of(answer.json())
    shown = seen["cells"] | seen["figures"]
    different = {key: (shown.get(key), text) for key, text in expected.items() if shown.get(key) != text}
    assert not different, different
    assert len(shown) == len(expected)
    return int(seen["sequence"]), len(expected)


def figures_of(chain: dict[str, Any]) -> dict[str, str]:
    """Every text the page must hold for one expiry of the API's chain, by element id."""
    texts = {f"figure-{name}": write(chain["expiries"][0]) for name, (_, write) in FIGURES.items()}
    for row in chain["contracts"]:
        if row["kind"] in (2, 3):
            texts |= {f"cell-{row['symbol']}-{name}": write(row) for name, (_, write) in COLUMNS.items()}
    return texts
