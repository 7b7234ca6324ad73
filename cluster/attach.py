"""A running desk in a notebook or a script: `attach().chain("NIFTY")`.

On the machine the desk is found by its state file; `attach(address="ray://host:10001")` reaches one elsewhere, with
the desk's token in RAY_AUTH_TOKEN_PATH (`vikalp env` prints it). Never by Ray's own search, which finds the other
desk.
"""

import getpass
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import ray

from cluster.auth import admit
from cluster.client import RayDeskClient, this_process
from cluster.dump import install_dump
from cluster.facts import install_copy
from cluster.shown import provenance_of
from cluster.state import read_state
from core.errors import DeskError, UnknownName
from core.market import check_index, parse_symbol
from core.market.provenance import Provenance
from core.orders.machine import terms
from core.orders.tag import make_tag
from core.records import (
    Chain,
    DeskStatus,
    Intent,
    Kill,
    Move,
    Order,
    PlanStatus,
    Position,
    Product,
    Purpose,
    Side,
    Terms,
    Validity,
    Variety,
)
from gateway.format import provenance as in_words
from gateway.rolls import Rolled, proposed, start

NAMESPACE = "vikalp"
BACK_OFF_S = 0.5
_attached: list["AttachedClient"] = []  # whose this process's one connection to Ray is; the newest last


class AttachedClient(RayDeskClient):
    """A desk's client for as long as its connection is this process's: another attach() may be to another desk."""

    def handle(self, actor: str) -> Any:
        if not _attached or _attached[-1] is not self or not ray.is_initialized():
            raise DeskError("this Desk's connection was given up, by detach() or a later attach(): attach again")
        return super().handle(actor)


class Desk:
    """What a notebook may ask of a desk. Every call raises DeskError when the desk does not answer."""

    def __init__(self, client: RayDeskClient) -> None:
        self.client = client  # the raw core.ports.DeskClient: limits, margins, exit_all

    def chain(self, index: str) -> "pa.Table":
        """The newest chain of `index`: schemas.CONTRACTS, one row a contract; raises UnknownName, or DeskError before
        the first.

        What it is (live, simulated, replay, cached) is in its schema's metadata, b"provenance": see `provenance`.
        """
        chain = self._chain(index)
        return self._labelled(chain, chain.contracts)

    def expiries(self, index: str) -> "pa.Table":
        """The figures per expiry of the same chain: schemas.EXPIRIES, labelled alike."""
        chain = self._chain(index)
        return self._labelled(chain, chain.expiries)

    def provenance(self, index: str) -> Provenance | None:
        """What the newest chain of `index` is and how old; None while the supervisor does not answer."""
        return provenance_of(self.client, _as_of_ns(self._chain(index)))

    def _chain(self, index: str) -> Chain:
        check_index(index)
        chain = self.client.chain(index)
        if chain is None or not chain.expiries.num_rows:
            raise DeskError(f"shard.{index} has no chain yet: its first ticks are on their way")
        return chain

    def _labelled(self, chain: Chain, batch: "pa.RecordBatch") -> "pa.Table":
        found = provenance_of(self.client, _as_of_ns(chain))
        table = pa.Table.from_batches([batch])
        said = {b"provenance": b"unknown" if found is None else in_words(found).encode()}
        return table.replace_schema_metadata((table.schema.metadata or {}) | said)

    def status(self) -> DeskStatus:
        return self.client.status()

    def positions(self) -> Sequence[Position]:
        return self.client.positions()

    def orders(self) -> Sequence[Order]:
        """Orders that live, of the market's day or of a position that is held; `all_orders` has the session's."""
        return self.client.orders()

    def all_orders(self) -> Sequence[Order]:
        return self.client.all_orders()

    def place(
        self,
        symbol: str,
        side: Side,
        quantity: int,
        *,
        limit_paise: int = 0,
        trigger_paise: int = 0,
        product: Product = "NRML",
        validity: Validity = "DAY",
        variety: Variety = "regular",
        purpose: Purpose = "entry",
        strategy: str = "manual",
        tag: str = "",
    ) -> Order:
        """Send an order of `quantity` units, at market when `limit_paise` is 0; a refusal comes back as REFUSED.

        With `trigger_paise` it is an SL order, which waits for that price. `strategy` is whose position an exit leaves.
        A DeskError names the order's tag: pass it as `tag` to ask again, an order with that tag is never sent twice.
        """
        intent = Intent(
            tag=tag or make_tag(uuid.uuid4().bytes),
            strategy=strategy,
            index=parse_symbol(symbol).index,
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type="SL" if trigger_paise else "LIMIT" if limit_paise else "MARKET",
            limit_paise=limit_paise,
            trigger_paise=trigger_paise,
            product=product,
            validity=validity,
            variety=variety,
            purpose=purpose,
            reason="from a notebook",
        )
        try:
            return self.client.submit(intent)
        except DeskError as error:
            said = f'{error}; it may have been sent: ask again with tag="{intent.tag}", so that there is one order'
            raise DeskError(said) from error

    def modify(self, tag: str, *, limit_paise: int, trigger_paise: int = 0) -> Order:
        """Other prices for an order that rests, its type as it is; a trigger of 0 stays as it is too.

        The order comes back as it is afterwards, with words if it was not done. UnknownName for a tag of no order.
        """
        found = next((order for order in self.client.orders() if order.intent.tag == tag), None)
        if found is None:
            raise UnknownName(f"no order that lives has the tag {tag}; desk.orders() shows them")
        now = terms(found)
        wanted = Terms(
            order_type=now.order_type, limit_paise=limit_paise, trigger_paise=trigger_paise or now.trigger_paise
        )
        return self.client.modify(tag, wanted)

    def cancel(self, tag: str) -> Order:
        return self.client.cancel(tag)

    def plans(self) -> Sequence[PlanStatus]:
        """Plans that run, or have ended on the market's day; `all_plans` has the session's."""
        return self.client.plans()

    def all_plans(self) -> Sequence[PlanStatus]:
        return self.client.all_plans()

    def start_plan(self, body: str) -> PlanStatus:
        """Run a plan, given as JSON (docs/plans.md); the first of its id stays."""
        return self.client.start_plan(body)

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        return self.client.end_plan(plan_id, why)

    def convert(
        self, symbol: str, quantity: int, *, product_from: Product, product_to: Product, strategy: str = "manual",
        move_id: str = "",
    ) -> Move:  # fmt: skip
        """Have the broker move `quantity` units of a position into the other product, once.

        A refusal comes back as phase "refused" with words; "asked": the account's positions will tell (`moves`). After
        a DeskError that says the call may have run ask again with a `move_id` of your own given from the start.
        """
        who, made = f"{getpass.getuser()}, in a notebook", move_id or make_tag(uuid.uuid4().bytes)
        return self.client.convert(symbol, product_from, product_to, quantity, strategy, who, made)

    def adopt(
        self, symbol: str, *, product: Product = "NRML", strategy: str = "manual", price_paise: int = 0,
        move_id: str = "",
    ) -> Move:  # fmt: skip
        """What the account holds of a contract beyond this desk is the strategy's own from now on; nothing is traded.

        At `price_paise` a unit, 0: at the broker's average.
        """
        who, made = f"{getpass.getuser()}, in a notebook", move_id or make_tag(uuid.uuid4().bytes)
        return self.client.adopt(symbol, product, strategy, who, made, price_paise)

    def moves(self) -> Sequence[Move]:
        """Conversions and positions taken over in the session, as they stand."""
        return self.client.moves()

    def rolls(self, *, strategy: str = "", index: str = "", days: int = 0) -> list[Rolled]:
        """Positions that expire on the market's day or up to `days` later: into what, and what that costs."""
        return proposed(self.client, strategy=strategy, index=index, days=days)

    def roll(self, rows: Sequence[Rolled]) -> list[PlanStatus]:
        """Roll these: a rollover plan for each strategy, index and product. InputError where a cost is not known."""
        return start(self.client, rows)

    def kill(self, why: str, *, square_off: bool = False) -> Kill:
        """The kill switch: nothing new is sent, every order is cancelled, and if asked every position closed.

        `release` ends it. `vikalp kill` works while Ray does not answer too.
        """
        return self.client.kill(why, f"{getpass.getuser()}, in a notebook", square_off)

    def release(self, why: str) -> str:
        """End the kill switch; the order manager is HALTED then. Returns its state."""
        return self.client.release(why, f"{getpass.getuser()}, in a notebook")

    def detach(self) -> None:
        """Leave the desk as it is and end this process's connection."""
        if _attached and _attached[-1] is self.client:
            _attached.clear()
            ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


