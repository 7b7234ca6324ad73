"""The numbers behind the figures of a chain: the readable form (core.chain) and the compiled one share them."""

import math

ABSENT = -1  # a row number: the contract is not listed

TICK = 0.05  # rupees
HALF_TICK = 0.5 * TICK  # no quote knows a price better

# A two-sided quote whose middle means a price: core.chain.quotes
ALWAYS_TIGHT = 1.0  # rupees: no spread up to this is too wide, however cheap the option
WIDEST_OF_MID, WIDEST_OF_STRIKE = 0.25, 0.01

# Parity: core.chain.forwards, core.pricing.forward
PAIRS = 10  # strikes with the smallest |C − P|: where parity is tightest and the rate matters least
FRESH_PAIRS = 3  # so many fresh pairs stand alone: two cannot outvote each other
LAST_DOUBT = 0.02  # spread taken for a pair of last prices, of the dearer leg; parity then marks its own error
DRIFT = 0.15 / math.sqrt(252 * 375 * 60)  # of the level, per √second: an index at 15 % a year of sessions
NORMAL_MAD = 1.4826  # median absolute deviation → standard deviation, of a normal
OUTLIER = 3.0  # standard deviations from the median at which a pair is left out
DISSENT = 0.35  # of the pairs or of their weight: left out, they say how far the rest can be off

# Scores: core.chain.sentiment, core.chain.quality
WING_DELTA = 0.25
NEAR_STRIKES = 11  # near the money: this many strikes around the forward
USELESS_SPREAD = 0.10  # of the mid, beyond one tick
