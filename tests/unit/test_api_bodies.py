"""Bodies of every kind that clients can think of."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.vocabulary import Lane
from runtime.endpoints.bodies import Bodies, Body
from runtime.endpoints.problem import Problem
from tests.api_jobs import wav
from tests.api_world import ApiWorld

LARGE = wav(size_bytes=300_000)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API that takes 400,000 bytes."""
    with ApiWorld(tmp_path, api_body_max_bytes=400_000) as world:
        yield world


def form(*parts: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    """A form with these parts, each a head and a content."""
    told = [
        f"--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts
    ]
    return b"".join(told) + end


def files(scratch: Path, but: str = "") -> list[Path]:
    """What lies below a folder."""
    return [path for path in scratch.rglob("*") if path.is_file() and (not but or path.suffix != but)]


async def taken(
    scratch: Path, chunks: list[bytes | None], headers: dict[str, str], within_s: float = 30.0, **limits: Any
) -> tuple[Body, bytes]:
    """What a body becomes that comes in these chunks; ``None`` = nothing more comes."""
    waiting = iter(chunks)

    async def receive() -> dict[str, Any]:
        chunk = next(waiting, b"")
        if chunk is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": waiting.__length_hint__() > 0}

    scope = {"type": "http", "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()]}
    bodies = Bodies(scratch, most_bytes=400_000, within_s=within_s, **limits)
    try:
        async with bodies.audio(Request(scope, receive), "acme") as body:
            assert bodies.coming == 1
            return body, body.path.read_bytes()  # nobody else waits
    finally:
        assert bodies.coming == 0
        assert files(scratch, but=".lock") == []
        bodies.close()
        assert files(scratch) == []


@settings(deadline=None)
@given(st.data())
def test_a_form_may_come_in_any_chunks(tmp_path_factory: pytest.TempPathFactory, draw: Any) -> None:
    """What is taken is the part, byte for byte, with its hash and the other fields."""
    content = draw.draw(st.sampled_from([wav(), wav("--xyz"), wav("\r\n--xyz-"), wav(size_bytes=70_000)]))
    file = ('name="file"; filename="a.wav"', content)
    whole = form(*draw.draw(st.permutations([file, ('name="keep"', b"true")])))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    kind = {"Content-Type": 'multipart/form-data; boundary="xyz"'}
    body, found = asyncio.run(taken(tmp_path_factory.mktemp("scratch"), list(chunks), kind))
    assert found == content
    assert (body.content_sha256, body.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert body.fields == {"keep": "true"}


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_a_form_of_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    """Never with another error than ours."""
    kind = {"Content-Type": "multipart/form-data; boundary=xyz"}
    with pytest.raises((Problem, InputRejected)):
        asyncio.run(taken(tmp_path_factory.mktemp("scratch"), [b"--xyz\r\n" + noise], kind))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--xyz--\r\n",
        form(('name="file"', wav()), end=b""),
        form(('name="file"', wav()), ('name="file"', wav())),
        form(('name="other"; filename="a.wav"', wav())),
        form(('name="file"', wav()), ('name="keep"', b"x" * 2000)),
        form((f'name="file"; x="{"x" * 5000}"', wav())),
        form(*[(f'name="{number}"', b"") for number in range(9)]),
        b"--xyz\r\nno head\r\n\r\n" + wav(),
    ],
)
def test_a_malformed_form_is_refused(tmp_path: Path, content: bytes) -> None:
    """With 400, and nothing is left of it."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [content], {"Content-Type": "multipart/form-data; boundary=xyz"}))
    assert (refused.value.status, refused.value.kind) == (400, "malformed_form")


@pytest.mark.parametrize("kind", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"])
def test_a_form_needs_a_boundary(tmp_path: Path, kind: str) -> None:
    """Of some length."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [form(('name="file"', wav()))], {"Content-Type": kind}))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        ([b""], InputFault.EMPTY),
        ([b"%PDF-1.7", b"more"], InputFault.NOT_AUDIO),
        ([random.Random(1).randbytes(100_000), None], InputFault.NOT_AUDIO),
    ],
)
def test_what_is_no_audio_is_not_read_to_its_end(tmp_path: Path, chunks: list[bytes | None], fault: InputFault) -> None:
    """The first 64 KiB tell."""
    with pytest.raises(InputRejected) as refused:
        asyncio.run(taken(tmp_path, chunks, {"Content-Type": "audio/wav"}))
    assert refused.value.fault is fault


