"""Money: the broker, risk, and what may be asked of an order manager."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from core.matching.queue import ARRIVED, Place
from core.records import (
    Chain,
    DeskStatus,
    Fill,
    Funds,
    Intent,
    Kill,
    LimitUse,
    Margin,
    Move,
    Order,
    PlanStatus,
    Position,
    Product,
    Terms,
    Verdict,
)


class BrokerAnswer(Protocol):
    """ACK with the broker's id, REFUSED with words, or UNKNOWN (timeout, 5xx, anything else)."""

    @property
    def kind(self) -> str: ...
    @property
    def broker_id(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def again(self) -> bool:
        """REFUSED for the moment: nothing is wrong with what was asked."""


class Broker(Protocol):
    @property
    def unlisted_ms(self) -> int:
        """An order it has taken may be missing in `book` for so long, milliseconds of wall time."""

    @property
    def trades_at_once(self) -> bool:
        """Whether an order may have traded by the time `place` returns."""

    def begin(self, lasts_ns: int) -> None:
        """A turn of the order manager begins, before it journals anything: nothing is asked once it is `lasts_ns` old.

        Whoever is stopped in it sends nothing when it goes on: it may have been replaced.
        """

    def place(self, intent: Intent) -> BrokerAnswer:
        """Send once; never raises for what the wire does."""

    def cancel(self, broker_id: str) -> BrokerAnswer: ...
    def modify(self, broker_id: str, terms: Terms) -> BrokerAnswer:
        """Ask once for other terms; ACK says the request was taken, the book says what rests."""

    def find(self, tag: str) -> Order | None:
        """The broker's own order with that tag; None if it holds none."""

    def book(self) -> Sequence[Order]:
        """Every order of the session as the broker sees it."""

    def trades(self) -> Sequence[Fill]:
        """Every trade of the session as the broker sees it."""

    def positions(self) -> Mapping[tuple[str, str], int]:
        """Signed units of the account, whoever traded them, by contract and product; what is flat may be left out.

        Of contracts of our indices alone. Raises as `book`.
        """

    def margins(self) -> Funds:
        """What the account may still block, and what is blocked now. Raises as `book`."""

    def on_ticks(self, ticks: pa.RecordBatch) -> bool:
        """The market, for a broker that matches against it itself; whether `trades` may show more by that.

        An exchange has its own book: False, always.
        """


class Risk(Protocol):
    """The risk actor as others see it: awaited calls."""

    def check(self, intent: Intent, replaces: str = "") -> Verdict:
        """Who refuses it; one let through counts as working. Other terms are judged in the place of the order that
        `replaces` names, and nothing counts as working by them.
        """

    def book(self, fill: Fill) -> None: ...
    def release(self, tag: str) -> None:
        """The order is over: what of it has not filled is no longer working."""

    def rests(self, tag: str, limit_paise: int) -> None:
        """The order counts at another limit now; at 0 at its intent's (`core.risk.resting.changed_limit`)."""

    def settle(self, live: Mapping[str, int], trades: Collection[str]) -> None:
        """Orders that live, each with its limit as in `rests`, and ids of every trade and settlement; LedgerDown.

        As an order manager's journal holds them. If risk counts anything else it reads the ledger, which decides: a
        replaced order manager's word does not, but that an order may rest dearer than the ledger has it is believed.
        """

    def lease(self) -> int:
        """Milliseconds from now for which entries may be sent; 0 while it cannot judge them. Exits need none."""

    def unsound(self) -> str:
        """Why it gives no lease, in words; empty while it does."""

    def breach(self) -> str:
        """The limit whose breach pulls the kill switch, "name: how"; empty while there is none."""

    def funds(self, found: Funds) -> Funds | None:
        """What the broker says the account has; what this desk counts, None while it cannot value what is held."""

    def limits(self) -> Sequence[LimitUse]: ...
    def margin(self, intent: Intent) -> Margin: ...


class Trading(Protocol):
    """What may be asked of an order manager, at whatever distance. A refused order is no error: it comes as REFUSED."""

    def submit(self, intent: Intent) -> Order: ...
    def modify(self, tag: str, terms: Terms) -> Order:
        """Ask the broker once for other terms; the order as it is afterwards, with words if it was not done.

        UnknownName for a tag never sent, InputError for terms no order can have.
        """

    def cancel(self, tag: str) -> Order: ...
    def exit_all(self, why: str) -> Sequence[Order]: ...
    def orders(self) -> Sequence[Order]:
        """Orders that live, of the market's day or of a position that is held, oldest first."""

    def all_orders(self) -> Sequence[Order]:
        """Every order of the session, which of a LIVE desk is the account's whole life; not to be asked in a loop."""

    def positions(self) -> Sequence[Position]:
        """What is held, or was traded on the last day on which there was a trade, of each strategy."""

    def halt(self, why: str) -> str:
        """No new orders until `resume`, whatever is restarted; returns the state. exit_all still works.

        LedgerDown: it is so now, and a crash would forget it; say it again when the ledger is back. `reduce` alike.
        """

    def reduce(self, why: str) -> str:
        """Exits only, until `resume`; returns the state."""

    def resume(self) -> str:
        """Trading again, unless something else stands against it; returns the state there is now."""

    def kill(self, why: str, who: str, square_off: bool) -> Kill:  # noqa: FBT001 remote calls have no keywords
        """The kill switch: no new orders, every order cancelled, entries first, and if asked every position closed.

        Holds through restarts until `release`. Raises nothing for what broker and ledger do: they are asked again.
        InputError without a reason.
        """

    def release(self, why: str, who: str) -> str:
        """A person releases the kill switch; the order manager is HALTED then, `resume` trades. Returns the state.

        InputError without a reason or while the kill file is there; LedgerDown: not released.
        """

    def start_plan(self, body: str) -> PlanStatus:
        """Keep a plan (JSON of core.orders.plans.Plan) and run it until it is over; the first of its id stays.

        InputError for what is no plan or another one than its id names.
        """

    def plans(self) -> Sequence[PlanStatus]:
        """Plans that run, or have ended on the market's day, oldest first."""

    def all_plans(self) -> Sequence[PlanStatus]:
        """Every plan of the session, as `all_orders`."""

    def end_plan(self, plan_id: str, why: str) -> PlanStatus:
        """Ask a plan to end: it leaves what it has entered, by its own rules. UnknownName for no plan."""

    def convert(  # noqa: PLR0917 remote calls have no keywords
        self, symbol: str, product_from: Product, product_to: Product, quantity: int, strategy: str, who: str,
        move_id: str,
    ) -> Move:  # fmt: skip
        """Ask the broker, once, for units of a strategy's position to be of the other product.

        The move as it stands: done, refused in words, or asked: then the account's positions tell later. Of one
        `move_id` the first stays. InputError for what the strategy does not hold; DeskError: nothing was done.
        """

    def adopt(  # noqa: PLR0917 remote calls have no keywords
        self, symbol: str, product: Product, strategy: str, who: str, move_id: str, price_paise: int
    ) -> Move:
        """What the account holds of a contract beyond this desk is the strategy's from now on.

        At `price_paise` a unit, 0: at the broker's average. InputError where nothing is external; DeskError: not now.
        """

    def moves(self) -> Sequence[Move]:
        """Conversions and positions taken over in the session, as they stand, oldest first."""

    def killed(self) -> Kill | None:
        """The kill switch while it is pulled; None while it is not."""


class Orders(Trading, Protocol):
    """The order manager as others see it: awaited calls, never the bus."""

    def state(self) -> str: ...


class KillFile(Protocol):
    """The kill switch beside the ledger: a file a person can make when nothing else answers."""

    def words(self) -> str:
        """Why it was pulled; empty while it is not. Never raises: what cannot be read counts as pulled."""

    def pull(self, words: str) -> None:
        """OSError where the disk refuses."""

    def remove(self) -> None: ...


class BrokerStore(Protocol):
    """Where the paper broker keeps its own book, so that it outlives the process that hosts it."""

    def save(self, order: Order, fills: Sequence[Fill], place: Place = ARRIVED) -> None:
        """Commit the order's new state, its place and its new fills in one transaction; all or none."""

    def load(self) -> tuple[Sequence[Order], Sequence[Fill]]:
        """Every order and fill of this session, oldest first; no save made before lands after it."""

    def places(self) -> Mapping[str, Place]:
        """How far each of these orders has come, by tag; asked after `load`."""


class DeskClient(Trading, Protocol):
    """Everything the page, the command line and a notebook may ask of a desk; awaited calls with a deadline.

    Raises DeskError, naming the actor, when one does not answer.
    """

    def chain(self, index: str) -> Chain | None: ...
    def status(self) -> DeskStatus: ...
    def limits(self) -> Sequence[LimitUse]: ...
    def budget(self) -> Sequence[LimitUse]:
        """How much of the order manager's budget of requests and orders is used."""

    def set_limits(self, changes: Mapping[str, object], who: str, why: str) -> object:
        """Change fields of limits while the desk runs, by "name.field"; none of them, unless all can be. InputError."""

    def margin(self, intent: Intent) -> Margin: ...
