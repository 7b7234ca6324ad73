"""Orders by hand: order, cancel, orders, positions, exit-all."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, cast

import typer

from cluster.cli.books import orders_table, positions_table
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem, say
from cluster.cli.world import world
from cluster.shown import provenance_of
from core.errors import InputError, VikalpError
from gateway.format import money, paise, provenance, strike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.market import Contract
    from core.ports import DeskClient
    from core.records import Chain, Intent, Margin, Order, Position

FAILED = {"REFUSED", "REJECTED", "UNKNOWN"}
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def order(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Trading symbol, e.g. NIFTY26D0124500CE.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    lots: Annotated[int, typer.Option(min=1, help="Number of lots.")] = 1,
    limit: Annotated[str, typer.Option(help="Limit price in rupees, 123.45; at market if not given.")] = "",
    product: Annotated[str, typer.Option(help="NRML or MIS.")] = "NRML",
    purpose: Annotated[str, typer.Option(help="entry, hedge or exit.")] = "entry",
    tag: Annotated[str, typer.Option(help="To ask again after no answer: the tag of the first try.")] = "",
    yes: Yes = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Show margin and charges, ask, then send one order."""
    limit_paise = paise(limit, "--limit") if limit else 0
    with world(context).connect(desk) as client:
        intent = make_intent(client, symbol.upper(), side, lots, limit_paise, product, purpose, tag)
        _preview(client, intent, lots)
        if not yes:
            typer.confirm("send it?", abort=True, err=True)
        answer = _send(client, intent)
    _answer(answer, as_json=as_json)


