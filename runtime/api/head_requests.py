"""``HeadRequests``: ``HEAD`` is answered as ``GET`` is, without the content (RFC 9110, section 9.3.2).

Not where the answer is a stream, or made with effort: there ``HEAD`` is no method, and ``Allow`` says which one is.
"""

import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ANSWERED: Final = re.compile(
    r"/(healthz|readyz|metrics|openapi\.json|docs|v1/(analyses|uploads|batches|webhooks)(/[0-9a-z_-]+)?"
    r"|v1/analyses/[0-9a-f]+/export|v1/batches/[0-9a-f]+/failures|v1/webhooks/[0-9a-z_-]+/deliveries)"
)
_COPY: Final = re.compile(rb"(^|&)format=id3(&|$)")
"""A copy of the audio would be made for nobody."""


class HeadRequests:
    """Stands around an application."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or not _is_answered(scope):
            await self._app(scope, receive, send)
            return

        async def without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"  # in the same dictionary, for others read what routing puts into it
        try:
            await self._app(scope, receive, without_content)
        finally:
            scope["method"] = "HEAD"


def _is_answered(scope: Scope) -> bool:
    return _ANSWERED.fullmatch(scope["path"]) is not None and not _COPY.search(scope["query_string"])
