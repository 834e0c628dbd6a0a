"""``KeptAudio``: the audio of an analysis, as far as it is kept: in the uploads, with temporary files, or archived."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from earmark.errors import ObjectMissing, Unavailable
from earmark.ports import ObjectStore, Warehouse
from retention.archiving import read_archived
from router.addresses import BY_CONTENT
from runtime.backend import ARCHIVE, TEMPORARY, UPLOADS, Backend

_BUCKETS: Final = (UPLOADS, ARCHIVE, TEMPORARY)


class KeptAudio:
    """Gives copies."""

    def __init__(self, backend: Backend) -> None:
        """Take the adapters."""
        self._warehouse: Warehouse = backend.warehouse
        self._stores: dict[str, ObjectStore] = {name: backend.bucket(name) for name in _BUCKETS}
        self._scratch: Path = backend.scratch

    def copy(self, tenant: str, content_sha256: str) -> IO[bytes] | None:
        """A copy of a content in a file without a name, at its beginning; ``None`` = it is not kept.

        Args:
            tenant: whose.
            content_sha256: of the audio as it came; what has other bytes by now is not it.

        Raises:
            Unavailable: a store cannot be reached, or there is no room.
        """
        looked_at = set[tuple[str, str]]()
        for bucket, name in self._places(tenant, content_sha256):
            if (bucket, name) not in looked_at:
                looked_at.add((bucket, name))
                found = self._copy(bucket, name, content_sha256)
                if found is not None:
                    return found
        return None

    def _places(self, tenant: str, content_sha256: str) -> Iterator[tuple[str, str]]:
        """Where it may lie: by its name first, which costs least, then where the catalogue says, archived by now."""
        for bucket in _BUCKETS:
            for info in self._stores[bucket].scan(f"{tenant}/{BY_CONTENT}/{content_sha256}"):
                yield bucket, info.name
        asked = {"tenant": tenant, "content": content_sha256}
        for row in self._warehouse.query("audio_of_content", asked):
            bucket, name = str(row["bucket"]), str(row["name"])
            if bucket in self._stores:
                yield bucket, name
            if bucket == UPLOADS:
                yield ARCHIVE, name

    def _copy(self, bucket: str, name: str, content_sha256: str) -> IO[bytes] | None:
        store, digest = self._stores[bucket], hashlib.sha256()
        with suppress(ObjectMissing):
            chunks = read_archived(store, name, self._scratch) if bucket == ARCHIVE else store.read(name)
            try:
                self._scratch.mkdir(parents=True, exist_ok=True)
                file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115  # whoever asked closes it
                try:
                    for chunk in chunks:
                        digest.update(chunk)
                        file.write(chunk)
                    file.seek(0)
                except BaseException:
                    file.close()
                    raise
            except OSError as error:
                message = f"There is no room for a copy of audio: {error.strerror}"
                raise Unavailable(message) from error
            if digest.hexdigest() == content_sha256:
                return file
            file.close()
        return None