def _as_of_ns(chain: Chain) -> int:
    return int(chain.expiries["as_of_ns"][0].as_py())


def attach(desk: int | None = None, address: str | None = None, *, program: str = "notebook") -> Desk:
    """Connect this process to desk number `desk` (None: the only one that runs), or to a desk at ray://`address`.

    `program` is what the audit log calls this process. Raises DeskError when there is none, when there are several and
    none was named, or when it does not let us in.
    """
    if address is None:
        state = read_state(desk)
        for why in filter(None, (install_copy(Path(state.data_dir)), install_dump(Path(state.data_dir)))):
            print(f"warning: {why}; this process answers from the tables alone", file=sys.stderr)
        token, address, namespace = state.token_path, state.address, state.namespace
    else:
        token, namespace = os.environ.get("RAY_AUTH_TOKEN_PATH", ""), NAMESPACE
        if not token:
            raise DeskError('set RAY_AUTH_TOKEN_PATH to a copy of the desk\'s token (there: eval "$(vikalp env)")')
    if ray.is_initialized():
        if not _attached:
            raise DeskError("this process is connected to Ray already, not by attach(): ray.shutdown() first")
        _attached.clear()
        ray.shutdown()
    admit(token)
    options: dict[str, Any] = {} if address.startswith("ray://") else {"log_to_driver": False, "logging_level": "error"}
    before = signal.getsignal(signal.SIGTERM)
    try:
        _connect(address, namespace, options)
    finally:
        # ray.init takes SIGTERM for itself; whoever attaches may have a desk of its own to end on it.
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
    client = AttachedClient(namespace, who=partial(this_process, program))
    _attached.append(client)
    return Desk(client)


def _connect(address: str, namespace: str, options: dict[str, Any]) -> None:
    # Ray's client server forks a server for each client, and now and then the fork dies at once: ask it once more.
    again = address.startswith("ray://")
    while True:
        try:
            ray.init(address=address, namespace=namespace, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            ray.shutdown()  # a connection half made would refuse the next
            if not (again and isinstance(error, ConnectionError)):
                raise DeskError(f"the desk at {address} did not let us in: {error}") from error
            again = False
            time.sleep(BACK_OFF_S)
        else:
            return
