"""The API's answers as pydantic models, made from the contract itself: core/schemas.py and core/records.py.

Units and sentences come from the schema's own metadata, so that /docs cannot disagree with the wire. NaN is null.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec
import pyarrow as pa
from pydantic import BaseModel, Field, create_model

from core.market.provenance import Kind, Origin
from core.records import DeskStatus, Kill, LimitUse, Margin, Move, Order, PlanStatus, Position
from core.schemas import CONTRACTS, EXPIRIES
from gateway.rolls import Rolled

MOST_LOTS = 10_000  # of one order: a slipped digit; the desk's own limit, order_size, is far below
_TYPES: Mapping[str, Any] = {"string": str, "date32[day]": dt.date, "double": float | None}


def _of_schema(name: str, schema: pa.Schema) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for column in schema:
        kind = _TYPES.get(str(column.type), int)
        said = {key.decode(): text.decode() for key, text in (column.metadata or {}).items()}
        note = f"{said.get('unit', '')}: {said.get('doc', '')}"
        fields[column.name] = (kind | None if column.nullable else kind, Field(description=note))
    return create_model(name, **fields)


def _of_struct(struct: type[msgspec.Struct]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        info.name: (_annotation(info.type), Field(description=_unit(info.name)))
        for info in msgspec.structs.fields(struct)
    }
    return create_model(struct.__name__, __doc__=struct.__doc__, **fields)


def _annotation(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _of_struct(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return list[_annotation(arguments[0])]  # type: ignore[misc]
    return kind


def _unit(name: str) -> str:
    for ending, unit in {
        "_paise": "paise",
        "_ns": "ns, market clock, UTC",
        "_mb": "MB",
        "quantity": "units, not lots",
    }.items():
        if name.endswith(ending):
            return unit
    return ""


ContractModel = _of_schema("Contract", CONTRACTS)
ExpiryModel = _of_schema("Expiry", EXPIRIES)
StatusModel = _of_struct(DeskStatus)
OrderModel = _of_struct(Order)
PositionModel = _of_struct(Position)
LimitModel = _of_struct(LimitUse)
MarginModel = _of_struct(Margin)
KillModel = _of_struct(Kill)
PlanModel = _of_struct(PlanStatus)
MoveModel = _of_struct(Move)
RolledModel = _of_struct(Rolled)


class ProvenanceModel(BaseModel):
    """What the figures are now (core/market/provenance.py)."""

    kind: Kind = Field(description="live, simulated or replay; cached: too old to trade on, or of an earlier session")
    origin: Origin = Field(description="the market it is of, also when it is cached")
    as_of_ns: int = Field(description="ns, market clock, UTC: newest quote in it")
    age_s: float = Field(description="seconds since then, of the market's clock or since it arrived, whichever is more")
    says: str = Field(description="the same in words, as the page has it")


class ChainModel(BaseModel):
    """One chain: every figure of it belongs to `sequence`."""

    index: str = Field(description="index the chain is of")
    sequence: int = Field(description="number of this chain since its shard opened")
    as_of_ns: int = Field(description="ns, market clock, UTC: newest tick in it")
    arrived_wall_ns: int = Field(
        description="ns, wall clock, UTC: when the gateway got it; of one from the tape its as_of_ns"
    )
    provenance: ProvenanceModel | None = Field(
        description="what its figures are; null until the desk has said its mode"
    )
    expiries: list[ExpiryModel]  # type: ignore[valid-type]
    contracts: list[ContractModel]  # type: ignore[valid-type]


class IndexModel(BaseModel):
    """An index of the desk and how fresh its chain is; the figures are null before the first chain."""

    index: str
    sequence: int | None = Field(description="of the newest chain")
    age_s: float | None = Field(description="seconds since the newest chain arrived, wall clock")
    provenance: ProvenanceModel | None = Field(description="what its figures are")
    spot_paise: int | None = Field(description="paise: index level, 0 unknown")
    spot_prev_close_paise: int | None = Field(description="paise: previous close, 0 unknown")
    expiries: list[dt.date]


class OrderRequest(BaseModel, extra="forbid"):
    """What a person wants done, in lots."""

    symbol: str = Field(description="Kite trading symbol of a contract in a chain of this desk")
    side: Literal["BUY", "SELL"]
    lots: int = Field(gt=0, le=MOST_LOTS, description="lots of the contract's expiry")
    order_type: Literal["LIMIT", "MARKET", "SL"] = "LIMIT"
    limit_paise: int = Field(default=0, ge=0, description="paise; 0 for MARKET")
    trigger_paise: int = Field(default=0, ge=0, description="paise; of SL, the last price at which it becomes a limit")
    product: Literal["NRML", "MIS"] = "NRML"
    validity: Literal["DAY", "IOC"] = "DAY"
    variety: Literal["regular", "amo"] = Field(default="regular", description="amo: sent at the exchange's next open")
    purpose: Literal["entry", "hedge", "exit"] = "entry"
    strategy: str = Field(default="manual", description="whose position an exit leaves; else manual")
    tag: str = Field(
        default="",
        pattern="^[A-Z0-9]{0,20}$",
        description="to ask again after no answer: the first try's; it is sent once at most. Empty: a new one is made",
    )


class ModifyRequest(BaseModel, extra="forbid"):
    """Other terms for an order that rests; what is 0 or not given stays as it is. Its quantity is never modified."""

    order_type: Literal["LIMIT", "SL"] | None = Field(default=None, description="LIMIT: a stop becomes a limit order")
    limit_paise: int = Field(default=0, ge=0, description="paise")
    trigger_paise: int = Field(default=0, ge=0, description="paise; of an SL order")


class KillRequest(BaseModel, extra="forbid"):
    """Pull the kill switch."""

    why: str = Field(min_length=1, max_length=500, description="goes into the journal and onto the page")
    square_off: bool = Field(default=False, description="also close every position, shorts first")


class ReleaseRequest(BaseModel, extra="forbid"):
    """Release the kill switch."""

    why: str = Field(min_length=1, max_length=500, description="goes into the journal")


class LimitsRequest(BaseModel, extra="forbid"):
    """Change limits, all of these or none."""

    changes: dict[str, Any] = Field(min_length=1, description='values by name and field: {"order_size.max_lots": 10}')
    why: str = Field(min_length=1, max_length=500, description="goes into the journal")


MOVE_ID = Field(default="", pattern="^[A-Z0-9]{0,20}$", description="to ask again after no answer: the first try's")


class ConvertRequest(BaseModel, extra="forbid"):
    """Units of a position into the other product."""

    symbol: str = Field(description="Kite trading symbol")
    product_from: Literal["NRML", "MIS"]
    product_to: Literal["NRML", "MIS"]
    quantity: int = Field(gt=0, description="units, not lots, without a sign")
    strategy: str = Field(default="manual", description="whose position it is")
    id: str = MOVE_ID


class AdoptRequest(BaseModel, extra="forbid"):
    """What the account holds of a contract beyond this desk becomes a strategy's own."""

    symbol: str = Field(description="Kite trading symbol")
    product: Literal["NRML", "MIS"] = "NRML"
    strategy: str = Field(default="manual", min_length=1, description="whose it becomes")
    price_paise: int = Field(default=0, ge=0, description="paise a unit has cost; 0: the broker's average")
    id: str = MOVE_ID


class KilledModel(BaseModel):
    """The kill switch while it is pulled; null while it is not."""

    kill: KillModel | None  # type: ignore[valid-type]


class StateModel(BaseModel):
    """The order manager's state."""

    oms_state: str


class UnansweredModel(BaseModel):
    """An order that got no answer: sent or not. Ask again with its tag, or look for it among the orders."""

    detail: str
    state: Literal["UNKNOWN"] = "UNKNOWN"
    tag: str = Field(description="the order's one identity: asked again with it, it is sent once at most")


class HealthModel(BaseModel):
    """`ok`, or every reason why not."""

    ok: bool
    reasons: list[str]


def clean(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with NaN as None, which is JSON's only word for it."""
    return [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in rows
    ]


def plain(record: Any) -> Any:
    """A record, or several, as dictionaries."""
    return msgspec.to_builtins(record)
