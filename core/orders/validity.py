"""Is an intent an order the exchange could take at all? Asked before any limit, of entries and exits alike."""

import datetime as dt

from core.errors import InputError, UnknownName
from core.market import (
    Contract,
    check_index,
    expiries,
    expiry_moment,
    freeze,
    from_ns,
    lot,
    parse_symbol,
    tick_paise,
    to_ns,
)
from core.orders.tag import check_tag
from core.records import Intent, Refusal
from core.schemas import Kind


def contract_of(intent: Intent, today: dt.date) -> Contract:
    """The option `intent` is for, its symbol as it is written on `today`.

    Raises InputError for a tag, side or kind of order nobody could send, UnknownName for an index or symbol nobody
    knows: mistakes of the caller, who gets the exception and no order.
    """
    check_tag(intent.tag)
    check_index(intent.index)
    for name, value, allowed in (
        ("side", intent.side, ("BUY", "SELL")),
        ("order_type", intent.order_type, ("LIMIT", "MARKET")),
        ("purpose", intent.purpose, ("entry", "hedge", "exit")),
        ("product", intent.product, ("NRML", "MIS")),
    ):
        if value not in allowed:
            raise InputError(f"order {intent.tag}: expected {name} {' or '.join(allowed)}, was {value!r}")
    contract = parse_symbol(intent.symbol, today)
    if contract.index != intent.index:
        raise UnknownName(f"{intent.symbol} is a contract of {contract.index}, the order says {intent.index}")
    return check_option(contract)


def check_option(contract: Contract) -> Contract:
    """`contract`, if it is one this desk trades; InputError, saying what it is, for a future or an index."""
    if contract.kind in (Kind.CALL, Kind.PUT):
        return contract
    what = "a future" if contract.kind == Kind.FUTURE else "an index"
    raise InputError(f"{contract.symbol} is {what}: this desk reads its price and trades options alone")


def check(intent: Intent, now_ns: int) -> tuple[Refusal, ...]:
    """Every rule of the exchange that `intent` breaks at market time `now_ns`; raises as `contract_of`."""
    today = from_ns(now_ns).date()
    contract = contract_of(intent, today)
    refusal = over(contract, now_ns)
    if refusal is None and intent.purpose != "exit":  # what is held exists, whatever the tables say
        refusal = _unlisted(contract, today)
    if refusal is not None:
        return (refusal,)
    assert contract.expiry is not None, "an option has an expiry"
    broken = []
    units = lot(contract.index, contract.expiry, today)
    if intent.quantity <= 0 or intent.quantity % units:
        why = f"quantity of {intent.symbol} must be a multiple of its lot, {units}"
        broken.append(_no("lot", f"{units} × n", f"{intent.quantity}", why))
    most = freeze(contract.index, today)
    if intent.quantity > most:
        broken.append(
            _no("freeze", f"{most}", f"{intent.quantity}", f"the exchange takes at most {most} units an order")
        )
    broken.extend(_price(intent))
    if intent.created_ns and from_ns(intent.created_ns).date() != today:
        asked = f"{from_ns(intent.created_ns).date()}"
        broken.append(_no("day", f"{today}", asked, "the order was decided on another day"))
    return tuple(broken)


def over(contract: Contract, now_ns: int) -> Refusal | None:
    """None while the option has not had its last trade; UnknownDate as core.market."""
    assert contract.expiry is not None, "an option has an expiry"
    now, last = from_ns(now_ns), expiry_moment(contract.index, contract.expiry)
    if contract.expiry < now.date():
        return _no("expiry", f"{now:%Y-%m-%d} or later", f"{contract.expiry}", f"{contract.symbol} has expired")
    if now_ns >= to_ns(last):
        why = f"the last trade of {contract.symbol} was at {last:%H:%M}"
        return _no("expiry", f"before {last:%Y-%m-%d %H:%M}", f"{now:%Y-%m-%d %H:%M}", why)
    return None


def _unlisted(contract: Contract, today: dt.date) -> Refusal | None:
    listed, expiry = expiries(contract.index, today), contract.expiry
    assert expiry is not None, "an option has an expiry"
    if expiry in listed:
        return None
    nearest = ", ".join(str(day) for day in sorted(sorted(listed, key=lambda day: abs(day - expiry))[:2]))
    why = f"{contract.symbol} does not exist: no contract of {contract.index} expires then"
    return _no("expiry", nearest, f"{expiry}", why)


def _price(intent: Intent) -> list[Refusal]:
    tick, price = tick_paise(intent.index), intent.limit_paise
    if intent.order_type == "MARKET":
        why = "a MARKET order carries no limit price"
        return [] if price == 0 else [_no("price", "0", f"{price / 100:.2f}", why)]
    if price <= 0:
        return [_no("price", "above 0", f"{price / 100:.2f}", "a LIMIT order needs a limit price")]
    if price % tick:
        return [_no("tick", f"₹{tick / 100:.2f} × n", f"₹{price / 100:.2f}", "the limit price is not on a tick")]
    return []


def _no(limit: str, allowed: str, asked: str, why: str) -> Refusal:
    return Refusal(limit=limit, allowed=allowed, asked=asked, why=why)
