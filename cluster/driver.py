"""The host's hand inside Ray: creates the supervisor, says how far the desk is, drains it when told.

`python -m cluster.driver DESK_FILE [drain]`. Runs beside the host for as long as the desk does, so that ending needs no
new connection; with `drain` it only drains, for one that died. One JSON object a line on stdout; `drain` on stdin.
Started before the head answers: its imports take as long as the head does.
"""

import json
import pickle
import select
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError

from cluster.account import log_in_locally, root_of, store_of
from cluster.client import Calls, RayDeskClient, this_process
from cluster.desk import Desk, is_local, is_rehearsal, make_ledger, make_phase, market_clock, market_says
from cluster.dump import for_page, keep_dump, with_listing
from cluster.local_exchange import until_it_listens
from cluster.ports import listening, ports
from cluster.supervisor import GROUPS, DeskFacts, Supervisor
from cluster.topology import specs
from core.errors import DeskError, VikalpError
from core.market.overlay import use, use_dump
from core.records import DeskStatus, RiskEvent


def main() -> int:
    desk: Desk = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 our host wrote it, mode 600
    use(desk.facts)
    use_dump(desk.dump)
    try:
        _connect(desk)
        if sys.argv[2:] == ["drain"]:
            _drain(desk)
            return 0
        desk = _with_listing(desk)
        _create(desk)
    except VikalpError as error:
        _say(failed=str(error))
        return 1
    word = _bring_up(desk)
    if word is None:
        word = _heard(None)
    if word == "drain":
        _drain(desk)
    return 0


def _bring_up(desk: Desk) -> str | None:
    """Until the desk is ready, or said not to be: what has started is drained by this process all the same.

    Returns what the host said meanwhile.
    """
    try:
        word = _wait(desk)
        if word is None:
            _record(desk)
            _say(done=True)
    except VikalpError as error:
        _say(failed=str(error))
        return None
    return word


def _heard(within_s: float | None) -> str | None:
    """The host's next word, empty when the host is gone; None when it says nothing for so long."""
    readable, _, _ = select.select([sys.stdin], [], [], within_s)
    return sys.stdin.readline().strip() if readable else None


def _connect(desk: Desk) -> None:
    gcs = ports(desk.desk).gcs
    deadline = time.monotonic() + desk.settings.ray.start_s
    while not listening(gcs):
        if time.monotonic() > deadline:
            raise DeskError(f"Ray did not listen on {gcs} within {desk.settings.ray.start_s:g} s")
        time.sleep(0.05)
    while True:
        try:
            ray.init(address=f"127.0.0.1:{gcs}", namespace=desk.namespace, log_to_driver=False, logging_level="warning")
            break
        except ConnectionError:  # it listens before its node has told it that it is there
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    _say(step="Ray answers")


def _with_listing(desk: Desk) -> Desk:
    """With the instruments of its broker, which is asked for them here; a replay's desk has none."""
    if desk.settings.mode == "REPLAY":
        return desk
    if is_local(desk):
        until_it_listens(ports(desk.desk).exchange, desk.settings.ray.start_s)
        store_of(desk).save(log_in_locally(root_of(desk), market_clock(desk).now_ns()))
    desk = with_listing(desk)
    use_dump(desk.dump)
    keep_dump(Path(desk.data_dir), desk.dump)
    return desk


def _create(desk: Desk) -> None:
    """Create the supervisor; it creates everything else."""
    shown: Any = ray.remote(concurrency_groups=GROUPS)(Supervisor)
    shown.options(
        name="supervisor",
        namespace=desk.namespace,
        lifetime="detached",
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        enable_task_events=False,
    ).remote(
        DeskFacts(
            desk=desk.desk,
            mode=desk.settings.mode,
            namespace=desk.namespace,
            session_id=desk.session_id,
            market_says=market_says(desk),
            rehearsal=is_rehearsal(desk),
            notices=for_page(desk.differences),
        ),
        cloudpickle.dumps(specs(desk)),
        desk.settings.supervision,
        clock=market_clock(desk),
        phase=make_phase(desk),
        ledger=make_ledger(desk, writer="supervisor"),
    )
    _say(step="actors are starting", created=True)


