"""Intake: a file on this machine becomes an ``Upload``, identified by its bytes."""

import errno
import hashlib
import os
import stat
from datetime import datetime
from pathlib import Path

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected
from earmark.vocabulary import Origin
from router.tenants import Tenant

_CHUNK_BYTES = 1 << 20


def display(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed and stored, no two paths alike.

    Control characters, bytes that are not UTF-8, and backslashes are escaped.
    """
    return "".join(map(_displayed, os.fsencode(path).decode("utf-8", "surrogateescape")))


def _displayed(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that is not UTF-8, as Python smuggles it
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char.isprintable() and char != "\\":
        return char
    return char.encode("unicode_escape").decode()


def upload_file(path: Path, tenant: Tenant, origin: Origin, *, max_input_bytes: int, received_at: datetime) -> Upload:
    """Look at a file and hash it; nothing is copied, the job refers to the file where it is.

    Raises:
        InputRejected: ``not_found``, ``not_a_file``, ``unreadable`` or ``too_large``.
    """
    name = display(path)
    limit = min(max_input_bytes, tenant.max_input_bytes or max_input_bytes)
    try:
        # Non-blocking, so that opening a pipe nobody writes to cannot hang before fstat tells what it is.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _rejection(error, path, name) from error
    try:
        _check_regular(os.fstat(descriptor), name, limit)
        digest, size = hashlib.sha256(), 0
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if size > limit:
                raise InputRejected(InputFault.TOO_LARGE, f"{name} grew beyond the limit of {limit} bytes")
    except OSError as error:
        raise _rejection(error, path, name) from error
    finally:
        os.close(descriptor)
    return Upload(
        uri=Path(os.path.abspath(path)).as_uri(),  # noqa: PTH100  # resolve() would follow links and fail on odd ones
        tenant=tenant.name,
        tier=tenant.tier,
        origin=origin,
        content_sha256=digest.hexdigest(),
        size_bytes=size,
        received_at=received_at,
        region=tenant.region,
    )


def _check_regular(status: os.stat_result, name: str, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise InputRejected(InputFault.NOT_A_FILE, f"{name} is {what}")
    if status.st_size > limit:
        raise InputRejected(InputFault.TOO_LARGE, f"{name} has {status.st_size} bytes; the limit is {limit}")


def _rejection(error: OSError, path: Path, name: str) -> InputRejected:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        what = "is a link to a file that is not there" if path.is_symlink() else "does not exist"
        return InputRejected(InputFault.NOT_FOUND, f"{name} {what}")
    if error.errno == errno.ELOOP:
        return InputRejected(InputFault.NOT_FOUND, f"{name} is a link that leads to itself")
    if error.errno in {errno.EISDIR, errno.ENXIO}:
        return InputRejected(InputFault.NOT_A_FILE, f"{name} is no regular file")
    if error.errno == errno.ENAMETOOLONG:
        return InputRejected(InputFault.NOT_FOUND, f"{name[:80]}… is longer than a file name can be")
    return InputRejected(InputFault.UNREADABLE, f"{name} cannot be read: {os.strerror(error.errno or errno.EIO)}")
