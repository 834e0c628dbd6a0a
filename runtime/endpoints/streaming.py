"""``BoundedStream``: an answer that goes on for long, and takes one of a bounded number of places while it does."""

from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from runtime.endpoints.analysis_parts import Streams
from runtime.endpoints.problem import Problem


class BoundedStream(StreamingResponse):
    """Holds its place from the first byte to the last, or answers 503 where there is none."""

    def __init__(
        self, content: AsyncIterator[str | bytes], streams: Streams, *, media_type: str, headers: Mapping[str, str]
    ) -> None:
        """Take what is sent, and where there are places."""
        super().__init__(content, headers=headers, media_type=media_type)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            with self._streams.place():
                await super().__call__(scope, receive, send)
        except Problem as problem:
            await problem.response()(scope, receive, send)
