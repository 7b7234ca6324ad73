"""Orders by hand: order, modify, cancel, orders, positions, exit-all."""

# Imported where used: a command that does not need Ray or Arrow starts at once;
# a command's options are its parameters, and a flag is a boolean.
# ruff: noqa: PLC0415, FBT002, PLR0917

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cluster.cli.books import orders_table, positions_table, terms_words
from cluster.cli.intent import Asked, make_intent, one_of
from cluster.cli.options import DeskNumber, Json
from cluster.cli.out import FAILURE, out, print_json, print_problem, say
from cluster.cli.world import world
from core.errors import InputError, UnknownName, VikalpError
from gateway.format import money, paise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.ports import DeskClient
    from core.records import Intent, Margin, Order, Position, Terms

FAILED = {"REFUSED", "REJECTED", "UNKNOWN"}
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def order(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="Trading symbol, e.g. NIFTY26D0124500CE.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    lots: Annotated[int, typer.Option(min=1, help="Number of lots.")] = 1,
    limit: Annotated[str, typer.Option(help="Limit price in rupees, 123.45; at market if not given.")] = "",
    trigger: Annotated[str, typer.Option(help="Of a stop-limit order: the last price at which it becomes one.")] = "",
    order_type: Annotated[str, typer.Option("--type", help="LIMIT, MARKET or SL; if not given by the prices.")] = "",
    ioc: Annotated[bool, typer.Option("--ioc", help="What does not trade at once is cancelled.")] = False,
    amo: Annotated[bool, typer.Option("--amo", help="After-market: sent to the exchange at its next open.")] = False,
    product: Annotated[str, typer.Option(help="NRML or MIS.")] = "NRML",
    purpose: Annotated[str, typer.Option(help="entry, hedge or exit.")] = "entry",
    strategy: Annotated[str, typer.Option(help="With --purpose exit: whose position it leaves, see positions.")] = "",
    tag: Annotated[str, typer.Option(help="To ask again after no answer: the tag of the first try.")] = "",
    yes: Yes = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Show margin and charges, ask, then send one order."""
    asked = Asked(
        symbol=symbol.upper(), side=side, lots=lots, order_type=order_type, limit_paise=_paise(limit, "--limit"),
        trigger_paise=_paise(trigger, "--trigger"), ioc=ioc, amo=amo, product=product, purpose=purpose,
        strategy=strategy, tag=tag,
    )  # fmt: skip
    with world(context).connect(desk) as client:
        intent = make_intent(client, asked)
        _preview(client, intent, lots)
        if not yes:
            typer.confirm("send it?", abort=True, err=True)
        answer = _send(client, intent)
    _answer(answer, as_json=as_json)


def modify(
    context: typer.Context,
    tag: Annotated[str, typer.Argument(help="The order's tag, see `vikalp orders`.")],
    limit: Annotated[str, typer.Option(help="The new limit in rupees; as it is if not given.")] = "",
    trigger: Annotated[str, typer.Option(help="Of a stop-limit order, the new trigger; as it is if not given.")] = "",
    order_type: Annotated[str, typer.Option("--type", help="LIMIT: a stop becomes a limit order now.")] = "",
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Other prices for an order that rests; never another quantity. Exits with 1 if it was not done."""
    from core.orders.machine import terms
    from core.orders.tag import check_tag
    from core.records import LIVE

    check_tag(tag)
    if not (limit or trigger or order_type):
        raise InputError("nothing to modify was given: --limit, --trigger or --type")
    prices = _paise(limit, "--limit"), _paise(trigger, "--trigger")
    with world(context).connect(desk) as client:
        before = next((each for each in client.orders() if each.intent.tag == tag), None)
        if before is None:
            raise UnknownName(f"no order that lives has the tag {tag}; vikalp orders shows them")
        wanted = _wanted(terms(before), *prices, order_type)
        say(f"{before.intent.side} {before.intent.symbol}: {terms_words(terms(before))} → {terms_words(wanted)}")
        answer = client.modify(tag, wanted)
    if as_json:
        print_json(answer)
    else:
        out().print(orders_table([answer]))
    if before.state in LIVE and terms(answer) == wanted:
        return
    if answer.message:
        _fail([answer])
    say("the broker has taken it and not confirmed it yet: vikalp orders shows what rests")


def _wanted(now: Terms, limit_paise: int, trigger_paise: int, order_type: str) -> Terms:
    """What was typed over what rests now; InputError for prices that its type has not."""
    from core.records import Terms

    if order_type:
        one_of("--type", order_type.upper(), "LIMIT")
    kind = "LIMIT" if order_type else now.order_type
    if trigger_paise and kind != "SL":
        raise InputError(f"--trigger: a {kind} order has none; cancel it and send one with --trigger instead")
    return Terms(
        order_type=kind,
        limit_paise=limit_paise or now.limit_paise,
        trigger_paise=(trigger_paise or now.trigger_paise) if kind == "SL" else 0,
    )


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


def orders(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those of earlier days too.")] = False,
    desk: DeskNumber = None,
    as_json: Json = False,
) -> None:
    """Orders that live, of the market's day or of a position that is held, refusals and their reasons included."""
    with world(context).connect(desk) as client:
        found = list(client.all_orders() if every else client.orders())
    if as_json:
        print_json(found)
    else:
        out().print(orders_table(found) if found else "no orders")


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
        say(f"{len(held)} open positions: {', '.join(map(_held, held)) or 'none'}")
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


def _preview(client: DeskClient, intent: Intent, lots: int) -> None:
    from core.orders.machine import born, terms
    from core.rupees import grouped

    price = terms_words(terms(born(intent, 0)))
    more = [
        intent.product,
        intent.purpose,
        *(word for word in (intent.validity, intent.variety) if word in {"IOC", "amo"}),
    ]
    whose = f", of {intent.strategy}" if intent.strategy != "manual" else ""
    say(f"{intent.side} {lots} lot(s) = {grouped(intent.quantity)} × {intent.symbol} {price}, {', '.join(more)}{whose}")
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


def _held(position: Position) -> str:
    return f"{position.symbol} {position.quantity:+d} {position.product} of {position.strategy or 'the account'}"


def _paise(typed: str, name: str) -> int:
    return paise(typed, name) if typed else 0


def _with_totals(position: Position) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(position), "gross_paise": position.gross_paise, "net_paise": position.net_paise}


COMMANDS = {
    "order": order,
    "modify": modify,
    "cancel": cancel,
    "orders": orders,
    "positions": positions,
    "exit-all": exit_all,
}
