"""``Needs``: what a process of each role has to reach, so that ``earmark doctor`` asks for that and for nothing more.

``infra/terraform/modules/region/access.tf`` grants each role these queues and buckets; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.backend import ARCHIVE, RESULTS, TEMPORARY, UPLOADS

QUEUES: Final = ("high", "low", "dead")
_ALL: Final = (UPLOADS, RESULTS, TEMPORARY, ARCHIVE, "state", "audit")


@dataclass(frozen=True, slots=True)
class Needs:
    """What one role needs beside a folder, the settings and the warehouse."""

    queues: tuple[str, ...] = QUEUES
    """Whose depth it can ask."""
    buckets: tuple[str, ...] = _ALL
    """Short names of those it looks into."""
    names_jobs: bool = False
    """Whether it must know which pipeline answers, without being able to run it."""
    hears: bool = False
    """Whether it decodes, runs the model and asks the fallback."""


NEEDS: Final[Mapping[str, Needs]] = {
    "": Needs(names_jobs=True, hears=True),
    "api": Needs(names_jobs=True),
    "router": Needs(buckets=(UPLOADS, RESULTS, TEMPORARY, "state", "audit"), names_jobs=True),
    "worker": Needs(names_jobs=True, hears=True),
    "controller": Needs(buckets=("state",)),
    "retention": Needs(queues=()),
    "operator": Needs(),
}
"""By the setting ``role``; the empty one is a machine that does everything."""
