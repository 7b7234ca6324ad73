"""No kernel compiles in a live risk actor: the first sale's margin would freeze every order for a second."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
from core import pricing
from core.records import Fill
from tests.fakes_orders import intent
from tests.fakes_risk import chain_of, market
from tests.unit.test_risk_actor import Desk, chain

before = pricing.signatures()
desk = Desk()
ready = pricing.signatures()
desk.risk.on_marks(chain())
sold = desk.risk.margin(intent(side="SELL"))
assert sold.span_paise > 0, "the margin of a sale prices its scenarios"
near, far = "NIFTY26JUL24400CE", "NIFTY26AUG24400CE"
desk.risk.on_marks(chain_of(market(near, far)))
desk.risk.book(Fill(trade_id="1", tag="F", strategy="manual", index="NIFTY", symbol=far, side="BUY", quantity=65,
                    price_paise=50_000, at_ns=desk.clock.now_ns()))
beside = desk.risk.margin(intent(index="NIFTY", symbol=near, side="SELL", quantity=65))
assert 0 < beside.span_paise < 100_000 * 100, "beside another expiry it takes deltas too"
names = (near, far, "NIFTY26JUL24600CE", "NIFTY26JUL24400PE")
desk.risk.on_marks(chain_of(market(*names)))  # a book is held now: its figures are computed as the chain comes
for number, (name, side, purpose) in enumerate([(near, "SELL", "entry"), (names[2], "BUY", "hedge"),
                                                (far, "SELL", "exit"), (names[3], "SELL", "entry")]):
    paise = desk.risk._book.marks[name].mid_paise // 5 * 5
    asked = intent(f"O{number}", index="NIFTY", symbol=name, side=side, quantity=65, limit_paise=paise, purpose=purpose)
    said = desk.risk.check(asked)
    assert not {"valuation"} & {one.limit for one in said.refusals}, said
assert {use.limit for use in desk.risk.limits() if use.used} >= {"stress", "var", "delta", "exposure"}
print(set(before.values()), set(ready.values()), pricing.signatures() == ready)
"""


def test_after_open_a_margin_compiles_nothing() -> None:
    """In a process of its own: in this one another test may have compiled the kernels."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("{0} {1} True\n", "")
