"""``Plan``: a file of JSON lines that says what is to be deleted and of what customers are to be told; never changed.

::

    {"plan":1,"made_at":…,"as_of":…,"policy_version":1,"backend":"local"}
    {"do":"delete","id":…,"bucket":"uploads","name":…,"generation":…,"tenant":…,"class":"upload",…}
    {"do":"notice",…}
    {"lines":2,"tallies":[…],"tenants":[…],"kept":{…},"exceeded":[…],"digest":…}

The digest is the SHA-256 of every byte before its own key.  Lines are in order of customer, bucket, name, generation.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, BinaryIO, Final, Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.named_file import printable
from retention.limits import Excess

LINE_BYTES_MAX: Final = 64 * 1024
"""A name has 1024 bytes at most, which JSON can make six times as long."""
_END: Final = re.compile(rb',"digest":"([0-9a-f]{64})"\}\n')
_END_BYTES: Final = len(',"digest":""}\n') + 64

Do = Literal["delete", "notice"]


class Header(Frozen):
    """The first line."""

    plan: Literal[1] = 1
    """Version of the format."""
    made_at: AwareDatetime
    as_of: AwareDatetime
    """The moment that it judges by."""
    policy_version: PositiveInt
    """In force at that moment."""
    backend: str
    """Where the objects are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """One object."""

    do: Do
    id: str
    """``object_id`` of bucket, name and generation."""
    bucket: str
    name: str
    generation: int
    tenant: str
    object_class: Annotated[str, Field(alias="class")]
    size_bytes: NonNegativeInt
    created_at: AwareDatetime
    expires_at: AwareDatetime
    """By policy and extension."""
    delete_after: AwareDatetime | None
    """Promised by the good notice; of a notice to be sent: what it will promise at the earliest."""
    notice: str | None
    """Id of the good notice, or of the one to be sent; ``None`` = it needs none."""
    reason: str
    """``expired``, or why a notice is due: a ``NoticeFault``, or ``earlier``."""
    policy_version: PositiveInt
    """That ends it."""


_LINE: Final = TypeAdapter(PlanLine)


class Tally(Frozen):
    """What is done with the objects of one class."""

    do: Do
    object_class: str
    objects: NonNegativeInt
    size_bytes: NonNegativeInt


class TenantTally(Frozen):
    """What is done with the objects of one customer."""

    tenant: str
    deletions: NonNegativeInt
    notices: NonNegativeInt
    size_bytes: NonNegativeInt
    """Of what is deleted."""
    live: NonNegativeInt
    """Objects that it has, temporary ones not counted."""


