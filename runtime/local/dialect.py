"""Turns BigQuery's SQL into SQLite's, so that a query or a view is written once; sqlglot does nearly all of it.

What is said here is where sqlglot knows too little of how this warehouse keeps things: times are text of fixed width in
UTC, so parts of them are cut out exactly (SQLite's own functions round to milliseconds); ``COUNTIF`` over no rows is
0; a hexadecimal text is a number.  Importing sqlglot takes a tenth of a second: import this module only to query.
"""

import threading
from functools import lru_cache
from typing import ClassVar, Final

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.generators.sqlite import SQLiteGenerator

from earmark.errors import ConfigurationError

_ISO: Final = ("%Y", "-", "%m", "-", "%d", "T", "%H", ":", "%M", ":", "%S", ".", "%f")
_WIDTHS: Final = {"%Y": 4, "%f": 6}
"""Of a part in characters: two, where nothing is said, and one for what stands between."""
_CUTS: Final = {"DAY": 10, "HOUR": 13, "MINUTE": 16}
_ZERO: Final = "0000-01-01T00:00:00.000000Z"


def _truncated(generator: SQLiteGenerator, node: exp.TimestampTrunc) -> str:
    unit = node.unit
    width = _CUTS.get(unit.name if unit else "")
    if width is None:
        message = f"Times are cut to {', '.join(_CUTS)}, not to {unit}"
        raise ConfigurationError(message)
    return f"SUBSTR({generator.sql(node, 'this')}, 1, {width}) || '{_ZERO[width:]}'"


def _formatted(generator: SQLiteGenerator, node: exp.TimeToStr) -> str:
    """A text cut out of the stored one, as far as the pattern is its beginning; then what the pattern says."""
    rest: str = node.args["format"].name
    width = 0
    for part in _ISO:
        if not rest.startswith(part):
            break
        width += _WIDTHS.get(part, len(part))
        rest = rest.removeprefix(part)
    if "%" in rest or not width:
        message = f"A pattern of times must begin as {''.join(_ISO)} does, not {node.args['format'].name}"
        raise ConfigurationError(message)
    at = node.this.this if isinstance(node.this, exp.TsOrDsToTimestamp) else node.this
    return f"SUBSTR({generator.sql(at)}, 1, {width}) || '{rest}'"


def _milliseconds(generator: SQLiteGenerator, node: exp.UnixMillis) -> str:
    at = generator.sql(node, "this")
    return f"(UNIXEPOCH(SUBSTR({at}, 1, 19)) * 1000 + CAST(SUBSTR({at}, 21, 3) AS INTEGER))"


def _cast(generator: SQLiteGenerator, node: exp.Cast) -> str:
    start = node.this.expressions[0] if isinstance(node.this, exp.Concat) else None
    if node.to.is_type(exp.DataType.Type.BIGINT) and isinstance(start, exp.Literal) and start.name == "0x":
        return f"HEX_NUMBER({generator.sql(node, 'this')})"
    return generator.cast_sql(node)


class _Writer(SQLiteGenerator):
    """Writes SQLite's SQL as this warehouse needs it."""

    TRANSFORMS: ClassVar = {
        **SQLiteGenerator.TRANSFORMS,
        exp.Cast: _cast,
        exp.CountIf: lambda self, node: f"COUNT(CASE WHEN {self.sql(node, 'this')} THEN 1 END)",
        exp.SHA2Digest: lambda self, node: f"SHA256({self.sql(node, 'this')})",
        exp.TimestampTrunc: _truncated,
        exp.TimeToStr: _formatted,
        exp.UnixMillis: _milliseconds,
        exp.UnixSeconds: lambda self, node: f"UNIXEPOCH(SUBSTR({self.sql(node, 'this')}, 1, 19))",
    }


_ONE_AT_A_TIME: Final = threading.Lock()
"""sqlglot loads its dialects when it first reads one, and does not say that several threads may."""


@lru_cache(maxsize=256)
def to_sqlite(sql: str) -> str:
    """The same query for SQLite.

    Raises:
        ConfigurationError: it is no query that BigQuery would understand, or one this module has no word for.
    """
    try:
        with _ONE_AT_A_TIME:
            return _Writer(dialect="sqlite", comments=False).generate(parse_one(sql, read="bigquery"))
    except SqlglotError as error:
        message = f"This SQL is not BigQuery's: {error}"
        raise ConfigurationError(message) from error
