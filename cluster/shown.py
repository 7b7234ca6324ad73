"""What a chain asked of a running desk is, for whoever shows it: the command line and a notebook."""

from typing import TYPE_CHECKING

from core.errors import DeskError

if TYPE_CHECKING:
    from core.market.provenance import Provenance
    from core.ports import DeskClient
    from core.records import DeskStatus


def oms_state_of(client: "DeskClient") -> str:
    """The order manager's state as the supervisor says it; UNREACHABLE while that says nothing."""
    try:
        return client.status().oms_state
    except DeskError:
        return "UNREACHABLE"


def provenance_of(client: "DeskClient", as_of_ns: int, status: "DeskStatus | None" = None) -> "Provenance | None":
    """Of a chain with that newest quote, by what supervisor and risk say; None while the supervisor says nothing."""
    from core.market.provenance import MAX_AGE_NS, max_age_ns, provenance  # noqa: PLC0415

    try:
        status = status or client.status()
    except DeskError:
        return None
    try:
        most_ns = max_age_ns(client.limits())
    except DeskError:
        most_ns = MAX_AGE_NS  # risk is away; it refuses no later than this without a setting
    return provenance(status.market_mode, as_of_ns=as_of_ns, now_ns=status.market_ns, max_age_ns=most_ns)
