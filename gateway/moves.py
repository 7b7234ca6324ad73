"""Routes of the API for positions that move without a trade; each that moves one needs the desk's token."""

import uuid
from typing import Any

from fastapi import APIRouter, Request

from core.orders.tag import make_tag
from gateway.access import check_bearer
from gateway.context import Context
from gateway.models import AdoptRequest, ConvertRequest, MoveModel, plain
from gateway.told import Bearer, told


def moves(context: Context) -> APIRouter:
    """Conversions and positions taken over."""
    router = APIRouter(tags=["positions"])

    @router.get("/api/moves", response_model=list[MoveModel])
    async def listed() -> Any:
        """Positions that were converted or taken over in the session, as they stand, oldest first."""
        return [plain(move) for move in await told(context, context.desk.moves)]

    @router.post("/api/convert", response_model=MoveModel)
    async def convert(asked: ConvertRequest, request: Request, authorization: Bearer = None) -> Any:
        """Have the broker move units of a position into the other product, once.

        A refusal is an answer too: phase refused, with words. Phase asked: the broker has not answered, the account's
        positions will tell. 503 is no answer: ask again with an `id` of your own, so that it is done once.
        """
        check_bearer(authorization, context.token_path)
        given = (asked.symbol, asked.product_from, asked.product_to, asked.quantity, asked.strategy, _who(request))
        return plain(await told(context, context.desk.convert, *given, _id(asked.id)))

    @router.post("/api/adopt", response_model=MoveModel)
    async def adopt(asked: AdoptRequest, request: Request, authorization: Bearer = None) -> Any:
        """What the account holds of a contract beyond this desk becomes a strategy's own; nothing is traded."""
        check_bearer(authorization, context.token_path)
        given = (asked.symbol, asked.product, asked.strategy, _who(request), _id(asked.id), asked.price_paise)
        return plain(await told(context, context.desk.adopt, *given))

    return router


def _id(given: str) -> str:
    return given or make_tag(uuid.uuid4().bytes)


def _who(request: Request) -> str:
    return f"API from {request.client.host if request.client else 'an unknown address'}"
