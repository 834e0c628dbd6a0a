"""``Bodies``: takes what clients send, however large, slow or malformed, into files of ours.

Bytes are counted as they come, whatever the head of the request says; the first of them must be those of audio, or
nothing more is read.  A file is named by us, lies in a folder that is ours alone, and is removed whatever happens.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from earmark.errors import InputFault
from runtime.endpoints.incoming_audio import SMALLER, IncomingAudio, no_room
from runtime.endpoints.incoming_form import reader_of
from runtime.endpoints.problem import Problem
from runtime.endpoints.small_bodies import lift
from workers.decode.scratch import Scratch

_FLUSH_BYTES: Final = 512 * 1024
_TEXT_BYTES: Final = 64 * 1024
AT_ONCE: Final = 256
"""Bodies that come in at the same time; more are asked to come again."""
OWN_SHARE: Final = 8
"""One owner has at most one of so many places."""
LARGE_BYTES_S: Final = 1024 * 1024
"""A large file that was announced has a second more for so many bytes."""
LEAST_BYTES_S: Final = 8 * 1024
"""Bytes a second that a client must send on the average."""
PATIENCE_S: Final = 10.0
"""Seconds of waiting for a client after which that is asked."""
RETRY_S: Final = 2


@dataclass(frozen=True, slots=True)
class Body:
    """Audio that came, in a file that goes when the request ends."""

    path: Path
    content_sha256: str
    size_bytes: int
    fields: Mapping[str, str]
    """Of a form, what came beside the file."""


class Bodies:
    """Takes bodies into the scratch folder."""

    def __init__(
        self,
        scratch: Path,
        *,
        most_bytes: int,
        within_s: float,
        at_once: int = AT_ONCE,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take where files go, and what a body may have.

        Args:
            scratch: a folder that several processes may share.
            most_bytes: of one body.
            within_s: seconds in which a body must have come.
            at_once: bodies that may come at the same time.
            patience_s: seconds after which a body must have come at ``LEAST_BYTES_S`` on the average.
        """
        self._root, self._most_bytes, self._within_s, self._at_once = scratch, most_bytes, within_s, at_once
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._scratch: Scratch | None = None
        self._coming, self._of = 0, Counter[str]()

    @property
    def coming(self) -> int:
        """How many come now."""
        return self._coming

    @asynccontextmanager
    async def audio(
        self, request: Request, owner: str, *, most_bytes: int | None = None, announced_bytes: int | None = None
    ) -> AsyncIterator[Body]:
        """The audio of a request: a form with a part ``file``, or the body itself.

        Args:
            request: it has not been read yet.
            owner: whose it is; nobody has more than an eighth of the places.
            most_bytes: of this file; ``None`` = what any body may have.
            announced_bytes: what a place was made for, however much another body may have; it has the time for it.

        Raises:
            InputRejected: it is empty, too large, or no audio.
            Problem: it is malformed, too slow, compressed, or there are too many.
            Unavailable: there is no room for it.
        """
        if self._coming >= self._at_once or self._of[owner] >= max(1, self._at_once // OWN_SHARE):
            raise _busy()
        self._coming += 1
        self._of[owner] += 1
        try:
            most, within_s = min(most_bytes or self._most_bytes, self._most_bytes), self._within_s
            if announced_bytes is not None:
                most, within_s = announced_bytes, within_s + announced_bytes / LARGE_BYTES_S
            sink = await run_in_threadpool(self._open, most)
            try:
                form = reader_of(request, sink)
                async for chunk in self.chunks(request, announced_bytes, within_s=within_s):
                    form.write(chunk)
                    if sink.pending >= _FLUSH_BYTES:
                        await run_in_threadpool(sink.flush)
                form.finish()
                await run_in_threadpool(sink.finish)
                yield Body(sink.path, sink.digest.hexdigest(), sink.size_bytes, form.fields)
            finally:
                await run_in_threadpool(sink.remove)
        finally:
            self._coming -= 1
            self._of[owner] -= 1
            self._of += Counter()  # drops those that have none

    async def text(self, request: Request, most_bytes: int = _TEXT_BYTES) -> bytes:
        """A small body as it is.

        Raises:
            Problem: it is too large, too slow or compressed.
        """
        text = bytearray()
        async for chunk in self.chunks(request, most_bytes):
            text += chunk
        return bytes(text)

    def close(self) -> None:
        """Remove the folder."""
        with self._lock:
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = None

    async def chunks(
        self, request: Request, most_bytes: int | None = None, *, within_s: float | None = None
    ) -> AsyncIterator[bytes]:
        """A body as it comes, which is nowhere kept.

        Args:
            request: it has not been read yet.
            most_bytes: of the body; ``None`` = what any body may have.
            within_s: seconds in which it must have come; ``None`` = as any body.

        Raises:
            Problem: it is too large, too slow or compressed.
        """
        lift(request)
        most = self._most_bytes if most_bytes is None else most_bytes
        if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            remedy = "Send the bytes of the file as they are."
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed", "Compressed bodies are not unpacked.", remedy
            )
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told[:20]) > most:
            raise _too_large(most)
        loop, came_bytes, waited_s = asyncio.get_running_loop(), 0, 0.0  # waited for the client, not for our disk
        within_s = self._within_s if within_s is None else within_s
        deadline, chunks = loop.time() + within_s, aiter(request.stream())
        while True:
            began = loop.time()
            too_slow = began + max(self._patience_s, came_bytes / LEAST_BYTES_S) - waited_s
            try:
                async with asyncio.timeout_at(min(deadline, too_slow)):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise _too_slow(within_s, on_the_average=too_slow < deadline) from None
            except ClientDisconnect:
                raise Problem(HTTPStatus.BAD_REQUEST, "disconnected", "The connection ended early.") from None
            if chunk is None:
                return
            waited_s += loop.time() - began
            came_bytes += len(chunk)
            if came_bytes > most:
                raise _too_large(most)
            yield chunk

    def _open(self, most_bytes: int) -> IncomingAudio:
        try:
            with self._lock:
                if self._scratch is None:
                    self._scratch = Scratch(self._root)
                folder = self._scratch.folder
            return IncomingAudio(folder, most_bytes)
        except OSError as error:
            raise no_room(error) from error


def _too_slow(within_s: float, *, on_the_average: bool) -> Problem:
    told = f"at {LEAST_BYTES_S // 1024} KiB a second" if on_the_average else f"within {within_s:.0f} seconds"
    return Problem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"The body did not come {told}.", SMALLER)


def _too_large(most_bytes: int) -> Problem:
    detail = f"The body has more than {most_bytes} bytes."
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, InputFault.TOO_LARGE, detail, SMALLER)


def _busy() -> Problem:
    detail = "Too much audio is coming in at the moment."
    headers = {"Retry-After": str(RETRY_S)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, "Try again in a moment.", headers=headers)
