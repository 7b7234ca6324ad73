"""What an order manager is made of, wired once."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.oms.account import Account
from actors.oms.broker_link import BrokerLink
from actors.oms.closing import Closer
from actors.oms.config import OmsConfig
from actors.oms.day_end import DayEnd, Listed
from actors.oms.duties import Duties
from actors.oms.flatten import Flattener
from actors.oms.follow import Follower
from actors.oms.guards import Guards
from actors.oms.journal import Journal
from actors.oms.killing import KillSwitch, exchanges_of
from actors.oms.moving import Mover
from actors.oms.plans import PlanRunner
from actors.oms.risk_link import RiskLink
from actors.oms.rounds import Rounds
from actors.oms.send import Sender
from actors.oms.settle import Settler
from actors.oms.standing import Standing
from actors.oms.symbols import Symbols
from core.matching.depth import Board
from core.ports import Bus, Clock, KillFile, Ledger, Risk
from core.ports.account import AccountBroker


@dataclass(frozen=True, slots=True)
class Parts:
    """Each decides one thing; the actor decides when it is asked."""

    journal: Journal
    broker: BrokerLink
    follow: Follower
    standing: Standing
    guards: Guards
    send: Sender
    flatten: Flattener
    settler: Settler
    plans: PlanRunner
    killing: KillSwitch
    moving: Mover
    symbols: Symbols
    rounds: Rounds


def parts(
    config: OmsConfig,
    board: Board,
    *,
    bus: Bus,
    clock: Clock,
    ledger: Ledger,
    broker: AccountBroker,
    risk: Risk,
    kill_file: KillFile | None,
    pause: Callable[[float], None],
) -> Parts:
    """An order manager's parts, which share one journal; nothing is connected yet."""
    journal = Journal(ledger, clock)
    way, link = BrokerLink(broker, clock), RiskLink(risk, journal, clock, lease_ms=config.lease_ms)
    follow, guards = Follower(journal, way, link, clock), Guards(config, journal, clock)
    standing = Standing(config.state_after_start, journal, clock)
    send = Sender(journal, follow, broker=way, risk=link, standing=standing, guards=guards, clock=clock, pause=pause)
    account, settler = Account(journal, follow, way, clock), Settler(journal, link, clock)
    closer = Closer(journal, follow, send, account, broker=way, clock=clock, exit_cross=config.exit_cross)
    flatten = Flattener(journal, follow, send, account, closer=closer, broker=way, standing=standing, clock=clock)
    most = config.budget.modifications_an_order
    plans = PlanRunner(
        journal, send, standing, guards=guards, broker=way, clock=clock, most_modifications=most, follow=follow,
        account=account, risk=link,
    )  # fmt: skip
    exchanges = exchanges_of(config.indices)
    killing = KillSwitch(
        config.kill, journal, standing, send, flatten, plans=plans, broker=way, file=kill_file, clock=clock,
        exchanges=exchanges,
    )  # fmt: skip
    listed = Listed(journal, follow, send, clock, most=2)
    day_end = DayEnd(config.day_end, journal, plans, clock, listed=listed)
    duties = Duties(
        config, journal, standing, follow=follow, account=account, broker=way, risk=link, killing=killing,
        day_end=day_end, clock=clock,
    )  # fmt: skip
    symbols = Symbols(journal, plans, bus, clock, indices=config.indices)
    rounds = Rounds(
        journal, follow, flatten, settler, account, killing=killing, plans=plans, duties=duties, standing=standing,
        broker=way, risk=link, guards=guards, symbols=symbols, board=board, bus=bus, clock=clock,
        indices=config.indices, timer_ms=config.timer_ms, pause=pause,
    )  # fmt: skip
    moving = Mover(journal, standing, broker=way, risk=link, clock=clock)
    return Parts(
        journal, way, follow, standing, guards, send, flatten, settler, plans, killing, moving, symbols, rounds
    )