class Summary(Frozen):
    """The last line, without the digest."""

    lines: NonNegativeInt
    """Of objects."""
    tallies: tuple[Tally, ...]
    tenants: tuple[TenantTally, ...]
    """Those who lose most."""
    kept: dict[str, int]
    """Objects whose term has ended and that stay, by reason: a ``Hindrance``; and ``suspended``, those that nobody is
    told of because a notice to their customer bounced."""
    exceeded: tuple[Excess, ...]
    """Limits that it is over; of customers the worst."""
    exceeded_tenants: NonNegativeInt
    """Customers who lose more than their share."""

    def count(self, do: Do) -> int:
        """Objects that something is done with."""
        return sum(tally.objects for tally in self.tallies if tally.do == do)

    def size_bytes(self, do: Do) -> int:
        """Bytes of the objects that something is done with."""
        return sum(tally.size_bytes for tally in self.tallies if tally.do == do)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan whose file is as it was written."""

    path: Path
    id: str
    """Its moment and the beginning of its digest, as ``20260131T020000Z-1a2b3c4d``."""
    header: Header
    summary: Summary
    digest: str

    def lines(self, start: int = 0) -> Iterator[PlanLine]:
        """The objects, from the one numbered ``start``, counted from 0.

        Raises:
            ConfigurationError: the file was changed since it was opened.
        """
        with self.path.open("rb") as file:
            for number, raw in enumerate(_raw_lines(file, self.path), -1):
                if number == self.summary.lines:
                    return
                if number >= start:
                    try:
                        yield _LINE.validate_json(raw)
                    except ValidationError as error:
                        raise ConfigurationError(_altered(self.path, f"line {number + 2} is no object")) from error
        raise ConfigurationError(_altered(self.path, "lines are missing"))


class PlanWriter:
    """Writes a plan, aside until it is whole.

    Used with ``with``: what was begun and not finished leaves nothing behind.
    """

    def __init__(self, out: Path, header: Header) -> None:
        """Begin.

        Args:
            out: file that the plan becomes; a folder that exists gets ``ID.jsonl``.
            header: the first line.
        """
        self._out, self._header = out, header
        self._folder = out if out.is_dir() else out.parent
        self._part = self._folder / f".{os.getpid()}-{id(self)}.plan.part"
        self._digest = hashlib.sha256()
        self._lines = 0

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            ConfigurationError: it cannot be written there.
        """
        if self._out.exists() and not (self._out.is_dir() or self._out.is_file()):
            raise ConfigurationError(_unwritable(self._out, "it exists and is no regular file"))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # For the owner alone: a plan holds names of customers' files.
            descriptor = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError as error:
            raise ConfigurationError(_unwritable(self._out, error.strerror or str(error))) from error
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=1 << 20)
        self._write(self._header.model_dump_json().encode() + b"\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; remove it where it was not finished."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, line: PlanLine) -> None:
        """Write one object."""
        self._write(_LINE.dump_json(line, by_alias=True) + b"\n")
        self._lines += 1

    def finish(self, summary: Summary) -> Plan:
        """Write the last line and put the file in its place.

        Raises:
            ConfigurationError: it cannot be written there.
        """
        self._write(summary.model_dump_json().encode()[:-1])
        digest = self._digest.hexdigest()
        plan_id = _plan_id(self._header.as_of, digest)
        target = self._out / f"{plan_id}.jsonl" if self._out.is_dir() else self._out
        try:
            self._file.write(f',"digest":"{digest}"}}\n'.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(target)
        except OSError as error:
            raise ConfigurationError(_unwritable(target, error.strerror or str(error))) from error
        return Plan(target, plan_id, self._header, summary, digest)

    def _write(self, content: bytes) -> None:
        self._digest.update(content)
        try:
            self._file.write(content)
        except OSError as error:
            raise ConfigurationError(_unwritable(self._out, error.strerror or str(error))) from error


def open_plan(path: Path) -> Plan:
    """A plan from its file, every byte of which is looked at.

    Raises:
        ConfigurationError: it cannot be read, is no plan or was changed.
    """
    digest, count, first, last = hashlib.sha256(), 0, b"", b""
    try:
        with path.open("rb") as file:
            for raw in _raw_lines(file, path):
                digest.update(last)
                first, last, count = first or raw, raw, count + 1
    except OSError as error:
        message = f"Cannot read the plan {printable(str(path))}: {error.strerror}.  Check the path."
        raise ConfigurationError(message) from error
    end = _END.fullmatch(last[-_END_BYTES:])
    try:
        header = Header.model_validate_json(first)
        if end is None:
            raise ConfigurationError(_altered(path, "its end is missing"))
        body = last[:-_END_BYTES]
        summary = Summary.model_validate_json(body + b"}")
    except ValidationError as error:
        raise ConfigurationError(_altered(path, "its first or last line is none of a plan")) from error
    digest.update(body)
    found = digest.hexdigest()
    if found != end[1].decode() or summary.lines != count - 2:
        raise ConfigurationError(_altered(path, "its digest does not fit what it holds"))
    return Plan(path, _plan_id(header.as_of, found), header, summary, found)


def _raw_lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while raw := file.readline(LINE_BYTES_MAX):
        if not raw.endswith(b"\n"):
            raise ConfigurationError(_altered(path, "it has a line without an end"))
        yield raw


def _plan_id(as_of: datetime, digest: str) -> str:
    return f"{as_of.astimezone(UTC):%Y%m%dT%H%M%S}Z-{digest[:8]}"


def _altered(path: Path, fault: str) -> str:
    return (
        f"{printable(str(path))} is not the plan that was made: {fault}.  Nothing was done with it.  Make a new one "
        "with `earmark retention plan`."
    )


def _unwritable(path: Path, fault: str) -> str:
    return f"Cannot write the plan {printable(str(path))}: {fault}.  Choose another --out."
