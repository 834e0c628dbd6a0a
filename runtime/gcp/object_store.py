"""``GcsObjectStore``: a bucket of Cloud Storage.

Every create, overwrite and delete carries its precondition.  A request that was sent again because its answer was lost
may find its own work: a conditional write therefore leaves a random id in the object's metadata, and a refusal by an
object that bears this id is a success; a repeated delete that finds nothing has done its work.

A hold is Cloud Storage's temporary hold; "not needed after" is the object's custom time, by which lifecycle rules go.
"""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from google.api_core import exceptions
from google.cloud import storage

from earmark.errors import InvalidName, ObjectHeld, ObjectMissing, PreconditionFailed, Unavailable
from earmark.object_names import MAX_NAME_BYTES, checked_name
from earmark.ports import ObjectInfo
from runtime.gcp.object_download import Download
from runtime.gcp.object_session import session_of
from runtime.gcp.object_upload import MEMORY_BYTES, Multipart, Source, source_of
from runtime.gcp.vendor_errors import calling, is_transient

TIMEOUT_S: Final = (5.0, 20.0)
"""To connect, and between two bytes of an answer."""
PAGE: Final = 1000
"""Objects of one answer to a listing; more are not given."""
BUCKET_S: Final = 60.0
"""How long a bucket that was there is taken to be there still."""
WRITE_ID: Final = "earmark-write"
"""Metadata of an object: which write made it."""
PROTECT_ATTEMPTS: Final = 5
"""How often somebody else may change an object's metadata between our look at it and our change."""
TOO_EARLY: Final = "retentionPolicyNotMet"
_FIELDS: Final = "items(name,generation,size,timeCreated,contentType,temporaryHold),nextPageToken"
_OTHER_TYPE: Final = "application/octet-stream"


