"""Is an intent an order the exchange could take at all? Asked before any limit, of entries and exits alike."""

from core.errors import InputError, UnknownName
from core.market import Contract, check_index, freeze, from_ns, lot, parse_symbol, tick_paise
from core.orders.tag import check_tag
from core.records import Intent, Refusal
from core.schemas import Kind


def contract_of(intent: Intent) -> Contract:
    """The option `intent` is for.

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
    contract = parse_symbol(intent.symbol)
    if contract.index != intent.index:
        raise UnknownName(f"{intent.symbol} is a contract of {contract.index}, the order says {intent.index}")
    if contract.kind not in (Kind.CALL, Kind.PUT):
        raise InputError(f"{intent.symbol} is no option; only options are traded here")
    return contract


def check(intent: Intent, now_ns: int) -> tuple[Refusal, ...]:
    """Every rule of the exchange that `intent` breaks at market time `now_ns`; raises as `contract_of`."""
    contract = contract_of(intent)
    today = from_ns(now_ns).date()
    assert contract.expiry is not None, "an option has an expiry"
    if contract.expiry < today:
        return (_no("expiry", f"{today} or later", f"{contract.expiry}", f"{intent.symbol} has expired"),)
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
