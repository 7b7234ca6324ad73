"""Routes of the API that steer the desk: the kill switch, plans, limits. Each needs the desk's token."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request

from gateway.access import check_bearer
from gateway.context import Context
from gateway.models import (
    KilledModel,
    KillModel,
    KillRequest,
    LimitModel,
    LimitsRequest,
    PlanModel,
    ReleaseRequest,
    RolledModel,
    StateModel,
    plain,
)
from gateway.moves import moves
from gateway.plans import body_of, schema
from gateway.rolls import Rolled, proposed, start
from gateway.told import Bearer, told

Days = Annotated[int, Query(ge=0, le=400, description="calendar days")]
PLAN = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema()}}}}


def commands(context: Context) -> APIRouter:
    """Every route that steers."""
    router = APIRouter()
    router.include_router(_kill(context), tags=["kill switch"])
    router.include_router(_plans(context), tags=["plans"])
    router.include_router(_limits(context), tags=["limits"])
    router.include_router(moves(context))
    return router


def _kill(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/api/kill", response_model=KilledModel)
    def killed() -> Any:
        """The kill switch: who pulled it, when and why; null while it is not pulled. At most about a second old."""
        return {"kill": plain(context.poll.view.killed)}

    @router.post("/api/kill", response_model=KillModel)
    async def kill(asked: KillRequest, request: Request, authorization: Bearer = None) -> Any:
        """No new orders and every order cancelled, at once and until a person releases it; whatever is restarted.

        503 is no answer: it may have been pulled. Ask again.
        """
        check_bearer(authorization, context.token_path)
        return plain(await told(context, context.desk.kill, asked.why, _who(request), asked.square_off))

    @router.post("/api/release", response_model=StateModel)
    async def release(asked: ReleaseRequest, request: Request, authorization: Bearer = None) -> Any:
        """End the kill switch; the order manager is HALTED then, and `vikalp resume` trades."""
        check_bearer(authorization, context.token_path)
        return {"oms_state": await told(context, context.desk.release, asked.why, _who(request))}

    return router


def _plans(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/api/plans", response_model=list[PlanModel])
    def plans() -> Any:
        """Plans that run or ended on the market's day, and what they said, oldest first; at most about a second old."""
        return [plain(plan) for plan in context.poll.view.plans]

    @router.post("/api/plans", response_model=PlanModel, openapi_extra=PLAN)
    async def begin(plan: Annotated[dict[str, Any], Body()], authorization: Bearer = None) -> Any:
        """Start a plan; the order manager keeps it in the ledger and runs it until it is over.

        Id, time, strategy and index are filled in where they are not given. With an id of your own it can be asked
        again after no answer (503): of one id the first stays.
        """
        check_bearer(authorization, context.token_path)
        return plain(await told(context, lambda: context.desk.start_plan(body_of(plan, context.clock.now_ns()))))

    @router.get("/api/roll", response_model=list[RolledModel])
    async def rolls(strategy: str = "", index: str = "", days: Days = 0) -> Any:
        """Positions that expire on the market's day or up to `days` later: into what, and at what cost at the touch."""
        return [plain(row) for row in await told(context, _proposed(context, strategy, index, days))]

    @router.post("/api/roll", response_model=list[PlanModel])
    async def roll(strategy: str = "", index: str = "", days: Days = 0, authorization: Bearer = None) -> Any:
        """Start a rollover plan of the same positions for each strategy, index and product."""
        check_bearer(authorization, context.token_path)
        rows = await told(context, _proposed(context, strategy, index, days))
        return [plain(plan) for plan in await told(context, start, context.desk, rows)]

    @router.delete("/api/plans/{plan_id}", response_model=PlanModel)
    async def end(
        plan_id: str,
        why: Annotated[str, Query(description="goes into the journal")] = "ended by the API",
        authorization: Bearer = None,
    ) -> Any:
        """Ask a plan to end: it leaves what it has entered, by its own rules."""
        check_bearer(authorization, context.token_path)
        return plain(await told(context, context.desk.end_plan, plan_id, why))

    return router


def _proposed(context: Context, strategy: str, index: str, days: int) -> Callable[[], list[Rolled]]:
    return lambda: proposed(context.desk, strategy=strategy, index=index, days=days)


def _limits(context: Context) -> APIRouter:
    router = APIRouter()

    @router.post("/api/limits", response_model=list[LimitModel])
    async def change(asked: LimitsRequest, request: Request, authorization: Bearer = None) -> Any:
        """Change limits while the desk runs, all of them or none; the use of every limit afterwards."""
        check_bearer(authorization, context.token_path)
        await told(context, context.desk.set_limits, asked.changes, _who(request), asked.why)
        return [plain(use) for use in await told(context, context.desk.limits)]

    return router


def _who(request: Request) -> str:
    return f"API from {request.client.host if request.client else 'an unknown address'}"
