"""What a command writes is never what it reads, nor two things at once."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from earmark.errors import ConfigurationError
from earmark.named_file import writable
from router.intake import display


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """See that every output is a file of its own that may be written; links are followed.

    Args:
        outputs: by the name of their option; None = not asked for.
        inputs: what is read; None = nothing.

    Raises:
        ConfigurationError: an output is also an input or another output, or exists and is no regular file.
    """
    taken = {path: "what is read" for path in inputs if path is not None}
    for option, path in outputs.items():
        if path is None:
            continue
        for other, what in taken.items():
            if _same(path, other):
                message = f"{option} {display(path)} is the same file as {what}, {display(other)}.  Choose another."
                raise ConfigurationError(message)
        writable(path, option)
        taken[path] = option


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there yet
        pass
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except ValueError:
        return False
