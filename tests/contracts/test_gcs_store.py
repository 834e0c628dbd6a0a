"""What ``GcsObjectStore`` adds to the contract: it stays right on a network and a server that fail."""

import io
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google.cloud.storage
import pytest
import requests.exceptions
import urllib3.exceptions
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.storage import exceptions as storage_exceptions

from earmark.errors import ConfigurationError, EarmarkError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import ObjectStore
from runtime.gcp import object_store, vendor_errors
from runtime.gcp.object_store import GcsObjectStore
from runtime.gcp.vendor_errors import LONGEST_S, calling, translated
from tests.contracts.gcs_case import client_of, new_bucket, server
from tests.servers.proxy import Proxy
from tests.servers.storage import StorageServer

TYPE = "application/json"
MB = 1_000_000


@pytest.fixture
def client() -> google.cloud.storage.Client:
    """Google's client, on a network that works."""
    return client_of(server().url)


@pytest.fixture
def bucket(client: google.cloud.storage.Client) -> str:
    """An empty bucket."""
    return new_bucket(client)


@pytest.fixture
def store(client: google.cloud.storage.Client, bucket: str) -> GcsObjectStore:
    """The bucket, on a network that works."""
    return GcsObjectStore(client, bucket)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A network in the test's hands."""
    with Proxy(server().url) as between:
        yield between


@pytest.fixture
def lossy(proxy: Proxy, bucket: str) -> GcsObjectStore:
    """The same bucket, on that network."""
    return GcsObjectStore(client_of(proxy.url), bucket)


def content_of(store: ObjectStore, name: str) -> bytes:
    """All bytes of an object."""
    return b"".join(store.read(name))


@pytest.mark.parametrize("size", [5_000, 9 * MB])
def test_a_create_whose_answer_is_lost(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore, size: int) -> None:
    """The repeated request is refused by its own object, which is recognised: one object, one success."""
    proxy.lose_answers("POST")
    info = lossy.write("a", b"x" * size, content_type=TYPE, if_generation=0)
    assert len(proxy.sent("POST")) == 2
    assert list(store.scan()) == [info]
    assert content_of(store, "a") == b"x" * size


