"""What a contract that has expired is worth: the fact the ledger keeps, and a backtest's last trade."""

from core.errors import InputError
from core.market import Contract, Settlement, SettlementPrice, settlement, to_ns
from core.records import Settled
from core.schemas import Kind


def end_of(contract: Contract) -> Settlement:
    """How the contract ends; InputError for what never expires, else as core.market.settlement."""
    if contract.expiry is None:
        raise InputError(f"{contract.symbol} has no expiry, so it never settles")
    return settlement(contract.index, contract.expiry)


def settled_at(contract: Contract, price: SettlementPrice) -> Settled:
    """The settlement of an option at the index's settlement price; InputError for anything else than an option."""
    if contract.kind not in (Kind.CALL, Kind.PUT):
        raise InputError(f"{contract.symbol} is no option; only options are held here")
    gain = price.paise - contract.strike_paise
    return Settled(
        symbol=contract.symbol,
        index=contract.index,
        close_paise=price.paise,
        value_paise=max(0, gain if contract.kind == Kind.CALL else -gain),
        source=str(price.source),
        at_ns=to_ns(end_of(contract).last_trade),
    )
