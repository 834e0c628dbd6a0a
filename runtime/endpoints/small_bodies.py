"""``SmallBodies``: bounds for bodies that are read into memory whole."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES: Final = 64 * 1024
"""Of a body that is a question, and no audio and no manifest."""
_KEY: Final = "earmark.body"


@dataclass(slots=True)
class _Allowance:
    lifted: bool = False


def lift(request: Request) -> None:
    """From here on the endpoint bounds the body itself."""
    allowance = request.scope.get(_KEY)
    if isinstance(allowance, _Allowance):
        allowance.lifted = True


class SmallBodies:
    """Stands around an application."""

    def __init__(self, app: ASGIApp, within_s: float, most_bytes: int = MOST_BYTES) -> None:
        """Take the application, the seconds in which a body must have come, and what it may have."""
        self._app, self._within_s, self._most_bytes = app, within_s, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance, came_bytes, ended = _Allowance(), 0, False
        deadline = asyncio.get_running_loop().time() + self._within_s

        async def bounded() -> Message:
            nonlocal came_bytes, ended
            if allowance.lifted or ended:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = f"The body did not come within {self._within_s:g} seconds."
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, detail) from None
            came_bytes += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if came_bytes > self._most_bytes:
                detail = f"The body has more than {self._most_bytes} bytes."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
            return message

        scope[_KEY] = allowance  # the same dictionary all the way, for others read what routing puts into it
        await self._app(scope, bounded, send)
