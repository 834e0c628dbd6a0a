"""``Courses``: the durable store of experiments, one object each, changed only by comparing generations.

A small object beside them, the bell, is rewritten after every change: whoever looks again and again need only ask for
that one.
"""

import logging
import re
from typing import Final

from pydantic import ValidationError

from ab_testing import faults
from ab_testing.state import Course
from earmark.errors import ConfigurationError, EarmarkError, ObjectMissing, Unavailable
from earmark.log import event
from earmark.named_file import printable
from earmark.ports import ObjectInfo, ObjectStore

_log = logging.getLogger(__name__)

FOLDER: Final = "experiments/"
BELL: Final = f"{FOLDER}_changed.json"
"""No experiment can have its name."""
READS_MAX: Final = 8
"""Attempts to read what others change at the same time."""
COURSE_BYTES_MAX: Final = 16 * 1024 * 1024
_JSON: Final = "application/json"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_AFTER_ALL: Final = "\U0010ffff"


class Courses:
    """All experiments; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached.
    """

    def __init__(self, store: ObjectStore) -> None:
        """Take the state store."""
        self._store = store

    def read(self, name: str) -> tuple[Course | None, int]:
        """An experiment and its generation; ``None`` and 0 where there is none.

        Raises:
            ConfigurationError: what is stored under its name is no experiment.
        """
        for _ in range(READS_MAX):
            info = self._store.stat(name_of(name)) if _NAME.fullmatch(name) else None
            if info is None:
                return None, 0
            if info.size_bytes > COURSE_BYTES_MAX:
                raise ConfigurationError(_malformed(info.name, f"it has {info.size_bytes} bytes"))
            try:
                content = b"".join(self._store.read(info.name, generation=info.generation))
                course = Course.model_validate_json(content)
            except ObjectMissing:
                continue
            except ValidationError as error:
                raise ConfigurationError(_malformed(info.name, faults.told(error))) from error
            if course.name != name or not course.trials:
                raise ConfigurationError(_malformed(info.name, f"it is called {course.name}, or nothing was started"))
            return course, info.generation
        message = f"The experiment {name} keeps changing"
        raise Unavailable(message)

    def write(self, course: Course, generation: int) -> None:
        """Replace that generation of an experiment, and ring.

        Raises:
            PreconditionFailed: somebody else changed it meanwhile.
            ConfigurationError: it could not be read again; nothing was changed.
        """
        content = _content(course)
        self._store.write(name_of(course.name), content, content_type=_JSON, if_generation=generation)
        try:
            self._store.write(BELL, b"{}", content_type=_JSON)
        except EarmarkError as error:  # the change stands, and others find it when they look at everything
            event(_log, "experiment.not_rung", level=logging.WARNING, experiment=course.name, error=str(error))

    def bell(self) -> int:
        """A number that differs after every change."""
        info = self._store.stat(BELL)
        return 0 if info is None else info.generation

    def objects(self) -> list[ObjectInfo]:
        """The objects of experiments, passing over what lies in folders below, as counters do."""
        found: list[ObjectInfo] = []
        after: str | None = ""
        while after is not None:
            start, after = after, None
            for info in self._store.scan(FOLDER, start_after=start):
                head, slash, _ = info.name.removeprefix(FOLDER).partition("/")
                if slash:
                    after = f"{FOLDER}{head}/{_AFTER_ALL}"
                    break
                if info.name.endswith(".json") and info.name != BELL:
                    found.append(info)
        return found


def name_of(name: str) -> str:
    """Name in the state store of an experiment."""
    return f"{FOLDER}{name}.json"


def _content(course: Course) -> bytes:
    """The object as JSON that ``read`` takes."""
    try:
        content = course.model_dump_json().encode()
        fault = "" if Course.model_validate_json(content) == course else "it reads back as something else"
    except ValidationError as error:
        fault = faults.told(error)
    except ValueError as error:
        fault = printable(str(error))
    if not fault and len(content) > COURSE_BYTES_MAX:
        fault = f"with all its decisions it has {len(content)} bytes, and {COURSE_BYTES_MAX} are the most"
    if fault:
        message = f"{course.name} cannot be kept in the state store: {fault}.  Nothing was changed."
        raise ConfigurationError(message)
    return content


def _malformed(name: str, fault: str) -> str:
    return (
        f"The object {name} in the state store is no experiment: {printable(fault)}.  Routers and workers pass it "
        "over, as if it had ended.  Delete that object, or put right what it holds; on one machine it is a file in "
        "objects/state of the data folder.  After deleting it, start again with a version that it never had."
    )
