"""Reach the running desk from a notebook or a second process: python -m examples.notebook_attach NIFTY [desk]"""

import sys

import pyarrow.compute as pc

from cluster.attach import attach

index = sys.argv[1] if len(sys.argv) > 1 else "NIFTY"
number = int(sys.argv[2]) if len(sys.argv) > 2 else None  # None: the only desk that runs

with attach(number) as desk:
    status = desk.status()
    print(f"{status.mode}: {status.market_says}, market {status.phase}")
    print(", ".join(f"{actor.name} {actor.state}" for actor in status.actors))

    chain = desk.chain(index)  # pyarrow.Table, schemas.CONTRACTS
    print((chain.schema.metadata or {})[b"provenance"].decode())  # live, simulated, replay, or cached and how old
    print(f"{index}: {chain.num_rows} contracts, {pc.sum(pc.is_finite(chain['iv'])).as_py()} with an implied vol")

    for row in desk.expiries(index).to_pylist():
        print(f"{row['expiry']}  forward {row['forward']:10.2f}  ATM IV {row['atm_iv']:.4f}  PCR {row['pcr_oi']:.3f}")
