"""The REST API: what the desk knows, and with the desk's token, orders. Documented at /docs."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from core.errors import UnknownName
from core.records import Intent
from gateway.access import check_bearer
from gateway.context import Context
from gateway.format import provenance as in_words
from gateway.metrics import exposition
from gateway.models import (
    ChainModel,
    HealthModel,
    IndexModel,
    LimitModel,
    MarginModel,
    ModifyRequest,
    OrderModel,
    OrderRequest,
    PositionModel,
    StatusModel,
    UnansweredModel,
    clean,
    plain,
)
from gateway.store import Kept
from gateway.ticket import NOT_SENT, intent_of, modified
from gateway.told import NO_ANSWER, Bearer, as_http, told


def reads(context: Context) -> APIRouter:
    """Routes that change nothing."""
    router = APIRouter()
    router.include_router(_desk_reads(context), tags=["desk"])
    router.include_router(_chain_reads(context), tags=["chain"])
    router.include_router(_order_reads(context), tags=["orders"])
    return router


def _desk_reads(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/health", response_model=HealthModel)
    def health(response: Response) -> dict[str, Any]:
        """200 when every actor is READY and every index has fresh data, else 503 with the reasons."""
        reasons = context.unwell()
        response.status_code = 503 if reasons else 200
        return {"ok": not reasons, "reasons": reasons}

    @router.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Prometheus text."""
        return Response(exposition(context), media_type="text/plain; version=0.0.4")

    @router.get("/api/status", response_model=StatusModel)
    def status() -> Any:
        """Mode, clock, and the state of every actor."""
        view = context.poll.view
        if view.status is None:
            raise HTTPException(503, view.unreachable.get("status", "the desk's status is not known yet; ask again"))
        return plain(view.status)

    return router


def _chain_reads(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/api/indices", response_model=list[IndexModel])
    def indices() -> list[dict[str, Any]]:
        """Every index of the desk with its newest sequence and its age."""
        return [_index(context, name) for name in context.store.indices]

    @router.get("/api/chain/{index}", response_model=ChainModel)
    def chain(
        index: str,
        expiry: Annotated[dt.date | None, Query(description="only this expiry")] = None,
        sequence: Annotated[int | None, Query(description="one of the last chains; the newest if absent")] = None,
    ) -> dict[str, Any]:
        """One chain: contracts and expiries of one sequence."""
        return _chain(context, index, expiry, sequence)

    return router


def _order_reads(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/api/orders", response_model=list[OrderModel])
    def orders() -> Any:
        """Orders that live, of the market's day or of a position that is held, refusals included, oldest first.

        At most about a second old.
        """
        return [plain(order) for order in context.poll.view.orders]

    @router.get("/api/positions", response_model=list[PositionModel])
    def positions() -> Any:
        """Positions with their P&L, gross and charges apart."""
        return [plain(position) for position in context.poll.view.positions]

    @router.get("/api/limits", response_model=list[LimitModel])
    def limits() -> Any:
        """How much of each limit and of the order budget is used."""
        return [plain(limit) for limit in context.poll.view.uses]

    return router


def _index(context: Context, name: str) -> dict[str, Any]:
    kept = context.store.latest(name)
    if kept is None:
        empty = dict.fromkeys(("sequence", "age_s", "provenance", "spot_paise", "spot_prev_close_paise"))
        return {"index": name, "expiries": [], **empty}
    near = kept.expiries[0]
    return {
        "index": name,
        "sequence": kept.sequence,
        "age_s": context.silent_ns(kept) / 1e9,
        "provenance": _provenance(context, kept),
        "spot_paise": near["spot_paise"],
        "spot_prev_close_paise": near["spot_prev_close_paise"],
        "expiries": [row["expiry"] for row in kept.expiries],
    }


def _chain(context: Context, index: str, expiry: dt.date | None, sequence: int | None) -> dict[str, Any]:
    try:
        kept = context.store.latest(index) if sequence is None else context.store.at(index, sequence)
        if kept is None:
            raise HTTPException(503, f"{index}: no chain yet; the feed or the shard is starting")
        if expiry is not None:
            kept.expiry(expiry)
    except UnknownName as error:
        raise HTTPException(404, str(error)) from error
    return {
        "index": index,
        "sequence": kept.sequence,
        "as_of_ns": kept.as_of_ns,
        "arrived_wall_ns": kept.arrived_wall_ns,
        "provenance": _provenance(context, kept),
        "expiries": clean([row for row in kept.expiries if expiry in (None, row["expiry"])]),
        "contracts": clean([row for row in kept.contracts if expiry in (None, row["expiry"])]),
    }


def _provenance(context: Context, kept: Kept) -> dict[str, Any] | None:
    found = context.provenance(kept)
    if found is None:
        return None
    return {
        "kind": found.kind,
        "origin": found.origin,
        "as_of_ns": found.as_of_ns,
        "age_s": found.age_ns / 1e9,
        "says": in_words(found),
    }


def mutations(context: Context) -> APIRouter:
    """Routes that send orders, and the margin of one; each needs the desk's token."""
    router = APIRouter(tags=["orders"])

    @router.post("/api/margin", response_model=MarginModel)
    async def margin(request: OrderRequest, authorization: Bearer = None) -> Any:
        """What the order would block and cost; nothing is sent."""
        check_bearer(authorization, context.token_path)
        return plain(await told(context, context.desk.margin, _intent(context, request)))

    @router.post("/api/orders", response_model=OrderModel, responses={503: {"model": UnansweredModel}})
    async def place(request: OrderRequest, authorization: Bearer = None) -> Any:
        """Send one order; a refusal is an answer too: state REFUSED with the limit in `message`.

        503 is no answer: the order may have been sent. Ask again with the `tag` of the body.
        """
        check_bearer(authorization, context.token_path)
        return await _placed(context, _intent(context, request))

    @router.patch("/api/orders/{tag}", response_model=OrderModel)
    async def modify(tag: str, request: ModifyRequest, authorization: Bearer = None) -> Any:
        """Other prices for an order that rests; the order as it is afterwards, with words if it was not done."""
        check_bearer(authorization, context.token_path)
        return plain(await told(context, lambda: modified(context.desk, tag, request)))

    @router.delete("/api/orders/{tag}", response_model=OrderModel)
    async def cancel(tag: str, authorization: Bearer = None) -> Any:
        """Cancel what is left of an order."""
        check_bearer(authorization, context.token_path)
        return plain(await told(context, context.desk.cancel, tag))

    @router.post("/api/exit-all", response_model=list[OrderModel])
    async def exit_all(authorization: Bearer = None) -> Any:
        """Cancel every open order and close every position."""
        check_bearer(authorization, context.token_path)
        return [plain(order) for order in await told(context, context.desk.exit_all, "exit-all by the API")]

    return router


def _intent(context: Context, request: OrderRequest) -> Intent:
    try:
        return intent_of(request, context.store, context.clock.now_ns())
    except NOT_SENT as error:
        raise as_http(error) from error


async def _placed(context: Context, intent: Intent) -> Any:
    try:
        return plain(await told(context, context.desk.submit, intent))
    except HTTPException as error:
        if error.status_code != NO_ANSWER:
            raise
        said = f"{error.detail}; the order may have been sent: ask again with the tag {intent.tag}, so that it is one"
        return JSONResponse(UnansweredModel(detail=said, tag=intent.tag).model_dump(), status_code=NO_ANSWER)
