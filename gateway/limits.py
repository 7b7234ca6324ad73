"""What a limit says on the page: a bar, and in words how much of it is used, from what risk reports."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from core.orders.positions import market_date
from core.records import LIVE, LimitUse, Order
from gateway.context import Context
from gateway.format import DASH, missing, money, number, percent, seconds

WARN_SHARE = 0.8
EVERY_ORDER = frozenset({"contract", "band", "book", "session"})  # units of limits that no order uses up
Cell = tuple[str, str]  # text, class


def cells(limit: LimitUse, context: Context) -> list[Cell]:
    """The bar's share and the words; a limit that has no words here is shown by its own numbers and unit."""
    share, words = _WORDS.get(limit.limit, _plain)(limit, context)
    tone = "bad" if share >= 1 else "slow" if share >= WARN_SHARE else ""
    return [(f"{share:.3f}", f"bar {tone}"), (words, f"says {tone}".strip())]


def near(limit: LimitUse, context: Context) -> bool:
    """Whether 80 % of it, or more, is used."""
    return _WORDS.get(limit.limit, _plain)(limit, context)[0] >= WARN_SHARE


def _share(used: float, allowed: float) -> float:
    return 0.0 if missing(used) or allowed <= 0 else min(max(used / allowed, 0.0), 1.0)


def _count(value: float) -> str:
    return DASH if missing(value) else number(value, 0 if float(value).is_integer() else 1)


def _used(limit: LimitUse, what: str) -> tuple[float, str]:
    return _share(limit.used, limit.allowed), f"{_count(limit.used)} of {_count(limit.allowed)} {what}"


def _plain(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001 - all are asked alike
    """By its unit: rupees, a share of something, milliseconds, or a check of every order that uses nothing up."""
    share, unit = _share(limit.used, limit.allowed), limit.unit
    if unit in EVERY_ORDER:
        return share, "every order is held against it"
    if unit.startswith("rupees"):
        return share, f"{money(limit.used * 100)} of {money(limit.allowed * 100)}{unit.removeprefix('rupees')}"
    if unit.startswith("of "):
        return share, f"{percent(limit.used)} % {unit}, at most {percent(limit.allowed)} %"
    if unit == "ms":
        return share, f"{_count(limit.used / 1000)} of {_count(limit.allowed / 1000)} s"
    return _used(limit, unit)


def _market_hours(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001
    status = context.poll.view.status
    if status is None:
        return 0.0, DASH
    return (0.0, "open") if status.phase == "open" else (1.0, f"{status.phase}: only exits pass")


def _stale_quote(limit: LimitUse, context: Context) -> tuple[float, str]:
    """Risk knows the oldest quote of what is held; before anything is held the indices' own data says more."""
    now = context.clock.wall_ns()
    ages = [
        (now - kept.arrived_wall_ns, index)
        for index in context.store.indices
        if (kept := context.store.latest(index)) is not None
    ]
    if not ages:
        return 1.0, "no data yet"
    age_ns, index = max(ages)
    return _share(age_ns / 1e6, limit.allowed), f"{index} {seconds(age_ns)} old, at most {limit.allowed / 1000:g} s"


def _order_size(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001
    words = f"at most {_count(limit.allowed)} lots an order"
    if limit.used:
        words += f", {_count(limit.used)} working"
    return _share(limit.used, limit.allowed), words


def _position(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001
    return _used(limit, "lots of one contract")


def _stops(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001
    return _used(limit, "stops in a row")


def _daily_loss(limit: LimitUse, context: Context) -> tuple[float, str]:  # noqa: ARG001
    share = _share(limit.used, limit.allowed)
    return share, f"{money(limit.used * 100)} of {money(limit.allowed * 100)} lost"


def _trades(limit: LimitUse, context: Context) -> tuple[float, str]:
    who = traders(context.poll.view.orders, limit.used, context.clock.now_ns())
    share, words = _used(limit, "entries a day")
    return share, f"{words}, {' or '.join(who) or 'each strategy'}"


def traders(orders: Sequence[Order], used: float, now_ns: int) -> list[str]:
    """Whose entries of the day are `used`; risk reports the strategy nearest to its own limit, without its name.

    A person's limit is the wider one, so a strategy with as many entries is the nearer.
    """
    today = market_date(now_ns)
    counts: Counter[str] = Counter()
    for order in orders:
        intent = order.intent
        if order.state != "REFUSED" and market_date(intent.created_ns) == today:
            counted = intent.purpose == "entry" and (order.filled_quantity > 0 or order.state in LIVE)
            counts[intent.strategy] += counted
    found = sorted(name for name, count in counts.items() if count == used)
    return [name for name in found if name != "manual"] or found


_WORDS: Mapping[str, Callable[[LimitUse, Context], tuple[float, str]]] = {
    "market_hours": _market_hours,
    "stale_quote": _stale_quote,
    "order_size": _order_size,
    "position": _position,
    "consecutive_stops": _stops,
    "daily_loss": _daily_loss,
    "trades_per_day": _trades,
}
