"""What the ledger tells those who read it: events in their order, and who did what."""

import msgspec


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """A person or program, and where it spoke from; what is empty nobody said."""

    user_id: str = ""
    ip_address: str = ""
    user_agent: str = ""


class LedgerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One fact or change of a session. `offset` counts from 1 without a gap, and names the same event for ever."""

    session_id: str
    offset: int
    topic: str
    key: str  # an order's tag, a contract, a day …: what the event is about
    at_ns: int  # as the fact itself says, market's clock; 0 where it says none
    recorded_wall_ns: int
    body: str  # JSON: the row as it was written


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, from where, and what it was before and after; JSON texts, empty where nobody said."""

    seq: int
    recorded_wall_ns: int
    actor: str  # the program or strategy
    user_id: str
    action: str
    entity_type: str
    entity_id: str
    old_value: str
    new_value: str
    detail: str
    ip_address: str
    user_agent: str
