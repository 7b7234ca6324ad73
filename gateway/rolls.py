"""What expires, into what it would be rolled and at what cost: alike for the command line, the API and a notebook."""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import msgspec

from core.errors import DeskError, InputError, StaleDataError
from core.market import from_ns, parse_symbol, whole_paise
from core.matching.depth import Depth, Level
from core.orders.plans import Roll, Rollover
from core.orders.plans.rolling import expiring, next_contract, roll_cost
from core.orders.tag import make_tag
from core.ports import DeskClient
from core.records import PlanStatus, Position, Product


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """A position that expires, and its next contract. Paise at the touch of both books, + paid, − received.

    Without a quote of both the costs are 0 and `why` says so.
    """

    strategy: str
    index: str
    product: Product
    symbol: str
    quantity: int  # signed units
    expiry: dt.date
    into: str
    into_expiry: dt.date
    close_paise: int = 0
    open_paise: int = 0
    charges_paise: int = 0
    spread_paise: int = 0  # what crossing costs, part of the two
    why: str = ""

    @property
    def net_paise(self) -> int:
        """Paid in all, charges included."""
        return self.close_paise + self.open_paise + self.charges_paise


def proposed(client: DeskClient, *, strategy: str = "", index: str = "", days: int = 0) -> list[Rolled]:
    """Positions that expire on the market's day or up to `days` later, each with its next contract and cost.

    Of a strategy and an index, where they are said. Raises DeskError, and as core.orders.plans.rolling.
    """
    now_ns = client.status().market_ns
    on = from_ns(now_ns).date()
    held = [one for one in client.positions() if one.quantity and one.strategy]
    held = [one for one in held if strategy in {"", one.strategy} and index in {"", one.index}]
    due = set(expiring((one.symbol for one in held), on, days=days))
    found = [one for one in held if one.symbol in due]
    books = {name: _quotes(client, name) for name in sorted({one.index for one in found})}
    rows = [_row(one, on, books[one.index], now_ns) for one in found]
    return sorted(rows, key=lambda row: (row.strategy, row.index, row.product, row.symbol))


def start(client: DeskClient, rows: Sequence[Rolled]) -> list[PlanStatus]:
    """A Rollover plan for each strategy, index and product; one that runs already is that plan, asked for again.

    InputError, and nothing is begun, where a cost is not known or part of the same is being rolled.
    """
    plans, groups = client.plans(), groupby(sorted(rows, key=_group), key=_group)
    made = [_plan(group, list(legs), client.status().market_ns, plans) for group, legs in groups]
    no = [f"{row.symbol}: {row.why}" for row in rows if row.why]
    no += [why for plan in made if (why := _beside(plan, plans))]
    if no or not rows:
        raise InputError(f"nothing is rolled: {'; '.join(no) or 'no position expires'}")
    bodies = [msgspec.to_builtins(plan) | {"created_ns": 0} for plan in made]  # the order manager says when
    return [client.start_plan(msgspec.json.encode(body).decode()) for body in bodies]


def _group(row: Rolled) -> tuple[str, str, Product]:
    return row.strategy, row.index, row.product


def _plan(
    group: tuple[str, str, Product], rows: Sequence[Rolled], now_ns: int, plans: Sequence[PlanStatus]
) -> Rollover:
    """Of two that ask for the same at once both name one plan; once that is over the next is another."""
    strategy, index, product = group
    legs = tuple(Roll(symbol=row.symbol, quantity=row.quantity, into=row.into) for row in rows)
    over = sum(one.kind == "rollover" and not one.running for one in plans)
    plan_id = make_tag(f"roll {from_ns(now_ns).date()} {group} {legs} {over}")
    return Rollover(
        plan_id=plan_id, strategy=strategy, index=index, created_ns=now_ns, product=product, legs=legs
    )  # fmt: skip


def _beside(plan: Rollover, plans: Sequence[PlanStatus]) -> str:
    """Which of it another plan rolls now; empty for none."""
    for one in plans:
        if one.kind != "rollover" or not one.running or one.plan_id == plan.plan_id:
            continue
        body = msgspec.json.decode(one.body)
        same = (body["strategy"], body.get("product", "NRML")) == (plan.strategy, plan.product)
        both = {leg["symbol"] for leg in body["legs"]} & {leg.symbol for leg in plan.legs}
        if same and both:
            return f"{', '.join(sorted(both))} of {plan.strategy} is being rolled by plan {one.plan_id}"
    return ""


def _row(held: Position, on: dt.date, depths: dict[str, Depth], now_ns: int) -> Rolled:
    into = next_contract(held.symbol, on)
    expiry, later = parse_symbol(held.symbol, on).expiry, parse_symbol(into, on).expiry
    assert expiry is not None and later is not None, "options expire"  # noqa: PT018 one fact
    row = Rolled(
        strategy=held.strategy, index=held.index, product=held.product, symbol=held.symbol, quantity=held.quantity,
        expiry=expiry, into=into, into_expiry=later,
    )  # fmt: skip
    try:
        cost = roll_cost(held.symbol, into, held.quantity, depths, now_ns)
    except StaleDataError as error:
        return msgspec.structs.replace(row, why=f"{error}")
    return msgspec.structs.replace(
        row, close_paise=cost.close_paise, open_paise=cost.open_paise, spread_paise=cost.spread_paise,
        charges_paise=whole_paise(cost.charges_rupees),
    )  # fmt: skip


def _quotes(client: DeskClient, index: str) -> dict[str, Depth]:
    """Best bid and ask of each contract of the newest chain; none while there is no chain."""
    try:
        chain = client.chain(index)
    except DeskError:
        return {}  # every row then says that its book is not known
    if chain is None:
        return {}
    columns = ("symbol", "bid_paise", "bid_qty", "ask_paise", "ask_qty", "last_paise", "exchange_ns")
    rows = zip(*(chain.contracts[name].to_pylist() for name in columns), strict=True)
    return {
        symbol: Depth(
            bids=(Level(bid, bids),) if bid else (), asks=(Level(ask, asks),) if ask else (), last_paise=last,
            at_ns=at_ns,
        )
        for symbol, bid, bids, ask, asks, last, at_ns in rows
    }  # fmt: skip
