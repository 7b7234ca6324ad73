"""Read a recorded day back as Arrow tables: python -m examples.read_tape TAPE 2025-08-29 NIFTY"""

import sys

import pyarrow.compute as pc

from storage.tape import read_tape

root, date, index = sys.argv[1:4]

expiries = read_tape(root, "expiries", date, index)
contracts = read_tape(root, "contracts", date, index)
print(f"{contracts.num_rows} rows of {pc.count_distinct(contracts['symbol']).as_py()} contracts")

nearest = expiries.filter(pc.equal(expiries["expiry"], pc.min(expiries["expiry"])))
vols = nearest["atm_iv"]
print(f"nearest expiry {nearest['expiry'][0]}: {nearest.num_rows} snapshots")
print(f"ATM IV from {vols[0].as_py():.4f} to {vols[-1].as_py():.4f}")
