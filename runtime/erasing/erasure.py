"""Requests to erase: what all belongs to a customer or an object, found wherever something is known of it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from earmark.audit import pseudonym
from earmark.domain import job_id, record_name
from earmark.errors import ConfigurationError, ObjectMissing
from earmark.ports import Clock
from earmark.rows import CatalogueRow
from retention.archiving import read_archived
from retention.holds import made_id
from retention.scope import Scope, checked_tenant
from retention.stores import ErasableStore, ErasureRequest, Place
from retention.tombstones import Tombstone, Tombstones, content_name, place_hash
from router.dead_letters.letters import Letters
from runtime.backend import ARCHIVE, RESULTS, TEMPORARY, UPLOADS, Backend
from runtime.experiments import make_registry
from workers.settle import read_record

_AUDIO: Final = (UPLOADS, ARCHIVE, TEMPORARY)


def tenant_request(tenant: str, clock: Clock) -> ErasureRequest:
    """Everything of a customer.

    Raises:
        ConfigurationError: there can be no customer of that name.
    """
    now = clock()
    return ErasureRequest(id=made_id(now), at=now, kind="tenant", tenant=checked_tenant(tenant))


@dataclass(slots=True)
class _Found:
    """What is known of some contents so far."""

    tenant: str
    contents: set[str] = field(default_factory=set)
    places: set[Place] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    pipelines: set[str] = field(default_factory=set)

    def add(self, row: CatalogueRow) -> None:
        self.places.add(Place(row.bucket, row.name))
        self.objects.add(row.row_id)
        self.contents.update(filter(None, [row.content_sha256]))
        self.jobs.update(filter(None, [row.job_id]))


class ContentRequests:
    """Makes requests about single contents.

    Somebody who asks for a recording to be erased means what is in it: every generation of the object, other objects of
    the customer with the same content, and all that was ever derived from it.
    """

    def __init__(self, backend: Backend, tombstones: Tombstones, *, pipeline: str, clock: Clock) -> None:
        """Take the stores; ``pipeline`` is the version that jobs are routed with now."""
        self._backend = backend
        self._tombstones = tombstones
        self._pipeline = pipeline
        self._clock = clock

    def of_object(self, scope: Scope) -> ErasureRequest:
        """All that belongs to an object.

        Raises:
            ConfigurationError: nothing is known of such an object.
            Unavailable: a store cannot be reached.
        """
        rows = [
            row for bucket in self._buckets(scope.bucket) for row in self._backend.catalogue.find(bucket, scope.name)
        ]
        found = _Found(rows[0].tenant if rows else _owner(scope))
        for row in rows:
            found.add(row)
        known = bool(rows)
        for bucket in self._buckets(scope.bucket):
            known |= self._look_at(Place(bucket, scope.name), rows, found)
        for tombstone in self._tombstones.at_place(scope.bucket, scope.name).values():
            known = True
            found.jobs.update(tombstone.jobs)
            found.objects.update(tombstone.objects)
        if not known:
            message = f"Nothing is known of an object {scope}, and nothing was erased there.  Check the address."
            raise ConfigurationError(message)
        found.places.add(Place(scope.bucket, scope.name))
        return self._request(found)

    def came_back(self, stores: Sequence[ErasableStore], tenants: Iterable[str]) -> Iterator[ErasureRequest]:
        """Contents that were erased and of which there is something again, as after a restore.

        Args:
            stores: all there are.
            tenants: customers of whom there is anything.
        """
        names = {pseudonym(tenant): tenant for tenant in tenants}
        for name, tombstone in self._tombstones.standing():
            tenant = names.get(tombstone.tenant)
            if tombstone.kind != "content" or tenant is None:
                continue
            found = _Found(tenant, jobs=set(tombstone.jobs), objects=set(tombstone.objects))
            for place in self._places(tenant, tombstone):
                sha256 = self._sha256(place)
                if sha256 is not None and content_name(tenant, sha256) == name:
                    found.contents.add(sha256)
                    found.places.add(place)
            request = self._request(found)
            if any(store.left(request) for store in stores):
                yield request

    def _request(self, found: _Found) -> ErasureRequest:
        """The request, once everything else was found that is derived from the contents."""
        for bucket in _AUDIO if found.contents else ():
            for row in self._backend.catalogue.scan(bucket, tenant=found.tenant):
                if row.content_sha256 in found.contents:
                    found.add(row)
        self._add_jobs(found)
        for identity in found.jobs:
            name = record_name(found.tenant, identity)
            found.objects.update(row.row_id for row in self._backend.catalogue.find(RESULTS, name))
        now = self._clock()
        return ErasureRequest(
            id=made_id(now),
            at=now,
            kind="content",
            tenant=found.tenant,
            contents=tuple(sorted(found.contents)),
            places=tuple(sorted(found.places)),
            objects=tuple(sorted(found.objects)),
            jobs=tuple(sorted(found.jobs)),
        )

    def _add_jobs(self, found: _Found) -> None:
        """Jobs of the contents: by their records and letters, in this pipeline, and in the shadows of experiments."""
        if not found.contents:
            return
        found.pipelines.add(self._pipeline)
        prefix = record_name(found.tenant, "").removesuffix(".json")
        with Letters(self._backend.state) as letters:
            identities = (
                info.name.removeprefix(prefix).removesuffix(".json") for info in self._backend.results.scan(prefix)
            )
            records = letters.side_by_side(
                lambda each: read_record(self._backend.results, found.tenant, each), identities
            )
            for record in records:
                if record is not None and record.analysis and record.analysis.content_sha256 in found.contents:
                    found.jobs.add(record.job_id)
                    found.pipelines.add(record.analysis.provenance.pipeline)
            for letter in letters.each():
                if letter.tenant == found.tenant and letter.job.upload.content_sha256 in found.contents:
                    found.jobs.add(letter.id)
                    found.pipelines.add(letter.job.pipeline)
        shadows = [
            f"+shadow-{trial.definition.name}-{trial.definition.version}-{arm.name}"
            for course in make_registry(self._backend, self._clock).all()
            for trial in course.trials
            for arm in trial.definition.arms
        ]
        found.jobs.update(
            job_id(found.tenant, content, f"{pipeline}{shadow}")
            for content in found.contents
            for pipeline in found.pipelines
            for shadow in ("", *shadows)
        )

    def _look_at(self, place: Place, rows: Sequence[CatalogueRow], found: _Found) -> bool:
        """Add what an object is that is there; whether it is."""
        store = self._backend.bucket(place.bucket)
        info = store.stat(place.name)
        if info is None:
            return False
        found.places.add(place)
        if place.bucket == RESULTS:
            record = read_record(store, found.tenant, place.name.rpartition("/")[2].removesuffix(".json"))
            if record is not None:
                found.jobs.add(record.job_id)
                found.contents.update([record.analysis.content_sha256] if record.analysis else [])
        elif not any(
            (row.bucket, row.generation) == (place.bucket, info.generation) and row.content_sha256 for row in rows
        ):
            found.contents.update(filter(None, [self._sha256(place)]))
        return True

    def _places(self, tenant: str, tombstone: Tombstone) -> Iterator[Place]:
        wanted = set(tombstone.places)
        for bucket in _AUDIO:
            for info in self._backend.bucket(bucket).scan(f"{tenant}/"):
                if place_hash(bucket, info.name) in wanted:
                    yield Place(bucket, info.name)

    def _sha256(self, place: Place) -> str | None:
        """The hash of the content as it came to us; None where there is none."""
        store, scratch = self._backend.bucket(place.bucket), self._backend.scratch
        scratch.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with suppress(ObjectMissing):
            archived = place.bucket == ARCHIVE
            for chunk in read_archived(store, place.name, scratch) if archived else store.read(place.name):
                digest.update(chunk)
            return digest.hexdigest()
        return None

    @staticmethod
    def _buckets(bucket: str) -> tuple[str, ...]:
        return (UPLOADS, ARCHIVE) if bucket == UPLOADS else (bucket,)


def _owner(scope: Scope) -> str:
    """Whose an object is, as its name tells."""
    rest = scope.name.removeprefix("analyses/") if scope.bucket == RESULTS else scope.name
    owner, slash, _ = rest.partition("/")
    return checked_tenant(owner if slash else "")