def cancel(
    context: typer.Context,
    tag: Annotated[str, typer.Argument(help="The order's tag, see `vikalp orders`.")],
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Cancel what of an order has not filled."""
    from core.orders.tag import check_tag
    from core.records import LIVE

    check_tag(tag)
    with world(context).connect(desk) as client:
        answer = client.cancel(tag)
    if as_json:
        print_json(answer)
    else:
        out().print(orders_table([answer]))
    if answer.state in LIVE and answer.message:
        _fail([answer])


def orders(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """Every order of the session, refusals and their reasons included."""
    with world(context).connect(desk) as client:
        found = list(client.orders())
    if as_json:
        print_json(found)
    else:
        out().print(orders_table(found) if found else "no orders in this session")


def positions(context: typer.Context, desk: DeskNumber = None, as_json: Json = False) -> None:
    """Positions and their profit, gross and net of charges."""
    with world(context).connect(desk) as client:
        found = list(client.positions())
    if as_json:
        print_json([_with_totals(position) for position in found])
    else:
        out().print(positions_table(found) if found else "no positions in this session")


def exit_all(
    context: typer.Context,
    why: Annotated[str, typer.Option(help="Goes into the journal.")] = "by hand",
    yes: Yes = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Cancel every live order and close every position, with limits beyond the best price.

    Exits with 1 if anything could not be cancelled or sent.
    """
    from core.records import LIVE

    with world(context).connect(desk) as client:
        held = [position for position in client.positions() if position.quantity]
        working = [each.intent for each in client.orders() if each.state in LIVE]
        say(f"{len(working)} working orders: {', '.join(f'{i.side} {i.symbol} {i.tag}' for i in working) or 'none'}")
        say(f"{len(held)} open positions: {', '.join(f'{p.symbol} {p.quantity:+d}' for p in held) or 'none'}")
        if (held or working) and not yes:
            typer.confirm("cancel every working order and close every position?", abort=True, err=True)
        sent = list(client.exit_all(why))
    if as_json:
        print_json(sent)
    else:
        out().print(orders_table(sent) if sent else "no working order and no open position is left")
    failed = [each for each in sent if each.state in FAILED]
    if failed:
        states = ", ".join(f"{count} {state}" for state, count in Counter(each.state for each in sent).items())
        say(f"{len(sent)} orders: {states}")
        _fail(failed)


def make_intent(
    client: DeskClient, symbol: str, side: str, lots: int, limit_paise: int, product: str, purpose: str, tag: str
) -> Intent:
    """The intent of a person's words; its quantity by the lot of the contract on the market's day."""
    from core.market import from_ns, lot, parse_symbol
    from core.orders.tag import check_tag, make_tag
    from core.orders.validity import check_option
    from core.records import Intent

    contract = parse_symbol(symbol)
    if contract.expiry is None:
        raise InputError(f"{symbol} is an index, not a contract; expected a symbol such as NIFTY26D0124500CE")
    check_option(contract)
    chain = _chain(client, contract.index)
    if chain and purpose != "exit":
        _say_cached(client, contract.index, chain)
    _require_listed(contract, chain)
    market_ns = chain.expiries["as_of_ns"].to_pylist()[0] if chain else client.status().market_ns
    return Intent(
        tag=check_tag(tag) if tag else make_tag(uuid.uuid4().bytes),
        strategy="manual",
        index=contract.index,
        symbol=symbol,
        side=cast("Literal['BUY', 'SELL']", _one_of("SIDE", side.upper(), "BUY", "SELL")),
        quantity=lots * lot(contract.index, contract.expiry, from_ns(market_ns).date()),
        order_type="LIMIT" if limit_paise else "MARKET",
        limit_paise=limit_paise,
        product=cast("Literal['NRML', 'MIS']", _one_of("--product", product.upper(), "NRML", "MIS")),
        purpose=cast("Literal['entry', 'hedge', 'exit']", _one_of("--purpose", purpose, "entry", "hedge", "exit")),
        reason="from the command line",
    )


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
        say(f"{index} is {provenance(found)}: entries are refused, an exit passes")


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


def _preview(client: DeskClient, intent: Intent, lots: int) -> None:
    price = f"at {money(intent.limit_paise)}" if intent.limit_paise else "at market"
    say(
        f"{intent.side} {lots} lot(s) = {intent.quantity} × {intent.symbol} {price}, {intent.product}, {intent.purpose}"
    )
    margin = _margin(client, intent)
    if margin is None:
        return
    note = " (an estimate)" if margin.estimate else ""
    say(
        f"margin {money(margin.total_paise)}{note}: premium {money(margin.premium_paise)}, "
        f"SPAN {money(margin.span_paise)}, exposure {money(margin.exposure_paise)}; "
        f"charges {money(margin.charges_paise)}; tag {intent.tag}"
    )


def _margin(client: DeskClient, intent: Intent) -> Margin | None:
    """None for an exit whose margin nobody can say: it goes out when risk is away."""
    try:
        return client.margin(intent)
    except VikalpError as error:
        if intent.purpose != "exit":
            raise
        say(f"the margin is not known: {error}; tag {intent.tag}")
        return None


def _send(client: DeskClient, intent: Intent) -> Order:
    """Raises DeskError with the tag when there is no answer: it may have been sent."""
    from core.errors import DeskError

    try:
        return client.submit(intent)
    except DeskError as error:
        said = f"{error}; it may have been sent: ask again with --tag {intent.tag}, so that there is one order"
        raise DeskError(said) from error


def _fail(orders: Sequence[Order]) -> NoReturn:
    """One line on stderr for each; exit code 1."""
    for each in orders:
        print_problem(
            f"{each.intent.symbol}: {each.state.lower()}: {each.message}; tag {each.intent.tag}",
            "OrderRefused",
            as_json=False,
        )
    raise typer.Exit(FAILURE)


def _answer(answer: Order, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    elif answer.state in ("REFUSED", "REJECTED"):
        print_problem(
            f"{answer.state.lower()}: {answer.message}; tag {answer.intent.tag}", "OrderRefused", as_json=False
        )
    else:
        out().print(orders_table([answer]))
    if answer.state in ("REFUSED", "REJECTED"):
        raise typer.Exit(FAILURE)


def _with_totals(position: Position) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(position), "gross_paise": position.gross_paise, "net_paise": position.net_paise}


def _one_of(name: str, found: str, *known: str) -> str:
    if found not in known:
        raise InputError(f"{name}: expected {' or '.join(known)}, was {found!r}")
    return found


COMMANDS = {"order": order, "cancel": cancel, "orders": orders, "positions": positions, "exit-all": exit_all}
