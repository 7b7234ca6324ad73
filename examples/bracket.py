"""Buy one lot of the call at the money with a stop and a target: python -m examples.bracket NIFTY [desk]"""

import json
import sys

from cluster.attach import attach
from core.market import tick_paise
from core.schemas import Kind

index = sys.argv[1] if len(sys.argv) > 1 else "NIFTY"
number = int(sys.argv[2]) if len(sys.argv) > 2 else None
tick = tick_paise(index)

with attach(number) as desk:
    expiry = min(desk.expiries(index).to_pylist(), key=lambda row: row["expiry"])
    (call,) = (
        row
        for row in desk.chain(index).to_pylist()
        if row["expiry"] == expiry["expiry"]
        and row["strike_paise"] == expiry["atm_forward_paise"]
        and row["kind"] == Kind.CALL
    )
    ask = call["ask_paise"]
    stop, target = (int(ask * share) // tick * tick for share in (0.8, 1.3))
    plan = {
        "type": "bracket",
        "plan_id": f"EXAMPLE{desk.status().market_ns // 1_000_000_000}",  # the first plan of an id stays
        "created_ns": desk.status().market_ns,
        "strategy": "manual",
        "index": index,
        "symbol": call["symbol"],
        "side": "BUY",
        "quantity": expiry["lot"],
        "limit_paise": ask,
        "exit": {"stop_paise": stop, "target_paise": target},
    }
    begun = desk.start_plan(json.dumps(plan))
    print(f"{begun.plan_id} runs: {begun.running}; end it: vikalp plan end {begun.plan_id} WHY")
