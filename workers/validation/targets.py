"""``Target``: what a figure must be for a model to go live, as data."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, ValidationError

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from workers.validation.figures import FIGURES, SHARE, Figure

FILE_BYTES_MAX: Final = 1024**2
SHOWN_CHARS: Final = 60

Text = Annotated[str, StringConstraints(strict=True, max_length=400)]


class Target(Frozen):
    """One table of a target file; its name is that of a figure."""

    limit: Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)]
    unit: Text = ""
    """That of the figure."""
    why: Text = ""
    judged: Annotated[bool, Field(strict=True)] = True
    """False = the figure is shown beside the limit, and decides nothing."""

    def met(self, figure: Figure, value: float) -> bool:
        """Whether a value keeps the limit."""
        return value >= self.limit if figure.more_is_better else value <= self.limit

    def words(self, figure: Figure) -> str:
        """As ``at most 0.05 share``."""
        return f"{'at least' if figure.more_is_better else 'at most'} {self.limit:g} {figure.unit}"


Targets = Mapping[str, Target]


def load_targets(shipped: Path, own: Path | None = None) -> Targets:
    """The targets that ship, with what a file of one's own adds and changes.

    Raises:
        ConfigurationError: a file cannot be read, names no figure there is, or has a key or value that means nothing.
    """
    tables = _tables(shipped)
    for name, table in (_tables(own) if own is not None else {}).items():
        tables[name] = tables.get(name, {}) | table
    place = own or shipped
    return {name: _target(place, name, table) for name, table in tables.items()}


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(_content(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # what TOML and UTF-8 raise are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        message = f"Cannot read the targets {str(path)!r}: {reason}.  Mend the file, or name another --targets."
        raise ConfigurationError(message) from error
    for name, table in tables.items():
        if name not in FIGURES:
            near = difflib.get_close_matches(name, FIGURES, 1)
            hint = f"did you mean {near[0]}?" if near else "docs/validation.md lists what there is."
            message = f"The targets {str(path)!r} name {_short(name)}, which is no figure; {hint}"
            raise ConfigurationError(message)
        if not isinstance(table, dict):
            message = f"The targets {str(path)!r}: {name} is no table.  Write [{name}], and limit = … below it."
            raise ConfigurationError(message)
    return tables


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        message = "no regular file"
        raise ValueError(message)
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        message = f"larger than {FILE_BYTES_MAX} bytes"
        raise ValueError(message)
    return content


def _target(path: Path, name: str, table: dict[str, Any]) -> Target:
    figure = FIGURES[name]
    try:
        target = Target.model_validate(table)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(_short, fault["loc"]))
        known = f"; its keys are {', '.join(Target.model_fields)}" if fault["type"] == "extra_forbidden" else ""
        message = f"The targets {str(path)!r}: {name}: {key}: {fault['msg']}{known}."
        raise ConfigurationError(message) from None
    wrong = ""
    if target.unit not in {"", figure.unit}:
        wrong = f"its unit is {figure.unit!r}, not {_short(target.unit)}"
    elif figure.unit == SHARE and target.limit > 1:
        wrong = f"a share is 0 to 1, not {target.limit:g}"
    if wrong:
        message = f"The targets {str(path)!r}: {name}: {wrong}."
        raise ConfigurationError(message)
    return target.model_copy(update={"unit": figure.unit})


def _short(value: object) -> str:
    return repr(value)[:SHOWN_CHARS] if not isinstance(value, str) or not value.isidentifier() else value[:SHOWN_CHARS]
