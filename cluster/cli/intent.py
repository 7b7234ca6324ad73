"""From a person's words on the command line to an order: its contract, its lot, its prices."""

# Imported where used: a command that does not need Ray or Arrow starts at once.
# ruff: noqa: PLC0415

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from cluster.cli.out import say
from cluster.shown import oms_state_of, provenance_of
from core.errors import InputError
from gateway.format import provenance, strike, what_passes

if TYPE_CHECKING:
    from core.market import Contract
    from core.ports import DeskClient
    from core.records import Chain, Intent, OrderType, Product, Purpose, Side


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An order as it was typed; prices in paise, 0 where none was given."""

    symbol: str
    side: str
    lots: int
    order_type: str = ""  # empty: by the prices
    limit_paise: int = 0
    trigger_paise: int = 0
    ioc: bool = False
    amo: bool = False
    product: str = "NRML"
    purpose: str = "entry"
    strategy: str = ""
    tag: str = ""


def make_intent(client: DeskClient, asked: Asked) -> Intent:
    """The intent of a person's words; its quantity by the lot of the contract on the market's day."""
    from core.orders.tag import check_tag, make_tag
    from core.records import Intent

    contract = _option(asked.symbol)
    order_type, purpose = kind_of(asked), one_of("--purpose", asked.purpose, "entry", "hedge", "exit")
    chain = _chain(client, contract.index)
    if chain and purpose != "exit":
        _say_cached(client, contract.index, chain)
    _require_listed(contract, chain)
    return Intent(
        tag=check_tag(asked.tag) if asked.tag else make_tag(uuid.uuid4().bytes),
        strategy=strategy_of(asked.strategy, purpose),
        index=contract.index,
        symbol=asked.symbol,
        side=cast("Side", one_of("SIDE", asked.side.upper(), "BUY", "SELL")),
        quantity=asked.lots * _lot(client, contract, chain),
        order_type=order_type,
        limit_paise=asked.limit_paise,
        trigger_paise=asked.trigger_paise,
        product=cast("Product", one_of("--product", asked.product.upper(), "NRML", "MIS")),
        validity="IOC" if asked.ioc else "DAY",
        variety="amo" if asked.amo else "regular",
        purpose=cast("Purpose", purpose),
        reason="from the command line",
    )


def lot_of(client: DeskClient, symbol: str) -> int:
    """Units in a lot of an option on the market's day; InputError for what is none, or not listed."""
    contract = _option(symbol)
    chain = _chain(client, contract.index)
    _require_listed(contract, chain)
    return _lot(client, contract, chain)


def _lot(client: DeskClient, contract: Contract, chain: Chain | None) -> int:
    from core.market import from_ns, lot

    assert contract.expiry is not None
    market_ns = chain.expiries["as_of_ns"].to_pylist()[0] if chain else client.status().market_ns
    return lot(contract.index, contract.expiry, from_ns(market_ns).date())


def _option(symbol: str) -> Contract:
    from core.market import parse_symbol
    from core.orders.validity import check_option

    contract = parse_symbol(symbol)
    if contract.expiry is None:
        raise InputError(f"{symbol} is an index, not a contract; expected a symbol such as NIFTY26D0124500CE")
    return check_option(contract)


def kind_of(asked: Asked) -> OrderType:
    """LIMIT, MARKET or SL, by the prices where it was not said; InputError where they are not those of the kind."""
    by_prices = "SL" if asked.trigger_paise else "LIMIT" if asked.limit_paise else "MARKET"
    kind = one_of("--type", asked.order_type.upper() or by_prices, "LIMIT", "MARKET", "SL")
    needs = {"LIMIT": "--limit", "MARKET": "no price", "SL": "--trigger and --limit"}[kind]
    given = [name for name, price in (("--trigger", asked.trigger_paise), ("--limit", asked.limit_paise)) if price]
    if (" and ".join(given) or "no price") != needs:
        raise InputError(f"an order of type {kind} has {needs}, was given {' and '.join(given) or 'none'}")
    return cast("OrderType", kind)


def strategy_of(name: str, purpose: str) -> str:
    """Whose order it is; InputError for an entry in the name of a strategy: it would count as that strategy's own."""
    if name and name != "manual" and purpose != "exit":
        raise InputError(
            f"--strategy: whose position an exit leaves; was {name} for an {purpose}. What a person enters is manual: "
            "leave --strategy out, or say --purpose exit"
        )
    return name or "manual"


def one_of(name: str, found: str, *known: str) -> str:
    """`found` if it is `known`; else InputError."""
    if found not in known:
        expected = " or ".join([", ".join(known[:-1]), known[-1]] if len(known) > 1 else known)
        raise InputError(f"{name}: expected {expected}, was {found!r}")
    return found


def _chain(client: DeskClient, index: str) -> Chain | None:
    """The index's chain; None while it has none or its shard is down: an exit must go out without it."""
    from core.errors import DeskError

    try:
        chain = client.chain(index)
    except DeskError as error:
        say(f"whether the contract is listed is not checked: {error}")
        return None
    return chain if chain and chain.expiries.num_rows else None


def _say_cached(client: DeskClient, index: str, chain: Chain) -> None:
    """What risk will say of an entry or a hedge, before anything is asked."""
    found = provenance_of(client, chain.expiries["as_of_ns"][0].as_py())
    if found is not None and found.cached:
        say(f"{index} is {provenance(found)}: {what_passes(oms_state_of(client))}")


def _require_listed(contract: Contract, chain: Chain | None) -> None:
    """Refuse an option that trades on no exchange today. Without a chain yet risk decides."""
    import pyarrow.compute as pc

    if contract.strike_paise == 0 or chain is None:
        return
    days = sorted(chain.expiries["expiry"].to_pylist())
    if contract.expiry not in days:
        raise InputError(
            f"{contract.symbol}: {contract.index} has no expiry {contract.expiry} today; there are "
            f"{', '.join(map(str, days))}"
        )
    rows = chain.contracts.filter(pc.equal(chain.contracts["expiry"], contract.expiry))
    if contract.symbol not in rows["symbol"].to_pylist():
        strikes = [each for each in rows["strike_paise"].to_pylist() if each]
        raise InputError(
            f"{contract.symbol} is not listed today; {contract.index} {contract.expiry} has strikes from "
            f"{strike(min(strikes))} to {strike(max(strikes))}; see vikalp chain {contract.index} --all"
        )
