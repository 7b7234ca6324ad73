"""Buy one lot of the call at the money, see what became of it: python -m examples.place_order NIFTY [desk]"""

import sys

from cluster.attach import attach
from core.schemas import Kind

index = sys.argv[1] if len(sys.argv) > 1 else "NIFTY"
number = int(sys.argv[2]) if len(sys.argv) > 2 else None

with attach(number) as desk:
    expiry = min(desk.expiries(index).to_pylist(), key=lambda row: row["expiry"])
    (call,) = (
        row
        for row in desk.chain(index).to_pylist()
        if row["expiry"] == expiry["expiry"]
        and row["strike_paise"] == expiry["atm_forward_paise"]
        and row["kind"] == Kind.CALL
    )
    order = desk.place(call["symbol"], "BUY", expiry["lot"], limit_paise=call["ask_paise"])
    # A refusal is an answer, not an error: the limit that said no is in the message.
    print(f"{order.intent.tag} {order.intent.symbol} {order.state} {order.message}")
    for position in desk.positions():
        whose = f"{position.strategy}, {position.product}"
        print(f"{position.symbol} ({whose}): {position.quantity:+d} at {position.average_paise / 100:.2f}")
