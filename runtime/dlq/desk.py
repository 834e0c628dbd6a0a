"""``Desk``: the parts that the commands of ``earmark dlq`` work with, and which letters their arguments mean."""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console

from earmark.actor import actor_name
from earmark.audit import AuditTrail
from earmark.clock import utc_now
from earmark.domain import Job
from earmark.errors import ConfigurationError
from earmark.ports import Clock
from earmark.settings import Settings
from retention.tombstones import Tombstones
from router.dead_letters.audit import Audit
from router.dead_letters.changes import Terms
from router.dead_letters.collector import Collector
from router.dead_letters.letter import State
from router.dead_letters.letters import Letters
from router.dead_letters.office import Office
from router.dead_letters.selection import Selection
from runtime.backend import Backend
from runtime.dlq.filters import Filters
from workers.settle import read_record

_ID = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts a command works with."""

    backend: Backend
    letters: Letters
    office: Office
    collector: Collector
    audit: Audit
    terms: Terms
    actor: str
    clock: Clock
    erased: Callable[[Job], bool]
    """Whether what a job is about was erased."""


def make_collector(settings: Settings, backend: Backend, letters: Letters, clock: Clock = utc_now) -> Collector:
    """What takes buried jobs into the store of letters; ``run_once`` now and then, in any number of processes."""
    return Collector(
        dead=backend.dead,
        letters=letters,
        audit=_audit(backend, clock),
        terms=_terms(settings),
        clock=clock,
        actor=actor_name(settings.actor),
        erased=Tombstones(backend.state, clock).dropped,
    )


@contextmanager
def open_desk(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Iterator[Desk]:
    """The parts, after all that was buried so far is collected."""
    audit, actor = _audit(backend, clock), actor_name(settings.actor)
    with Letters(backend.state) as letters:
        office = Office(
            letters=letters,
            audit=audit,
            find_record=lambda tenant, job: read_record(backend.results, tenant, job),
            clock=clock,
            actor=actor,
        )
        collector = make_collector(settings, backend, letters, clock)
        collector.collect_all()
        collector.expire()
        erased = Tombstones(backend.state, clock).dropped
        yield Desk(backend, letters, office, collector, audit, _terms(settings), actor, clock, erased)


def meant_ids(office: Office, filters: Filters, states: AbstractSet[State]) -> list[str]:
    """Ids of the letters that are meant.

    Raises:
        ConfigurationError: an id or a group is not there, or not the only one.
    """
    if filters.ids:
        return list(dict.fromkeys(find_id(office, job_id) for job_id in filters.ids))
    found = [(letter.id, letter.fingerprint) for letter in selection(filters, states).of(office.each())]
    groups = {fingerprint for _, fingerprint in found}
    if filters.group and not groups:
        message = f"There is no letter to take in a group {filters.group!r}.  `earmark dlq list` shows what there is."
        raise ConfigurationError(message)
    if filters.group and len(groups) > 1 and filters.group not in groups:
        message = f"Several groups begin with {filters.group!r}: {', '.join(sorted(groups)[:5])}.  Write more of it."
        raise ConfigurationError(message)
    return [job_id for job_id, _ in found]


def find_id(office: Office, prefix: str) -> str:
    """The id that begins so.

    Raises:
        ConfigurationError: none does, or several do.
    """
    wanted = prefix.lower()
    found = office.find(wanted) if _ID.fullmatch(wanted) else []
    if not found:
        raise ConfigurationError(unknown(prefix))
    if len(found) > 1:
        message = f"Several letters begin with {prefix!r}: {', '.join(found)} …  Write more of the id."
        raise ConfigurationError(message)
    return found[0]


def unknown(job_id: str) -> str:
    """What to tell who named a letter that there is not."""
    return f"There is no dead letter {job_id!r}.  `earmark dlq list --letters --state all` shows all there are."


def selection(filters: Filters, states: AbstractSet[State]) -> Selection:
    """The filters, with the states that a command is about unless others were named."""
    return Selection(
        states=states if filters.states is None else frozenset(State(state) for state in filters.states),
        group=filters.group,
        tenant=filters.tenant,
        kind=filters.kind,
        model=filters.model,
        since=filters.since,
        until=filters.until,
    )


def _audit(backend: Backend, clock: Clock) -> Audit:
    return Audit(backend.warehouse, AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state).intent)


def _terms(settings: Settings) -> Terms:
    return Terms(keep=timedelta(days=settings.dead_letter_days), replays_max=settings.dead_letter_replays)


def say(text: str) -> None:
    """Tell the person on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)
