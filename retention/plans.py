"""``Plans``: which plans were made, so that one that somebody wrote or changed by hand is not taken for one of them."""

from typing import Final

from pydantic import AwareDatetime, NonNegativeInt, PositiveInt

from earmark.errors import ConfigurationError, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import ObjectStore
from retention.folder import Folder
from retention.plan import Plan

FOLDER: Final = "retention/plans/"


class PlanRecord(Frozen):
    """What is remembered of a plan; no names of files."""

    id: str
    digest: str
    made_at: AwareDatetime
    as_of: AwareDatetime
    policy_version: PositiveInt
    backend: str
    deletions: NonNegativeInt
    deletion_bytes: NonNegativeInt
    notices: NonNegativeInt
    exceeded: tuple[str, ...]
    """Limits that it is over, in words."""


class Plans:
    """The plans that were made; all methods raise ``Unavailable`` when the store cannot be reached."""

    def __init__(self, store: ObjectStore) -> None:
        """Take the state store."""
        self._folder = Folder(store, FOLDER, PlanRecord, "record of a plan")

    def register(self, plan: Plan) -> PlanRecord:
        """Remember a plan that was made just now; one that is known already is not written again."""
        record = PlanRecord(
            id=plan.id,
            digest=plan.digest,
            made_at=plan.header.made_at,
            as_of=plan.header.as_of,
            policy_version=plan.header.policy_version,
            backend=plan.header.backend,
            deletions=plan.summary.count("delete"),
            deletion_bytes=plan.summary.size_bytes("delete"),
            notices=plan.summary.count("notice"),
            exceeded=tuple(map(str, plan.summary.exceeded)),
        )
        try:
            self._folder.write(plan.id, record, if_generation=0)
        except PreconditionFailed:
            return self.demand(plan)
        return record

    def demand(self, plan: Plan) -> PlanRecord:
        """The record of a plan.

        Raises:
            ConfigurationError: it was not made here, or was changed since.
        """
        found = self._folder.find(plan.id)
        if found is None or found[0].digest != plan.digest:
            message = (
                f"No plan {plan.id} was made here: {plan.path} was made elsewhere, or changed by hand.  Nothing was "
                "done with it.  Make a new one with `earmark retention plan`."
            )
            raise ConfigurationError(message)
        return found[0]

    def all(self) -> list[PlanRecord]:
        """Every plan that was made, in order of its moment."""
        return self._folder.all()