def test_an_overwrite_whose_answers_are_lost(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """Several answers may be lost; the generation is the one of the write that was done."""
    old = store.write("a", b"old", content_type=TYPE)
    proxy.lose_answers("POST", count=3)
    info = lossy.write("a", b"new", content_type=TYPE, if_generation=old.generation)
    assert len(proxy.sent("POST")) == 4
    assert store.stat("a") == info
    assert info.generation > old.generation


def test_a_refusal_whose_answer_is_lost(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """Somebody else's object is not taken for one's own, not even with the same bytes."""
    other = store.write("a", b"same", content_type=TYPE, if_generation=0)
    proxy.lose_answers("POST")
    with pytest.raises(PreconditionFailed, match=str(other.generation)):
        lossy.write("a", b"same", content_type=TYPE, if_generation=0)
    assert store.stat("a") == other


def test_a_plain_write_whose_answer_is_lost(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """Without a precondition the write is done again, and its last generation is told."""
    proxy.lose_answers("POST")
    assert store.stat("a") is None
    info = lossy.write("a", b"x", content_type=TYPE)
    assert store.stat("a") == info


def test_a_delete_whose_answer_is_lost(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """The repeated request finds nothing, which is its own work: True."""
    info = store.write("a", b"x", content_type=TYPE)
    proxy.lose_answers("DELETE")
    assert lossy.delete("a", if_generation=info.generation)
    assert store.stat("a") is None
    assert not lossy.delete("a", if_generation=info.generation)


def test_a_delete_without_a_look_whose_answer_is_lost(
    proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore
) -> None:
    """The same where the server enforces preconditions and so is not looked at first."""
    lossy._looks_before_delete = False
    info = store.write("a", b"x", content_type=TYPE)
    proxy.lose_answers("DELETE")
    assert lossy.delete("a", if_generation=info.generation)
    assert len(proxy.sent("DELETE")) == 2
    assert not lossy.delete("a", if_generation=info.generation)


def test_every_request_carries_its_precondition(proxy: Proxy, lossy: GcsObjectStore) -> None:
    """Also where the server under test ignores it."""
    first = lossy.write("a", b"1", content_type=TYPE, if_generation=0)
    second = lossy.write("a", b"2", content_type=TYPE, if_generation=first.generation)
    lossy.delete("a", if_generation=second.generation)
    sent = [line for line in proxy.requests if not line.startswith("GET")]
    assert ["ifGenerationMatch=0 " in sent[0], f"ifGenerationMatch={first.generation} " in sent[1]] == [True, True]
    assert f"ifGenerationMatch={second.generation}" in sent[2]


def test_a_big_write_is_refused_before_it_is_sent(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """Nobody sends megabytes to be told that they are not wanted."""
    store.write("a", b"x", content_type=TYPE)
    with pytest.raises(PreconditionFailed):
        lossy.write("a", bytes(9 * MB), content_type=TYPE, if_generation=0)
    assert proxy.sent("POST") == []


def test_a_read_goes_on_after_a_broken_connection(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """The rest is asked for, from the byte where it broke, of the same generation; nothing is read twice."""
    content = bytes(range(256)) * 20_000
    info = store.write("a", content, content_type=TYPE)
    left = [2_500_000, 1_500_000]

    def cut(line: str, piece: bytes) -> bytes | None:
        if line.startswith("GET /download") and left:
            left[0] -= len(piece)
            if left[0] < 0:
                left.pop(0)
                return None
        return piece

    proxy.on_answer = cut
    assert content_of(lossy, "a") == content
    assert left == []
    assert [f"generation={info.generation}" in line for line in proxy.sent("GET /download")] == [False, True, True]


def test_a_read_that_breaks_after_an_overwrite(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """The generation that was begun is gone: never a mixture, and worth another try from the start."""
    store.write("a", b"1" * 5 * MB, content_type=TYPE)
    passed = 0

    def cut(_line: str, piece: bytes) -> bytes | None:
        nonlocal passed
        passed += len(piece)
        return None if 2 * MB < passed < 4 * MB and b"404" not in piece[:20] else piece

    proxy.on_answer = cut
    chunks = lossy.read("a")
    assert set(next(chunks)) == {ord("1")}
    store.write("a", b"2" * 5 * MB, content_type=TYPE)
    with pytest.raises(Unavailable, match="overwritten"):
        list(chunks)
    assert list(chunks) == []


@pytest.mark.parametrize("size", [5_000, 3 * MB])
def test_a_damaged_read(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore, size: int) -> None:
    """A flipped byte is found by the checksum before the last chunk is given."""
    store.write("a", b"x" * size, content_type=TYPE)
    proxy.on_answer = lambda _line, piece: piece.replace(b"xxxxxxxx", b"xxxxyxxx", 1)
    given: list[bytes] = []
    with pytest.raises(Unavailable, match="damaged"):
        given.extend(lossy.read("a"))
    assert sum(map(len, given)) < size


def test_a_damaged_write(proxy: Proxy, lossy: GcsObjectStore, store: GcsObjectStore) -> None:
    """A server that does not check takes what arrived damaged; it is removed again."""
    proxy.on_request = lambda _line, piece: piece.replace(b"xxxxxxxx", b"xxxxyxxx", 1)
    with pytest.raises(Unavailable, match="damaged"):
        lossy.write("a", b"x" * 5_000, content_type=TYPE)
    assert list(store.scan()) == []


def test_a_damaged_write_that_is_refused(proxy: Proxy, lossy: GcsObjectStore) -> None:
    """Cloud Storage itself refuses it: worth another try, no fault of a setting."""
    text = b'{"error": {"code": 400, "message": "Provided CRC32C \\"AAAAAA==\\" doesn\'t match calculated CRC32C."}}'
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
    proxy.on_answer = lambda _line, _piece: head + text
    with pytest.raises(Unavailable, match="damaged"):
        lossy.write("a", b"x", content_type=TYPE)


class Pipe(io.RawIOBase):
    """A source that can be read once, and gives less than it is asked for."""

    def __init__(self, content: bytes) -> None:
        """Hold what will be given."""
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most 70,000 bytes."""
        return self._rest.read(min(size, 70_000))


@pytest.mark.parametrize("size", [0, 5_000, 9 * MB])
def test_a_pipe_is_stored_whole(proxy: Proxy, lossy: GcsObjectStore, size: int) -> None:
    """Short reads are no end, and what can be read only once can still be sent twice."""
    content = bytes(range(256)) * (size // 256)
    proxy.lose_answers("POST")
    info = lossy.write("a", Pipe(content), content_type=TYPE)  # type: ignore[arg-type]
    assert info.size_bytes == len(content)
    assert content_of(lossy, "a") == content


def test_a_file_is_stored_from_where_it_stands(store: GcsObjectStore, tmp_path: Path) -> None:
    """As a file is read anywhere; also when it is too large to be sent in one piece."""
    path = tmp_path / "big"
    path.write_bytes(b"head" + bytes(range(256)) * 40_000)
    with path.open("rb") as file:
        file.seek(4)
        store.write("a", file, content_type="audio/wav")
    assert content_of(store, "a") == bytes(range(256)) * 40_000


def test_a_file_that_shrinks_is_not_stored(store: GcsObjectStore) -> None:
    """The length was promised: nothing is stored, and the caller may try again."""

    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.truncate(2 * MB)
            return super().seek(offset, whence)

    with pytest.raises(Unavailable, match="shorter"):
        store.write("a", Shrinking(bytes(3 * MB)), content_type=TYPE)
    assert list(store.scan()) == []


def test_memory_is_bounded(store: GcsObjectStore, tmp_path: Path) -> None:
    """A file of 48 MB goes up and comes down again in a few MB."""
    path = tmp_path / "big"
    path.write_bytes(bytes(48 * MB))
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            store.write("a", file, content_type="audio/wav")
        assert sum(map(len, store.read("a"))) == 48 * MB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MB


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "read": lambda store: store.read("a"),
    "write": lambda store: store.write("a", b"x", content_type=TYPE),
    "create": lambda store: store.write("a", b"x", content_type=TYPE, if_generation=0),
    "stat": lambda store: store.stat("a"),
    "scan": lambda store: list(store.scan()),
    "delete": lambda store: store.delete("a", if_generation=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_unknown_bucket(client: google.cloud.storage.Client, call: Callable[[ObjectStore], object]) -> None:
    """No object looks missing where the bucket is, and the error says what makes it."""
    with pytest.raises(ConfigurationError, match="earmark init"):
        call(GcsObjectStore(client, "no-such-bucket"))


def test_what_others_are_told(client: google.cloud.storage.Client, bucket: str, store: GcsObjectStore) -> None:
    """Whoever serves the objects is told their type and that they are private, or what is set instead."""
    store.write("a", b"x", content_type="audio/flac")
    GcsObjectStore(client, bucket, cache_control="public, max-age=60").write("b", b"x", content_type=TYPE)
    found = {blob.name: (blob.content_type, blob.cache_control) for blob in client.list_blobs(bucket)}
    assert found == {"a": ("audio/flac", "private, no-store"), "b": (TYPE, "public, max-age=60")}


def test_a_scan_of_many_pages(
    store: GcsObjectStore, proxy: Proxy, lossy: GcsObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages come as they are needed, and a lost one is asked for again."""
    monkeypatch.setattr(object_store, "PAGE", 3)
    names = [f"n/{number:02}" for number in range(10)]
    for name in names:
        store.write(name, b"", content_type=TYPE)
    proxy.lose_answers("GET")
    assert [info.name for info in lossy.scan("n/")] == names
    assert len(proxy.requests) == 5
    assert [info.name for info in lossy.scan("n/", start_after="n/04")] == names[5:]
    next(lossy.scan("n/"))
    assert len(proxy.requests) == 8


def test_no_request_is_hidden(proxy: Proxy, lossy: GcsObjectStore) -> None:
    """Each method sends what it needs: one request, and now and then one for the bucket where nothing is found."""
    for expected in (2, 3, 4):
        assert lossy.stat("a") is None
        assert len(proxy.requests) == expected
    info = lossy.write("a", b"x", content_type=TYPE)
    assert lossy.stat("a") == info
    assert content_of(lossy, "a") == b"x"
    assert list(lossy.scan()) == [info]
    assert len(proxy.requests) == 8


def test_names_of_others_are_not_seen(client: google.cloud.storage.Client, bucket: str, store: GcsObjectStore) -> None:
    """What the console stores for a folder is no object of ours."""
    for name in ("a/", "a//b", "a/b"):
        client.bucket(bucket).blob(name).upload_from_string(b"x", retry=None)
    assert [info.name for info in store.scan()] == ["a/b"]


def test_threads_keep_their_connections(proxy: Proxy, lossy: GcsObjectStore) -> None:
    """Sixteen threads need at most sixteen connections for all their writes."""
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: lossy.write(f"{number}", b"x", content_type=TYPE), range(160)))
    assert len(proxy.sent("POST")) == 160
    assert proxy.connections <= 16


def bounded(call: Callable[[], object]) -> None:
    """Call what cannot succeed: ``Unavailable``, in time."""
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    assert time.monotonic() - begun < LONGEST_S


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[StorageServer]:
    """A server of this test's own that keeps its objects while it is stopped."""
    with StorageServer(root=tmp_path / "objects") as own:
        yield own


def test_a_server_that_stops_while_it_is_read(keeper: StorageServer) -> None:
    """``Unavailable`` in time; and where the server is back in time, the read goes on."""
    client = client_of(keeper.url)
    store = GcsObjectStore(client, new_bucket(client))
    content = bytes(range(256)) * 80_000
    store.write("a", content, content_type=TYPE)
    stopped, resumed = store.read("a"), store.read("a")
    next(stopped)
    begun = next(resumed)
    keeper.stop()
    bounded(lambda: list(stopped))
    keeper.start()
    assert begun + b"".join(resumed) == content
    assert store.stat("a") is not None


def test_a_server_that_stops_while_it_is_written_to(keeper: StorageServer) -> None:
    """``Unavailable`` in time, nothing is stored, and the next write works without a new connection by hand."""
    client = client_of(keeper.url)
    bucket = new_bucket(client)
    stop = threading.Event()

    def end(line: str, piece: bytes) -> bytes:
        if line.startswith("POST") and len(piece) > 20_000 and not stop.is_set():
            stop.set()
            keeper.stop()
        return piece

    with Proxy(keeper.url) as proxy:
        proxy.on_request = end
        store = GcsObjectStore(client_of(proxy.url), bucket)
        bounded(lambda: store.write("a", bytes(30 * MB), content_type=TYPE, if_generation=0))
        assert stop.is_set()
        keeper.start()
        assert store.stat("a") is None
        store.write("a", b"x", content_type=TYPE, if_generation=0)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_server_that_does_not_answer(
    proxy: Proxy, lossy: GcsObjectStore, call: Callable[[ObjectStore], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wait ends."""
    monkeypatch.setattr(object_store, "TIMEOUT_S", (0.05, 0.05))
    monkeypatch.setattr(vendor_errors, "ATTEMPTS", 2)
    proxy.on_answer = lambda _line, _piece: b""
    bounded(lambda: call(lossy))


def test_an_outage_that_ends_in_time_is_not_noticed(proxy: Proxy, lossy: GcsObjectStore) -> None:
    """Three broken connections in a row, in every method."""
    left = {"n": 0}

    def cut(_line: str, piece: bytes) -> bytes | None:
        left["n"] -= 1
        return None if left["n"] >= 0 else piece

    proxy.on_request = cut
    results: list[Any] = []
    for call in ("create", "stat", "read", "scan", "delete"):
        left["n"] = 3
        results.append(
            CALLS[call](lossy) if call != "delete" else lossy.delete("a", if_generation=results[1].generation)
        )
    assert results[0] == results[1]
    assert results[4]


def below(kind: type[BaseException]) -> list[type[BaseException]]:
    """A class of errors and all that derive from it, wherever they are."""
    found = [kind]
    for child in kind.__subclasses__():
        found += [each for each in below(child) if each not in found]
    return found


def made(kind: type[BaseException]) -> Exception:
    """An error of that class, however its constructor is called."""
    guesses: list[tuple[Any, ...]] = [("told",), ("told", None), ("told", "told"), (None, None, "told"), (1, 2)]
    guesses += [("told", "told", 0), (None, "told", "told", 1), (urllib3.HTTPResponse(), b"told")]
    for arguments in guesses:
        try:
            error = kind(*arguments)
            str(error)
        except Exception:  # noqa: BLE001, S112  # the next call may fit
            continue
        assert isinstance(error, Exception)
        return error
    message = f"{kind} cannot be made"
    raise AssertionError(message)


ROOTS = (
    exceptions.GoogleAPIError,
    auth_exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    *(kind for kind in vars(storage_exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)
VENDOR_ERRORS = sorted({each for root in ROOTS for each in below(root)}, key=str)


def test_vendor_errors_are_found() -> None:
    """The search finds the errors that there are known to be, also those that nothing here names."""
    assert {exceptions.NotFound, storage_exceptions.DataCorruption, auth_exceptions.RefreshError} <= set(VENDOR_ERRORS)
    assert len(VENDOR_ERRORS) > 90


@pytest.mark.parametrize("kind", VENDOR_ERRORS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_vendor_error_is_translated(kind: type[BaseException]) -> None:
    """A new error of the clients that is not mapped fails here, on the day they are upgraded."""
    error = made(kind)
    with pytest.raises(EarmarkError) as raised, translated("gs://bucket/a"):
        raise error
    assert isinstance(raised.value, Unavailable | ConfigurationError)
    assert raised.value.__cause__ is error
    assert "gs://bucket/a" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, ConfigurationError) for status in (400, 401, 403, 404, 409, 412)),
        *((status, Unavailable) for status in (308, 408, 429, 500, 502, 503, 504, 599)),
    ],
)
def test_every_status_has_a_meaning(status: int, expected: type[EarmarkError], monkeypatch: pytest.MonkeyPatch) -> None:
    """What may pass is asked again, what has to be mended is told at once."""
    monkeypatch.setattr(vendor_errors, "ATTEMPTS", 2)
    asked: list[int] = []

    def refuse() -> None:
        asked.append(status)
        raise exceptions.from_http_status(status, "told")  # type: ignore[no-untyped-call]

    with pytest.raises(expected):
        calling("gs://bucket/a", refuse)
    assert len(asked) == (2 if expected is Unavailable else 1)


def test_our_own_errors_pass() -> None:
    """They are not wrapped, and programming errors are not hidden."""
    for error in (ObjectMissing("a"), PreconditionFailed("a"), ValueError("a")):
        with pytest.raises(type(error)) as raised, translated("gs://bucket/a"):
            raise error
        assert raised.value is error
