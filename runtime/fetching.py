"""``Fetching``: an upload's bytes from where it was put, or from the archive where it lies by now."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected, ObjectMissing, Unavailable
from retention.archiving import read_archived
from runtime.backend import UPLOADS, Backend


class Fetching:
    """Gives uploads as files."""

    def __init__(self, backend: Backend) -> None:
        """Take the adapters."""
        self._backend = backend

    @contextmanager
    def fetch(self, upload: Upload) -> Iterator[Path]:
        """The bytes of an upload as a file, for as long as the context lasts.

        Raises:
            InputRejected: it is gone, or was overwritten.
            Unavailable: a bucket cannot be reached, or there is no space.
        """
        with ExitStack() as stack:
            yield self._found(upload, stack)

    def _found(self, upload: Upload, stack: ExitStack) -> Path:
        try:
            path = stack.enter_context(self._backend.fetch(upload))
        except InputRejected as error:
            archived = self._archived(upload, stack) if error.fault is InputFault.NOT_FOUND else None
            if archived is None:
                raise
            return archived
        return path if path.exists() else self._archived(upload, stack) or path

    def _archived(self, upload: Upload, stack: ExitStack) -> Path | None:
        """What lies in the archive under the name of the upload; the decoder sees whether it is the same content."""
        address = self._backend.object_of(upload.uri)
        if address is None or address.bucket != UPLOADS:
            return None
        try:
            self._backend.scratch.mkdir(parents=True, exist_ok=True)
            folder = self._backend.scratch
            file = stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix="upload-"))  # noqa: SIM115
            for chunk in read_archived(self._backend.archive, address.name, self._backend.scratch):
                file.write(chunk)
            file.flush()
        except ObjectMissing:
            return None
        except OSError as error:
            message = f"There is no room to fetch an upload: {error.strerror}"
            raise Unavailable(message) from error
        return Path(file.name)