@pytest.mark.parametrize("told", [{"Content-Length": "10"}, {}])
def test_bytes_are_counted_as_they_come(tmp_path: Path, told: dict[str, str]) -> None:
    """Whatever was announced; what goes on for ever is ended."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [LARGE, LARGE, None], {"Content-Type": "audio/wav", **told}))
    assert (refused.value.status, refused.value.kind) == (413, "too_large")


def test_a_body_that_stops_is_ended(tmp_path: Path) -> None:
    """408 once its time is over."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [wav(), None], {"Content-Type": "audio/wav"}, within_s=0.02))
    assert (refused.value.status, refused.value.kind) == (408, "too_slow")


def test_a_body_that_dribbles_is_ended(tmp_path: Path) -> None:
    """Long before its whole time is over, once it has come more slowly on the average than it must."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [wav(), None], {"Content-Type": "audio/wav"}, patience_s=0.02))
    assert (refused.value.status, refused.value.kind) == (408, "too_slow")
    assert "8 KiB a second" in refused.value.detail


def test_places_for_bodies_are_bounded(tmp_path: Path) -> None:
    """503 beyond them; nobody has more than an eighth."""
    with pytest.raises(Problem) as refused:
        asyncio.run(taken(tmp_path, [wav()], {"Content-Type": "audio/wav"}, at_once=0))
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})
    bodies = Bodies(tmp_path, most_bytes=1000, within_s=30, at_once=16)

    async def run() -> None:
        async with AsyncExitStack() as held:
            for _ in range(2):
                await held.enter_async_context(bodies.audio(request(wav()), "acme"))
            with pytest.raises(Problem):
                await bodies.audio(request(wav()), "acme").__aenter__()
            async with bodies.audio(request(wav()), "other"):
                assert bodies.coming == 3

    asyncio.run(run())
    assert bodies.coming == 0
    bodies.close()


def test_a_full_disk_is_ours_to_mend(tmp_path: Path) -> None:
    """And not the client's fault."""
    (tmp_path / "file").touch()
    bodies = Bodies(tmp_path / "file", most_bytes=1000, within_s=1)
    with pytest.raises(Unavailable):
        asyncio.run(bodies.audio(request(wav()), "acme").__aenter__())


def request(content: bytes) -> Request:
    """One that has come already."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    return Request({"type": "http", "headers": []}, receive)


async def endless() -> AsyncIterator[bytes]:
    """A body without an end."""
    while True:
        yield LARGE


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (wav(), {"Content-Type": "audio/wav", "Content-Encoding": "gzip"}, 415, "compressed"),
        (wav(), {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (wav(), {}, 415, "unsupported_media_type"),
        (b"not audio", {"Content-Type": "audio/wav"}, 422, "not_audio"),
        (b"", {"Content-Type": "audio/wav"}, 422, "empty"),
        (LARGE + LARGE, {"Content-Type": "audio/wav"}, 413, "too_large"),
        (b"[" * 70_000, {"Content-Type": "application/json"}, 413, "too_large"),
        (b"\xff", {"Content-Type": "application/json"}, 422, "malformed"),
        (b"[" * 60_000, {"Content-Type": "application/json"}, 422, "malformed"),
    ],
)
def test_bodies_that_cannot_be_taken(
    api: ApiWorld, content: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    """Each with its problem; nothing is queued, and nothing left in the scratch folder."""
    answer = api.client("acme").post("/v1/analyses", content=content, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:earmark:problem:{kind}"), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.waiting(Lane.HIGH) == []
    assert list(api.backend.scratch.rglob("*.body")) == []


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/uploads", "/v1/webhooks"])
def test_an_endless_body_is_ended(api: ApiWorld, path: str) -> None:
    """Of questions too, which are read into memory whole."""
    kind = "audio/wav" if path == "/v1/analyses" else "application/json"

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(api.app)
        headers = {"Authorization": f"Bearer {api.key('acme')}", "Content-Type": kind}
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
            return await client.post(path, content=endless())

    answer = asyncio.run(run())
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
