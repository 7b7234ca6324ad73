"""Why a row has no implied vol."""

from enum import IntEnum


class Reason(IntEnum):
    """0 is priced; every other code goes with a NaN and concerns its own row alone."""

    OK = 0
    NOT_A_NUMBER = 1  # an input is NaN or infinite
    NO_TIME = 2  # years ≤ 0: settled
    OUT_OF_DOMAIN = 3  # forward, strike or discount ≤ 0, or kind is neither +1 nor −1
    BELOW_INTRINSIC = 4  # price at or below its value without any vol; tick rounding alone does this in the money
    ABOVE_MAXIMUM = 5  # price at or above what infinite vol would give
    NOT_CONVERGED = 6  # no vol was met; only at the money below some 1e-11 of the forward, and among subnormals
    NO_PRICE = 7  # chain: neither a sane two-sided quote nor a trade
    NO_FORWARD = 8  # chain: the expiry has no forward
