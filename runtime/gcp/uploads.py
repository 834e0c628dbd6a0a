"""Where audio lies on Google Cloud: objects of any bucket are fetched."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from earmark.address import read_address
from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected, InvalidName, ObjectMissing, Unavailable
from earmark.ports import ObjectStore
from router.intake import display


class Uploads:
    """Fetches audio."""

    def __init__(self, open_bucket: Callable[[str], ObjectStore], scratch: Path) -> None:
        """Take what opens a bucket, and a folder for what is fetched."""
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
