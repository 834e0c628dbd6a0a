"""Where audio lies on Google Cloud: objects of any bucket are fetched, local files are put into the upload bucket."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from earmark.address import Address, read_address
from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected, InvalidName, ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import ObjectStore
from router.intake import display

BY_CONTENT: Final = "by-content"
"""Folder, below the tenant's, of files that a command uploaded; each is named by its SHA-256."""


class Uploads:
    """Fetches and places audio."""

    def __init__(self, bucket: str, open_bucket: Callable[[str], ObjectStore], scratch: Path) -> None:
        """Take the upload bucket's name, what opens a bucket, and a folder for what is fetched."""
        self._bucket = bucket
        self._open = open_bucket
        self._scratch = scratch

    @contextmanager
    def fetch(self, upload: Upload) -> Iterator[Path]:
        """The object as a local file for as long as the context lasts.

        Raises:
            InputRejected: it is gone, or was overwritten.
            Unavailable: the bucket cannot be reached, or there is no space.
        """
        address = read_address(upload.uri)
        with ExitStack() as stack:
            try:
                self._scratch.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(tempfile.NamedTemporaryFile(dir=self._scratch, prefix="upload-"))
                for chunk in self._open(address.bucket).read(address.name, generation=address.generation):
                    file.write(chunk)
                file.flush()
            except (ObjectMissing, InvalidName) as error:
                message = f"{display(upload.uri)} is gone or was overwritten"
                remedy = "Upload it again; what overwrote it has a job of its own."
                raise InputRejected(InputFault.NOT_FOUND, message, remedy) from error
            except OSError as error:
                message = f"There is no room to fetch an upload: {error.strerror}"
                raise Unavailable(message) from error
            yield Path(file.name)

    def place(self, path: Path, upload: Upload) -> Upload:
        """Put a file into the upload bucket, unless its content is there.

        Raises:
            InputRejected: it changed since it was hashed.
            Unavailable: the bucket cannot be reached.
        """
        store = self._open(self._bucket)
        name = f"{upload.tenant}/{BY_CONTENT}/{upload.content_sha256}"
        info = store.stat(name)
        if info is None:
            try:
                with path.open("rb") as file:
                    reader = _Hashing(file)
                    info = store.write(name, reader, content_type="application/octet-stream", if_generation=0)  # type: ignore[arg-type]
            except PreconditionFailed:
                info = store.stat(name)
            except OSError as error:
                raise InputRejected(
                    InputFault.UNREADABLE, f"{display(path)} cannot be read: {error.strerror}"
                ) from error
            else:
                if reader.digest.hexdigest() != upload.content_sha256:
                    store.delete(name, if_generation=info.generation)
                    raise InputRejected(InputFault.CHANGED, f"{display(path)} changed while it was uploaded")
        if info is None:
            message = f"{name} was deleted while it was uploaded"
            raise Unavailable(message)
        return upload.model_copy(update={"uri": Address(self._bucket, name, info.generation).uri})


class _Hashing:
    """A file that hashes what is read of it, from its beginning on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        chunk = self._file.read(size)
        new = chunk[max(0, self._hashed - start) :]
        self.digest.update(new)
        self._hashed += len(new)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
