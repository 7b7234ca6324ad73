"""What the command line and a notebook say a chain is, and what an order on a cached one is told."""

import json
from typing import Any, cast

import msgspec
import pytest

from cluster.attach import Desk
from cluster.cli.screen import lines, look
from cluster.client import RayDeskClient
from core.errors import DeskError
from core.records import LimitUse
from core.schemas import CONTRACTS
from tests.unit.cli.fake_world import NOW, STATUS, Place
from tests.unit.cli.test_commands import CALL, vikalp


def at_mode(place: Place, mode: str, *, later_s: int) -> None:
    """The desk's market is of that mode, and its clock that many seconds after the chain's newest quote."""
    market_ns = NOW + (later_s - 2) * 10**9
    found = msgspec.structs.replace(STATUS, mode=mode, market_ns=market_ns)
    place.client.status = lambda: found  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("mode", "later_s", "kind", "says"),
    [
        ("SIMULATED", 2, "simulated", "simulated"),
        ("REPLAY", 60, "replay", "replay"),
        ("PAPER", 2, "live", "live"),
        ("LIVE", 10, "live", "live"),
        ("LIVE", 11, "cached", "cached 11.0s  entries are refused, exits pass"),
        ("SIMULATED", 11, "cached", "cached 11.0s, simulated  entries are refused, exits pass"),
        ("LIVE", 7_200, "cached", "cached, 2026-11-20 15:14  entries are refused, exits pass"),
    ],
)
def test_a_chain_says_whether_it_is_live_or_cached(mode: str, later_s: int, kind: str, says: str) -> None:
    place = Place()
    at_mode(place, mode, later_s=later_s)
    shown = " ".join(vikalp(place, "chain", "NIFTY").stdout.split("CALLS")[0].split("\n"))
    found = json.loads(vikalp(place, "chain", "NIFTY", "--json").stdout)["provenance"]

    assert shown.rstrip().endswith(says)
    assert (found["kind"], found["as_of_ns"]) == (kind, NOW - 2 * 10**9)
    assert look(place.client).kind("NIFTY") == kind
    assert f"NIFTY 2026-12-01 {kind} spot" in "\n".join(lines(look(place.client)))


@pytest.mark.parametrize(("purpose", "times"), [("entry", 1), ("hedge", 1), ("exit", 0)])
def test_an_order_on_a_cached_chain_is_told_so_before_it_asks(purpose: str, times: int) -> None:
    place = Place()
    at_mode(place, "LIVE", later_s=12)
    done = vikalp(place, "order", CALL, "sell", "--purpose", purpose, typed="n\n")

    assert done.stderr.count("NIFTY is cached 12.0s: entries are refused, exits pass") == times
    assert place.client.sent == []


def test_while_orders_are_halted_no_exit_is_said_to_pass() -> None:
    place = Place()
    at_mode(place, "LIVE", later_s=12)
    halted = msgspec.structs.replace(place.client.status(), oms_state="HALTED")
    place.client.status = lambda: halted  # type: ignore[method-assign]
    asked = vikalp(place, "order", CALL, "sell", typed="n\n").stderr
    shown = " ".join(vikalp(place, "chain", "NIFTY").stdout.split())

    for said in (asked, shown):
        assert "entries and exits are refused, orders are HALTED" in said
        assert "exits pass" not in said


def test_risks_own_limit_decides_and_without_an_answer_of_it_or_the_supervisor_it_is_said() -> None:
    place = Place()
    at_mode(place, "LIVE", later_s=30)
    limit = LimitUse(limit="stale_quote", used=0, allowed=60_000, unit="ms")
    place.client.limits = lambda: [limit]  # type: ignore[method-assign]
    assert look(place.client).kind("NIFTY") == "live"

    def away() -> Any:
        raise DeskError("risk is down or restarting")

    place.client.limits = away  # type: ignore[method-assign]
    assert look(place.client).kind("NIFTY") == "cached"
    place.client.status = away  # type: ignore[method-assign]
    done = vikalp(place, "chain", "NIFTY")
    assert done.exit_code == 0
    assert "live or cached is not known" in done.stdout


def test_a_notebooks_tables_say_it_too() -> None:
    place = Place()
    at_mode(place, "LIVE", later_s=30)
    desk = Desk(cast("RayDeskClient", place.client))

    found = desk.provenance("NIFTY")
    assert found is not None
    assert (found.kind, found.age_ns) == ("cached", 30 * 10**9)
    for table in (desk.chain("NIFTY"), desk.expiries("NIFTY")):
        assert (table.schema.metadata or {})[b"provenance"] == b"cached 30.0s"
    assert desk.chain("NIFTY").schema.equals(CONTRACTS)
