"""``Candidates``: the lines of a plan beside what the catalogue says of their objects now, read once and set aside.

Catalogue and plan have the same order, so one pass over both joins them.  What was read lies in files without a name,
which go with the process however it ends: a file changed behind a run's back changes nothing of it, and no names of
customers' files are left behind.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from pydantic import NonNegativeInt

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.named_file import printable
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.catalogue import Catalogue, Cutoff
from retention.plan import Do, Plan, PlanLine

Stamp = tuple[int, ...]
_Place = tuple[str, str, str, int]
_FIRST: Final[_Place] = ("", "", "", -1)


class Candidate(Frozen):
    """One object that a plan wants something done with."""

    index: NonNegativeInt
    """Number of its line, counted from 0."""
    line: PlanLine
    row: CatalogueRow | None
    """What the catalogue says; ``None`` = it is live no more."""


class Candidates:
    """Used with ``with``, which forgets them at its end."""

    def __init__(
        self,
        plan: Plan,
        catalogue: Catalogue,
        stamp: Stamp,
        *,
        start: int = 0,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Take a plan whose file was looked at, and the catalogue.

        Args:
            plan: the plan.
            catalogue: what there is.
            stamp: of the plan's file, taken before it was looked at.
            start: number of the first line whose deletion is asked for; of notices all are.
            beat: called now and then while they are read.
        """
        self._plan, self._catalogue, self._stamp = plan, catalogue, stamp
        self._start, self._beat = start, beat

    def __enter__(self) -> Self:
        """Read both.

        Raises:
            ConfigurationError: the plan was changed since it was looked at.
            Unavailable: the catalogue cannot be reached.
        """
        self._spools: dict[Do, IO[bytes]] = {"delete": tempfile.TemporaryFile(), "notice": tempfile.TemporaryFile()}
        try:
            self._fill()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget them."""
        self._close()

    def of(self, do: Do) -> Iterator[Candidate]:
        """Those that something is to be done with, in order of customer, bucket and name; once at a time."""
        spool = self._spools[do]
        spool.seek(0)
        return map(Candidate.model_validate_json, spool)

    def _fill(self) -> None:
        cutoffs = self._cutoffs()
        rows = self._catalogue.due(cutoffs) if cutoffs else iter(())
        row, place, last = next(rows, None), _FIRST, _FIRST
        for index, line in self._wanted():
            self._beat()
            place, last = (line.tenant, line.bucket, line.name, line.generation), place
            if place <= last:
                raise self._changed()
            while row is not None and _place(row) < place:
                row = next(rows, None)
            found = row if row is not None and _place(row) == place else None
            candidate = Candidate.model_construct(index=index, line=line, row=found)
            self._spools[line.do].write(candidate.model_dump_json(by_alias=True).encode() + b"\n")

    def _wanted(self) -> Iterator[tuple[int, PlanLine]]:
        for index, line in enumerate(self._plan.lines()):
            if line.do == "notice" or index >= self._start:
                yield index, line
        if stamp_of(self._plan.path) != self._stamp:
            raise self._changed()

    def _cutoffs(self) -> list[Cutoff]:
        """For each customer and class the age of the youngest object that is asked for."""
        found: dict[tuple[str, str], Cutoff] = {}
        for _, line in self._wanted():
            key = (line.tenant, line.object_class)
            known = found.get(key)
            if known is None or known.until < line.created_at:
                found[key] = Cutoff(line.tenant, ObjectClass(line.object_class), line.created_at)
        return list(found.values())

    def _changed(self) -> ConfigurationError:
        message = f"The plan {printable(str(self._plan.path))} was changed while it was read.  Make a new one."
        return ConfigurationError(message)

    def _close(self) -> None:
        for spool in self._spools.values():
            spool.close()


def _place(row: CatalogueRow) -> _Place:
    return (row.tenant, row.bucket, row.name, row.generation)


def stamp_of(path: Path) -> Stamp:
    """What differs after any change of a plan's file, whatever its times are set to.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        message = f"Cannot read the plan {printable(str(path))}: {error.strerror}.  Check the path."
        raise ConfigurationError(message) from error
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
