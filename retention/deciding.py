"""``Decider``: the outcomes of one batch.

Some are known from before a crash, some follow from the rules, and the rest come of deleting the objects.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from retention.candidates import Candidate
from retention.catalogue import Catalogue
from retention.deleting import Ending, Looker, end_all
from retention.outcomes import OF_HINDRANCE, Outcome, Result
from retention.outlook import Outlook
from retention.standing import Hindrance


class Decider:
    """Looks at every object of a batch again, and has those deleted that are to go."""

    def __init__(self, catalogue: Catalogue, looker: Looker) -> None:
        """Take the catalogue, and what looks whether objects are there."""
        self._catalogue, self._looker = catalogue, looker

    def found(self, batch: Sequence[Candidate], begun: int, beat: Callable[[], None]) -> list[Candidate]:
        """The batch, with rows also of objects that an earlier attempt deleted and wrote down as such.

        Args:
            batch: the objects.
            begun: lines before this one an earlier attempt may have deleted.
            beat: called now and then meanwhile.
        """
        found = []
        for each in batch:
            beat()
            found.append(self._found(each) if each.row is None and each.index < begun else each)
        return found

    def decide(
        self,
        batch: Sequence[Candidate],
        outlook: Outlook,
        ending: Ending,
        pool: ThreadPoolExecutor,
        *,
        begun: int = 0,
        decided: Mapping[str, str] | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> dict[str, Outcome]:
        """Bring a batch to its end.

        Args:
            batch: the objects.
            outlook: all that decides, read after the batch before ended.
            ending: deletes, or looks what that would come to.
            pool: whose threads do it.
            begun: lines before this one an earlier attempt may have deleted.
            decided: outcomes of an earlier attempt, which stand.
            beat: called now and then meanwhile.

        Returns:
            An outcome for each object, by id.

        Raises:
            Unavailable: the store could not be reached for a single one.
        """
        outcomes = {key: Outcome(each) for key, each in (decided or {}).items()}
        due: list[Candidate] = []
        for each in batch:
            if each.line.id in outcomes:
                continue
            standing = None if each.row is None else outlook.of(each.row)
            if standing is None:
                outcomes[each.line.id] = Outcome.CHANGED
            elif standing.hindrance is None:
                due.append(each)
            elif standing.hindrance is Hindrance.GONE:
                outcomes[each.line.id] = Outcome.CHANGED
            else:
                # What came to keep it may have come too late: an earlier attempt may have deleted it before.
                gone = self._gone(each) if each.index < begun else None
                outcomes[each.line.id] = gone or OF_HINDRANCE[standing.hindrance]
        if due:
            perhaps = frozenset(each.line.id for each in due if each.index < begun)
            outcomes |= end_all(due, ending, pool, perhaps_gone=lambda each: each.line.id in perhaps, beat=beat)
        return outcomes

    def gone(self, batch: Sequence[Candidate], decided: Mapping[str, str]) -> dict[str, Outcome]:
        """Outcomes of those that an earlier attempt brought to an end; nothing is deleted.

        Raises:
            Unavailable: a store cannot be reached.
        """
        outcomes = {key: Outcome(each) for key, each in decided.items()}
        for each in batch:
            outcome = outcomes.get(each.line.id) or self._gone(each)
            if outcome is not None:
                outcomes[each.line.id] = outcome
        return outcomes

    @staticmethod
    def results(batch: Sequence[Candidate], outcomes: Mapping[str, Outcome], outlook: Outlook) -> list[Result]:
        """Outcomes with what is written down beside them."""
        found = []
        for each in batch:
            standing = None if each.row is None else outlook.of(each.row)
            found.append(
                Result(
                    candidate=each,
                    outcome=outcomes[each.line.id],
                    expires_at=each.line.expires_at if standing is None else standing.expires_at,
                    policy_version=each.line.policy_version if standing is None else standing.policy_version,
                    notice=None if each.row is None else outlook.notice_of(each.row),
                )
            )
        return found

    def _gone(self, candidate: Candidate) -> Outcome | None:
        """What an earlier attempt came to; ``None`` = the object is still there."""
        match self._looker.hindrance(candidate):
            case Outcome.MISSING:
                return Outcome.DELETED
            case Outcome.CHANGED:
                return Outcome.CHANGED
        return None

    def _found(self, candidate: Candidate) -> Candidate:
        line = candidate.line
        rows = self._catalogue.find(line.bucket, line.name)
        row = next((each for each in rows if each.generation == line.generation), None)
        return candidate.model_copy(update={"row": row})
