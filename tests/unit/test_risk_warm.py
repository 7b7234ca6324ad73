"""No kernel compiles in a live risk actor: the first sale's margin would freeze every order for a second."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
from core import pricing
from tests.fakes_orders import intent
from tests.unit.test_risk_actor import Desk, chain

before = pricing.signatures()
desk = Desk()
ready = pricing.signatures()
desk.risk.on_marks(chain())
sold = desk.risk.margin(intent(side="SELL"))
assert sold.span_paise > 0, "the margin of a sale prices its scenarios"
print(set(before.values()), set(ready.values()), pricing.signatures() == ready)
"""


def test_after_open_a_margin_compiles_nothing() -> None:
    """In a process of its own: in this one another test may have compiled the kernels."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("{0} {1} True\n", "")
