"""A question to the desk for a route: in a worker thread, its errors as HTTP's."""

import asyncio
from typing import Annotated, Any

from fastapi import Header, HTTPException

from core.errors import UnknownName, VikalpError
from gateway.context import Context
from gateway.ticket import NOT_SENT

NO_ANSWER = 503
Bearer = Annotated[str | None, Header(description="`Bearer` and the desk's token")]


async def told(context: Context, call: Any, *arguments: Any) -> Any:
    """What `call(*arguments)` returns; HTTPException for what the desk refuses or does not answer."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except (VikalpError, OSError) as error:
        raise as_http(error) from error
    finally:
        context.poll.nudge()


def as_http(error: Exception) -> HTTPException:
    """404 for a name nobody knows, 422 for what was asked wrongly, else 503: no answer."""
    if isinstance(error, UnknownName):
        return HTTPException(404, str(error))
    return HTTPException(422 if isinstance(error, NOT_SENT) else NO_ANSWER, str(error))