class GcsObjectStore:
    """One bucket; see ``earmark.ports.ObjectStore`` for what it promises.

    Objects that somebody else stored under names that are not allowed here, as ``folder/``, are not seen.
    """

    def __init__(self, client: storage.Client, bucket: str, *, cache_control: str = "private, no-store") -> None:
        """Connect to nothing yet.

        Args:
            client: may be shared by stores and threads, not by processes.
            bucket: its name; it must exist when the first method is called.
            cache_control: what is told to whoever serves the objects.
        """
        self._client = client
        self._bucket = client.bucket(bucket)
        self._session = session_of(client)
        self._cache_control = cache_control
        self._media = f"{client.api_endpoint}/download/storage/v1/b/{bucket}/o/"
        self._upload = f"{client.api_endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
        # Only a test server is reached without encryption; fake-gcs-server ignores the precondition of a delete.
        self._looks_before_delete = str(client.api_endpoint).startswith("http:")
        self._found_at = float("-inf")

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """The bytes in chunks of at most one MiB, checked against their crc32c before the last one is given."""
        url = f"{self._media}{quote(checked_name(name), safe='')}?alt=media"

        def request(begun: int | None, position: int) -> Any:
            headers = {"Accept-Encoding": "gzip"}
            if position:
                headers["Range"] = f"bytes={position}-"
            # To begin, the live generation is asked for: a bucket with versions has others too, that count as gone.
            full = url if begun is None else f"{url}&generation={begun}"
            response = self._session.get(full, headers=headers, timeout=TIMEOUT_S, stream=True)
            if response.status_code == (HTTPStatus.PARTIAL_CONTENT if position else HTTPStatus.OK):
                found = int(response.headers["X-Goog-Generation"])
                if begun is None and generation not in {None, found}:
                    response.close()
                    message = f"{self._what(name)} has generation {found}, not {generation}"
                    raise ObjectMissing(message)
                return response
            with response:
                error = _error_of(response)
            if isinstance(error, exceptions.NotFound) and begun is None:
                self._find_bucket()
                message = f"There is no object {self._what(name)}"
                raise ObjectMissing(message)
            raise error

        return Download(self._what(name), request)

    def write(
        self, name: str, content: bytes | BinaryIO, *, content_type: str, if_generation: int | None = None
    ) -> ObjectInfo:
        """Store bytes in one request, that Cloud Storage refuses where precondition or crc32c do not hold."""
        checked_name(name)
        with source_of(content) as source:
            metadata: dict[str, object] = {"name": name, "contentType": content_type, "crc32c": source.crc32c}
            metadata["cacheControl"] = self._cache_control
            url, write_id = self._upload, uuid.uuid4().hex
            if if_generation is not None:
                url += f"&ifGenerationMatch={if_generation}"
                metadata["metadata"] = {WRITE_ID: write_id}
                if source.size_bytes > MEMORY_BYTES:
                    self._demand(name, if_generation)  # before much is sent in vain
            multipart = Multipart(metadata, source)

            def send() -> ObjectInfo:
                response = self._session.post(
                    url, data=multipart.body(), headers={"Content-Type": multipart.content_type}, timeout=TIMEOUT_S
                )
                if response.status_code == HTTPStatus.OK:
                    return self._stored(response.json(), source)
                if response.status_code == HTTPStatus.PRECONDITION_FAILED and if_generation is not None:
                    return self._own(name, write_id, if_generation)
                error = _error_of(response)
                if isinstance(error, exceptions.Forbidden):
                    self._demand_free(name, if_generation, error)
                if isinstance(error, exceptions.BadRequest) and "crc32c" in str(error).lower():
                    message = f"{self._what(name)} arrived damaged and was not stored"
                    raise Unavailable(message) from error
                raise error

            return calling(self._what(name), send)

    def stat(self, name: str) -> ObjectInfo | None:
        """What is known about the live generation."""
        checked_name(name)

        def look() -> ObjectInfo | None:
            blob = self._blob(name)
            return None if blob is None else _info(blob)

        return calling(self._what(name), look)

    def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Ask for pages of the listing, which Cloud Storage keeps in this order."""
        after = start_after.encode("utf-8", "surrogatepass")
        try:
            impossible = len(prefix.encode()) > MAX_NAME_BYTES
        except UnicodeEncodeError:
            impossible = True
        if impossible:
            return
        start, token = _offset(start_after), None
        while True:
            page, token = calling(
                f"The bucket {self._bucket.name}",
                lambda token=token: self._page(prefix, start, token, PAGE),  # type: ignore[misc]
            )
            for info in page:
                if info.name.encode() > after and _is_allowed(info.name):
                    yield info
            if not token:
                return

    def delete(self, name: str, *, if_generation: int) -> bool:
        """Remove a generation; a repeated request that finds nothing has removed it."""
        checked_name(name)
        sent = 0

        def remove() -> bool:
            nonlocal sent
            if self._looks_before_delete:
                present = self._blob(name)
                if present is None or present.generation != if_generation:
                    return self._gone(name, if_generation, present) or sent > 0
                if present.temporary_hold:
                    raise _held(self._what(name))
            sent += 1
            try:
                self._bucket.delete_blob(name, if_generation_match=if_generation, timeout=TIMEOUT_S, retry=None)
            except (exceptions.NotFound, exceptions.PreconditionFailed):
                return self._gone(name, if_generation, self._blob(name)) or sent > 1
            except exceptions.Forbidden as error:
                self._demand_free(name, if_generation, error)
                raise
            return True

        return calling(self._what(name), remove)

    def protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        """Change the object's metadata, if it is not so already: two requests, or one."""
        checked_name(name)
        # The client writes "Z" behind the time as it is, whatever its zone.
        wanted = None if not_needed_after is None else not_needed_after.astimezone(UTC)

        def change() -> bool:
            for _ in range(PROTECT_ATTEMPTS):
                blob = self._blob(name)
                if blob is None or blob.generation != if_generation:
                    return self._gone(name, if_generation, blob)
                if held is not None and held != bool(blob.temporary_hold):
                    blob.temporary_hold = held
                if wanted is not None and (blob.custom_time is None or blob.custom_time < wanted):
                    blob.custom_time = wanted
                if not blob._changes:  # noqa: SLF001  # what a patch would send
                    return True
                try:
                    blob.patch(
                        if_generation_match=if_generation,
                        if_metageneration_match=blob.metageneration,
                        timeout=TIMEOUT_S,
                        retry=None,
                    )
                except (exceptions.NotFound, exceptions.PreconditionFailed):
                    continue
                return True
            message = f"{self._what(name)} keeps changing under {PROTECT_ATTEMPTS} attempts to protect it"
            raise Unavailable(message)

        return calling(self._what(name), change)

    def _what(self, name: str) -> str:
        return f"gs://{self._bucket.name}/{name}"

    def _blob(self, name: str) -> Any:
        """What the client knows about the live generation; None = there is none."""
        blob = self._bucket.get_blob(name, timeout=TIMEOUT_S, retry=None)
        if blob is None:
            self._find_bucket()
        return blob

    def _find_bucket(self) -> None:
        """Raise where there is no bucket, for then nothing is known about objects.

        A listing tells, and needs no more than the rights to objects.
        """
        now = time.monotonic()
        if now - self._found_at > BUCKET_S:
            self._page("", None, None, 1)
            self._found_at = now

    def _page(
        self, prefix: str, start: str | None, token: str | None, size: int
    ) -> tuple[list[ObjectInfo], str | None]:
        listing = self._client.list_blobs(
            self._bucket,
            prefix=prefix or None,
            start_offset=start,
            page_token=token,
            page_size=size,
            fields=_FIELDS,
            timeout=TIMEOUT_S,
            retry=None,
        )
        page = next(listing.pages, ())
        return [_info(blob) for blob in page], listing.next_page_token

    def _demand(self, name: str, generation: int) -> None:
        """Raise unless the object has this generation; 0 means that there is none."""
        blob = calling(self._what(name), lambda: self._blob(name))
        if generation != (0 if blob is None else blob.generation):
            raise _refusal(self._what(name), generation, blob)

    def _own(self, name: str, write_id: str, if_generation: int) -> ObjectInfo:
        """The object where the write that was refused made it itself, before; else the refusal is raised."""
        blob = self._blob(name)
        if blob is not None and (blob.metadata or {}).get(WRITE_ID) == write_id:
            return _info(blob)
        raise _refusal(self._what(name), if_generation, blob)

    def _demand_free(self, name: str, generation: int | None, error: Exception) -> None:
        """Raise where a hold, or the bucket's retention policy, is why a request was forbidden.

        A lack of rights, or haste, is for the caller to raise.
        """
        if is_transient(error):
            return
        if any(each.get("reason") == TOO_EARLY for each in getattr(error, "errors", ()) if isinstance(each, dict)):
            raise _held(self._what(name)) from error
        blob = self._blob(name)
        found = 0 if blob is None else blob.generation
        if generation not in {None, found}:
            raise _refusal(self._what(name), generation or 0, blob) from error
        if blob is not None and blob.temporary_hold:
            raise _held(self._what(name)) from error

    def _gone(self, name: str, generation: int, blob: Any) -> bool:
        """False where there is no object; raises where it has another generation."""
        if blob is not None:
            raise _refusal(self._what(name), generation, blob)
        return False

    def _stored(self, resource: dict[str, Any], source: Source) -> ObjectInfo:
        """What the server says about the object it has stored, if that is what was sent."""
        info = ObjectInfo(
            resource["name"],
            int(resource["generation"]),
            int(resource["size"]),
            datetime.fromisoformat(resource["timeCreated"]),
            resource.get("contentType") or _OTHER_TYPE,
        )
        found = resource.get("crc32c", source.crc32c)
        if (found, info.size_bytes) != (source.crc32c, source.size_bytes):
            what = self._what(info.name)
            self._bucket.delete_blob(info.name, if_generation_match=info.generation, timeout=TIMEOUT_S, retry=None)
            message = f"{what} arrived damaged and was removed: its crc32c is {found}, not {source.crc32c}"
            raise Unavailable(message)
        return info


def _error_of(response: Any) -> exceptions.GoogleAPICallError:
    error: exceptions.GoogleAPICallError = exceptions.from_http_response(response)  # type: ignore[no-untyped-call]
    return error


def _info(blob: Any) -> ObjectInfo:
    return ObjectInfo(
        blob.name,
        blob.generation,
        blob.size,
        blob.time_created,
        blob.content_type or _OTHER_TYPE,
        bool(blob.temporary_hold),
    )


def _held(what: str) -> ObjectHeld:
    message = f"{what} is held"
    return ObjectHeld(message)


def _refusal(what: str, generation: int, blob: Any) -> PreconditionFailed:
    found = f"{what} has generation {blob.generation}, not {generation}" if blob else f"There is no object {what}"
    return PreconditionFailed(found)


def _is_allowed(name: str) -> bool:
    try:
        checked_name(name)
    except InvalidName:
        return False
    return True


def _offset(start_after: str) -> str | None:
    """The longest beginning that a listing can start at: UTF-8 of at most 1024 bytes."""
    raw = start_after.encode("utf-8", "surrogatepass")[:MAX_NAME_BYTES]
    try:
        return raw.decode() or None
    except UnicodeDecodeError as error:
        return raw[: error.start].decode() or None
