"""Makes objects of the catalogue, policies and what else the tests of retention need."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from earmark.audit import AuditEntry
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, ObjectState
from retention.catalogue import object_id
from retention.extensions import ExtensionsNow
from retention.holds import HoldsNow
from retention.policies import Version, first_version
from retention.policy import Policy, load_policy

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_row(name: str = "acme/song.wav", **fields: Any) -> CatalogueRow:
    """A live object, an upload of the customer that its name begins with unless told otherwise."""
    given = {
        "bucket": "uploads",
        "generation": 1,
        "tenant": name.partition("/")[0],
        "at": EPOCH,
        "object_class": ObjectClass.UPLOAD.value,
        "tier": "free",
        "region": None,
        "size_bytes": 1000,
        "content_type": "audio/wav",
        "content_sha256": None,
        "job_id": None,
        "created_at": EPOCH,
        "state": ObjectState.ACTIVE.value,
        "expires_at": None,
        "policy_version": None,
        "notice": None,
        "delete_after": None,
        **fields,
        "name": name,
    }
    row_id = object_id(given["bucket"], name, given["generation"])
    return CatalogueRow.model_validate({"row_id": row_id, **given})


def make_policy(changes: Mapping[str, Any] | None = None, **terms: str) -> Policy:
    """The policy that ships, with other terms: ``free="30 days"`` for uploads and results of a tier."""
    fields = {**load_policy().model_dump(mode="json"), **(changes or {})}
    fields["keep"] = {**fields["keep"], **{tier: {"upload": term, "result": term} for tier, term in terms.items()}}
    return Policy.model_validate_json(Policy.model_construct(**fields).model_dump_json(warnings=False))


def make_versions(first: Policy, *later: tuple[datetime, Policy]) -> list[Version]:
    """A first policy in force since ever, and others from a moment on."""
    return [first_version(first)] + [
        Version(number=number, effective_from=at, policy=policy, registered_at=EPOCH, actor="ada", reason="test")
        for number, (at, policy) in enumerate(later, 2)
    ]


def tier_as_it_came(tenant: str, tier: str) -> str:
    """The tier of customers of whom nothing is known."""
    return tier


NO_HOLDS = HoldsNow([])
NO_EXTENSIONS = ExtensionsNow([])


class Entries(list[AuditEntry]):
    """Takes what is written to the audit log; call it to add."""

    def __call__(self, entries: Any) -> None:
        """Add entries."""
        self.extend(entries)
