"""Price a small chain, and get the vols and the forward back from the prices. Needs no desk."""

import numpy as np

from core.pricing import greeks, implied_vol, parity_forward, price

forward, years, vol, rate = 24_500.0, 7 / 365, 0.12, 0.055
discount = np.exp(-rate * years)
strikes = np.arange(24_200.0, 24_801.0, 100.0)

calls = price(1, forward, strikes, years, vol, discount)
puts = price(-1, forward, strikes, years, vol, discount)
vols = implied_vol(1, calls, forward, strikes, years, discount).vol
deltas = greeks(1, forward, strikes, years, vol, discount).delta

for strike, call, put, found, delta in zip(strikes, calls, puts, vols, deltas, strict=True):
    print(f"{strike:8.0f}  call {call:7.2f}  put {put:7.2f}  vol {found:.6f}  delta {delta:.3f}")

spread = np.full(strikes.shape, 0.10)
found_forward = parity_forward(strikes, calls, puts, spread, spread, discount)
print(f"forward by put–call parity: {found_forward.forward:.2f} ± {found_forward.error:.2f}")
