"""Files that people name: read within bounds, written whole or not at all, and never over what is no regular file."""

import os
import secrets
from pathlib import Path
from stat import S_ISREG

from earmark.errors import ConfigurationError


def printable(text: str) -> str:
    """A text with its control characters written out, so that a terminal and XML show it and obey nothing in it."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def writable(path: Path, option: str) -> Path:
    """What a path leads to, links followed.

    Args:
        path: as the person named it.
        option: that it was named with, for messages.

    Raises:
        ConfigurationError: it exists and is no regular file, or can be no file.
    """
    try:
        target = Path(os.path.realpath(path))
        reason = "" if S_ISREG(target.stat().st_mode) else "it exists and is no regular file"
    except FileNotFoundError:
        reason = ""
    except NotADirectoryError:
        reason = "what should be its folder is a file"
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if reason:
        message = f"Cannot write {printable(str(path))}: {reason}.  Choose another {option}."
        raise ConfigurationError(message)
    return target


def read_bounded(path: Path, what: str, *, most_bytes: int) -> bytes:
    """The content of a regular file, of which no more than ``most_bytes`` are held.

    Args:
        path: as the person named it.
        what: it is, for messages.
        most_bytes: it may have.

    Raises:
        ConfigurationError: it cannot be read, is no regular file or is too large.
    """
    name = printable(str(path))
    try:
        if path.exists() and not path.is_file():
            message = f"The {what} {name} is no regular file.  Check the path."
            raise ConfigurationError(message)
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"Cannot read the {what} {name}: {reason}.  Check the path."
        raise ConfigurationError(message) from error
    if len(content) > most_bytes:
        message = f"The {what} {name} is larger than {most_bytes} bytes.  Name a smaller one, or a part of it."
        raise ConfigurationError(message)
    return content


def write_whole(path: Path, text: str, option: str) -> None:
    """Write a file; folders are made, and a link stays one: what it leads to is written.

    Raises:
        ConfigurationError: it cannot be written there, or is no regular file.
    """
    target = writable(path, option)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("x", encoding="utf-8") as file:
                file.write(text)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        message = f"Cannot write {printable(str(path))}: {error.strerror}.  Choose another {option}."
        raise ConfigurationError(message) from error