def ready(status: DeskStatus) -> bool:
    """Every actor is READY. A desk without one strategy is a desk; without anything else it is none: DeskError."""
    lost = [actor for actor in status.actors if actor.state == "QUARANTINED"]
    missed = "; ".join(f"{actor.name}: {actor.why}" for actor in lost if not actor.name.startswith("strategy."))
    if missed:
        raise DeskError(f"crashed in a loop while starting: {missed}; see the logs of Ray's session")
    return all(actor.state == "READY" or actor in lost for actor in status.actors)


def _wait(desk: Desk) -> str | None:
    """Until the desk is ready, or the host has something to say, which is returned. DeskError when it does not come."""
    client = RayDeskClient(desk.namespace, deadline_s=10.0)
    deadline = time.monotonic() + desk.settings.ray.start_s
    before = -1
    while True:
        status = _status(client)
        if status is not None:
            count = sum(actor.state == "READY" for actor in status.actors)
            if count != before:
                _say(step=f"{count} of {len(status.actors)} actors ready", ready=count, of=len(status.actors))
                before = count
            if ready(status):
                return None
            if time.monotonic() > deadline:
                late = "; ".join(f"{a.name} {a.state} {a.why}".strip() for a in status.actors if a.state != "READY")
                raise DeskError(f"not ready within {desk.settings.ray.start_s:g} s: {late}")
        elif time.monotonic() > deadline:
            raise DeskError(f"the supervisor did not answer within {desk.settings.ray.start_s:g} s")
        word = _heard(0.1)
        if word is not None:
            return word


def _record(desk: Desk) -> None:
    """Every difference of the day's dump from the tables, once, where risk's events are."""
    ledger, now_ns = make_ledger(desk, writer="desk"), market_clock(desk).now_ns()
    for message in desk.differences:
        ledger.record_risk_event(
            RiskEvent(at_ns=now_ns, kind="difference", subject="instruments", message=message, severity="warning",
                      triggered_by="desk", action_taken="the broker's dump counts")
        )  # fmt: skip


def _status(client: RayDeskClient) -> DeskStatus | None:
    try:
        return client.status()
    except DeskError:
        return None


def _drain(desk: Desk) -> None:
    """No new entries, acknowledged; then every actor closes; then the supervisor is gone for good."""
    calls = Calls(desk.namespace, deadline_s=3.0, who=partial(this_process, "host"))
    if _never_traded(calls):
        _say(drained=True, unclean=[])
        return
    try:
        calls.call("oms", "halt", "the desk is going down", False)  # not kept: the next start is no halted one
    except VikalpError as error:
        _say(unhalted=str(error))
    quarantined = _quarantined(desk)
    try:
        supervisor = calls.handle("supervisor")
        unclean = calls.get("supervisor", supervisor.drain.remote(10.0), 13.0)
        ray.kill(supervisor, no_restart=True)
        _say(drained=True, unclean=[name for name in unclean if name not in quarantined])
    except (VikalpError, RayError) as error:
        _say(drained=False, why=str(error))


def _never_traded(calls: Calls) -> bool:
    """False also where nobody says so."""
    try:
        return bool(calls.get("supervisor", calls.handle("supervisor").idle.remote(), 3.0))
    except DeskError:
        return False


def _quarantined(desk: Desk) -> set[str]:
    """The actors that ended long ago, and were shown as such: nothing is left in them to close."""
    status = _status(RayDeskClient(desk.namespace, deadline_s=1.0))
    return {actor.name for actor in status.actors if actor.state == "QUARANTINED"} if status is not None else set()


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    sys.exit(main())
