"""Time to expiry as the formulas want it."""

NS_PER_YEAR = 365 * 86_400 * 1_000_000_000


def years_to(expiry_moment_ns: int, now_ns: int) -> float:
    """Return ACT/365 years from `now_ns` to `expiry_moment_ns`, both UTC nanoseconds; 0 from the moment on: settled.

    >>> years_to(NS_PER_YEAR, 0), years_to(5, 5), years_to(5, 6)
    (1.0, 0.0, 0.0)
    """
    return max(expiry_moment_ns - now_ns, 0) / NS_PER_YEAR
