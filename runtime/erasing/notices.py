"""The ledger of notices as a store that can be erased: a customer's folder, or single lines of its lists."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from earmark.clock import utc_now
from earmark.errors import ObjectMissing, PreconditionFailed
from earmark.ports import ObjectInfo, ObjectStore
from retention.notices import FOLDER, Notices
from retention.stores import Erased, ErasureRequest, ObjectsStore, Place, below, segments

_LIST: Final = "/objects.jsonl"
_CONTENT_TYPE: Final = "application/jsonl"


class NoticeListsStore:
    """What customers were told; the lists name objects."""

    name = "notices"
    holds = "names of objects that a customer was told of"
    remains = "messages that were sent are with their receivers"
    remains_for: timedelta | None = None

    def __init__(self, state: ObjectStore) -> None:
        """Take the state store."""
        self._state = state
        self._whole = ObjectsStore(
            self.name,
            self.holds,
            state,
            below(state, lambda tenant: f"{FOLDER}{tenant}/"),
            tenants=lambda: segments(state, FOLDER),
        )

    def erase(self, request: ErasureRequest) -> Erased:
        """Remove a customer's notices, or the lines of single objects; what the others say stays as it was."""
        if request.whole:
            return self._whole.erase(request)
        notices = Notices(self._state, utc_now)
        return Erased(sum(self._shorten(notices, info, request) for info in self._lists(request)))

    def left(self, request: ErasureRequest) -> int:
        """Count notices, or lines."""
        if request.whole:
            return self._whole.left(request)
        return sum(len(_lines(content)) - len(_kept(content, request)) for _, content in self._read(request))

    def held(self, request: ErasureRequest) -> int:
        """Nothing here is held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Those who were told something."""
        return self._whole.tenants()

    def _lists(self, request: ErasureRequest) -> list[ObjectInfo]:
        found = self._state.scan(f"{FOLDER}{request.tenant}/")
        return [info for info in found if info.name.endswith(_LIST)]

    def _read(self, request: ErasureRequest) -> Iterator[tuple[ObjectInfo, bytes]]:
        for info in self._lists(request):
            try:
                yield info, b"".join(self._state.read(info.name, generation=info.generation))
            except ObjectMissing:
                continue

    def _shorten(self, notices: Notices, info: ObjectInfo, request: ErasureRequest) -> int:
        """Write a list without some of its lines; returns how many.

        The notice then has to speak of the new list; it is told so each time, should somebody have died in between.
        """
        generation = info.generation
        try:
            content = b"".join(self._state.read(info.name, generation=generation))
            kept = _kept(content, request)
            gone = len(_lines(content)) - len(kept)
            if gone:
                written = self._state.write(
                    info.name, b"".join(kept), content_type=_CONTENT_TYPE, if_generation=generation
                )
                generation = written.generation
        except (ObjectMissing, PreconditionFailed):
            return 0  # somebody changed it meanwhile; the next look comes to it again
        identity = info.name.removeprefix(FOLDER).removesuffix(_LIST)
        if notices.find(identity) is not None:
            notices.change(identity, lambda status: status.model_copy(update={"list_generation": generation}))
        return gone


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _kept(content: bytes, request: ErasureRequest) -> list[bytes]:
    return [line for line in _lines(content) if not _is_meant(line, request)]


def _is_meant(line: bytes, request: ErasureRequest) -> bool:
    try:
        row = json.loads(line)["row"]
        return Place(row["bucket"], row["name"]) in request.places or row["job_id"] in request.jobs
    except (ValueError, KeyError, TypeError):
        return False
