"""The end-of-day report of a desk: read from its ledger, its broker and its tape, kept in the ledger and as files.

Of a desk that runs the broker is asked, twice where the first time shows a mismatch; of one that does not, only a paper
broker's book, which lies in the ledger, can be read, and the report says so.
"""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from brokers.kite.note import charges_paise
from cluster.account import make_broker, make_client
from cluster.backups import settings_of
from cluster.desk import Desk, book_id, market_clock, tape_url
from cluster.ledger import opened
from cluster.running import running_desk
from cluster.settings import Settings
from cluster.state import desk_dir, find_state, write_private
from core.errors import BrokerDown, InputError, VikalpError
from core.market import INDICES
from core.orders.books import books_of
from core.orders.end_of_day import (
    EndOfDay,
    Facts,
    as_json,
    cash_paise,
    end_of_day,
    filled_up,
    in_short,
    markdown,
    prices_of,
)
from core.orders.positions import market_date
from core.orders.reconcile import Statement
from core.orders.snapshot import Snapshot, points, prices
from core.ports import Broker
from core.records import Alert, Order, RiskEvent
from storage.broker_store import PostgresBrokerStore
from storage.last_chains import TapeLastChains
from storage.ledger import PostgresLedger
from storage.ledger.reports import Reports

Prices = dict[str, tuple[int, int, int, int]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A desk as a report reads it. `broker` is what it trades with, None where that cannot be asked, then `why`."""

    desk: int
    dsn: str
    settings: Settings
    session: str  # that it trades in now; empty of one that does not run
    tape: str
    now_ns: int  # market
    broker: Callable[[], Statement] | None
    why: str


def report_day(desk: int, day: dt.date | None = None, session: str = "", *, keep: bool = True) -> EndOfDay:
    """Make the report of a day, by default of the last one with an order, and keep it: ledger, files, alert.

    `keep` False only looks. Raises InputError where there is no such desk, session or order, LedgerDown, OSError.
    """
    with place_of(desk) as place, closing(Reports(place.dsn)) as reports:
        day, session = _chosen(place, reports, day, session)
        with closing(PostgresLedger(place.dsn, session, writer="end_of_day")) as ledger:
            made = _make(place, ledger, reports, day, session)
            if keep:
                _keep(place, ledger, reports, made)
        return made


def kept_report(desk: int, day: dt.date | None = None, session: str = "") -> dict[str, object] | None:
    """The last report that was kept of a day, as JSON; None if there is none. Raises as `report_day`."""
    with place_of(desk) as place, closing(Reports(place.dsn)) as reports:
        day, session = _chosen(place, reports, day, session)
        found = reports.newest(session, day)
        return None if found is None else dict(json.loads(found))


def kept_snapshots(desk: int, session: str = "") -> tuple[str, list[Snapshot]]:
    """A session, by default the one that trades or did last, and its snapshots. Raises as `report_day`."""
    with place_of(desk) as place, closing(Reports(place.dsn)) as reports:
        name = session or place.session or _chosen(place, reports, None, "")[1]
        with closing(PostgresLedger(place.dsn, name)) as ledger:
            return name, ledger.snapshots()


@contextmanager
def place_of(desk: int) -> Iterator[Place]:
    """Of a desk that runs or of one that did; its own PostgreSQL is started meanwhile where it does not."""
    settings, state = settings_of(desk), find_state(desk)
    if state is None or not state.alive:
        why = "not asked: the desk does not run"
        tape = settings.tape.url or str(desk_dir(desk) / "tape")
        with opened(desk) as dsn:
            yield Place(desk=desk, dsn=dsn, settings=settings, session="", tape=tape, now_ns=time.time_ns(),
                        broker=None, why=why)  # fmt: skip
        return
    made = running_desk(state)
    asks = settings.mode in {"SIMULATED", "LIVE"}
    with opened(desk) as dsn:
        yield Place(
            desk=desk, dsn=dsn, settings=settings, session=book_id(made), tape=tape_url(made),
            now_ns=market_clock(made).now_ns(), broker=(lambda: _ask(made)) if asks else None,
            why="" if asks else "its paper broker has no order of that session",
        )  # fmt: skip


def ask(broker: Broker, charges: Callable[[Sequence[Order]], int]) -> Statement:
    """What a broker says of the day and of orders of ours; `charges` is what it takes for them. Raises BrokerDown."""
    orders, fills, funds = tuple(broker.book()), tuple(broker.trades()), broker.margins()
    return Statement(
        orders=orders, trades=fills, positions=broker.positions(), margin_paise=funds.margin_paise,
        funds_paise=funds.available_paise, charges_paise=charges(orders), cash_paise=cash_paise(fills),
    )  # fmt: skip


def _ask(desk: Desk) -> Statement:
    return ask(make_broker(desk), partial(charges_paise, make_client(desk)))


def paper_side(dsn: str, session: str, day: dt.date) -> Statement | None:
    """A paper broker's own book of a session, from the ledger; None if it has none."""
    with closing(PostgresBrokerStore(dsn, session)) as store:
        orders, fills = store.load()[:2]
    if not orders:
        return None
    of_day = tuple(fill for fill in fills if market_date(fill.at_ns) == day)
    held = {key: book.quantity for key, book in books_of(orders, fills).nets.items() if book.quantity}
    return Statement(orders=tuple(orders), trades=of_day, positions=held, cash_paise=cash_paise(of_day))


def _chosen(place: Place, reports: Reports, day: dt.date | None, session: str) -> tuple[dt.date, str]:
    session = session or (place.session if day is None or day == market_date(place.now_ns) else "")
    if day is None:
        day = market_date(place.now_ns) if place.session and session == place.session else reports.last_day(session)
    if day is None:
        raise InputError(f"desk {place.desk} has no order {f'in session {session}' if session else 'yet'}: give --date")
    session = session or reports.session_of(day)
    if not session:
        raise InputError(f"desk {place.desk} has no order of {day}: choose another --date, or the --session")
    return day, session


def _make(place: Place, ledger: PostgresLedger, reports: Reports, day: dt.date, session: str) -> EndOfDay:
    taken = [one for one in ledger.snapshots() if market_date(one.at_ns) == day]
    known, marks_from = _prices(place, session, day, taken)

    def made(broker: list[Statement], says: str) -> EndOfDay:
        facts = Facts(
            orders=tuple(ledger.orders()), fills=tuple(ledger.fills()), settlements=tuple(ledger.settlements()),
            moves=tuple(ledger.moves()),
        )  # fmt: skip
        return end_of_day(
            session, day, facts, broker, prices=known, points=points(taken),
            earlier=reports.earlier_days(session, day), as_of_ns=place.now_ns, marks_from=marks_from, broker_says=says,
        )  # fmt: skip

    first, says = _broker(place, session, day)
    if first is None:
        return made([], says)
    report = made([first], says)
    if report.reconciliation.clean or place.broker is None:
        return report
    again, _ = _broker(place, session, day)  # what two moments explain is gone by now
    return report if again is None else made([first, again], says)


def _broker(place: Place, session: str, day: dt.date) -> tuple[Statement | None, str]:
    paper = paper_side(place.dsn, session, day)
    if paper is not None:
        return paper, "the paper broker's own book"
    if place.broker is None or session != place.session:
        return None, place.why or "not asked: it is of another session than the one the desk trades in now"
    if day != market_date(place.now_ns):
        return None, f"not asked: a broker's book is of today alone, {market_date(place.now_ns)}"
    try:
        return place.broker(), "its book, trades, positions, margins and charges"
    except (BrokerDown, InputError) as error:
        return None, f"asked, and it did not say: {error}"


def _prices(place: Place, session: str, day: dt.date, taken: list[Snapshot]) -> tuple[Prices, str]:
    """The day's last chain of each index on the tape, else the snapshots' prices; and what they are, in words."""
    found: Prices = {}
    unread: list[str] = []
    for root in dict.fromkeys((f"{place.tape}/{session}", place.tape)):
        for index in INDICES:
            try:
                chain = TapeLastChains(root).last(index)
            except (VikalpError, OSError) as error:
                unread.append(f"{index} cannot be read: {error}")
                continue
            if chain is not None and market_date(chain.expiries["as_of_ns"][0].as_py()) == day:
                found = prices_of(chain) | found
    seen = prices(taken)
    if found:
        words = "the day's last chain on the tape, at the exit side"
        more = ["the last snapshot's of what is not in it"] if seen.keys() - found.keys() else []
        return filled_up(found, seen), "; ".join([words, *more, *unread])
    if taken:
        return seen, "; ".join(["the day's last snapshot, as no chain of the day is on the tape", *unread])
    return {}, "; ".join(["none is known: what is open counts at its last trade here", *unread])


def _keep(place: Place, ledger: PostgresLedger, reports: Reports, made: EndOfDay) -> None:
    told, bad = as_json(made), len(made.reconciliation.mismatches)
    reports.add(made.session, made.date, json.dumps(told, default=str, allow_nan=False), differences=bad)
    if not made.account.no_close:  # else the running desk's own figure stays, if there is one
        _keep_result(ledger, made)
    for path, text in zip(
        files_of(place.desk, made), (json.dumps(told, indent=2, default=str), markdown(made)), strict=True
    ):
        write_private(path, text)
    if bad:
        subject = f"end of day {made.date}"
        ledger.record_risk_event(
            RiskEvent(at_ns=place.now_ns, kind="difference", subject=subject, message=in_short(made), severity="alarm",
                      triggered_by="end_of_day", action_taken="told; what is held is left as it is")
        )  # fmt: skip
        ledger.record_alert(Alert(at_wall_ns=time.time_ns(), severity="alarm", subject=subject, message=in_short(made)))


def _keep_result(ledger: PostgresLedger, made: EndOfDay) -> None:
    result = made.account
    names = ("realised_paise", "unrealised_paise", "trades", "winners", "losers", "max_drawdown_paise")
    figures = {name: getattr(result, name) for name in names}
    ledger.record_daily_pnl(
        made.date.isoformat(), result.gross_paise, result.charges_paise, {**figures, "sharpe": made.sharpe}
    )


def files_of(desk: int, made: EndOfDay) -> tuple[Path, Path]:
    """Where the report lies as JSON and as Markdown."""
    folder = desk_dir(desk) / "reports"
    return folder / f"{made.date}-{made.session}.json", folder / f"{made.date}-{made.session}.md"
