"""``Registry``: which experiments there are, for routers and workers that look often and for people who decide."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final, NamedTuple

from ab_testing import lifecycle
from ab_testing.courses import FOLDER, Courses, name_of
from ab_testing.decision_rows import decision_entry, decision_rows
from ab_testing.experiment import Experiment
from ab_testing.lifecycle import Say
from ab_testing.overlap import check_dealing, check_overlap
from ab_testing.state import Action, Course, Decision, Trial
from earmark.audit import Auditing, nothing_audited
from earmark.errors import ConfigurationError, EarmarkError, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectInfo, ObjectStore, Warehouse

_log = logging.getLogger(__name__)

FRESH_S: Final = 2.0
"""Seconds for which a view is taken for true."""
WHOLE_S: Final = 30.0
"""Seconds after which everything is looked at, bell or not: who changed something may have died before ringing."""
CHANGES_MAX: Final = 8
"""Attempts to change an experiment that others change at the same time."""
_VERBS: Final = {
    Action.START: "started",
    Action.RESUME: "resumed",
    Action.COVER: "covered",
    Action.PAUSE: "paused",
    Action.ROLL_BACK: "rolled_back",
    Action.COMPLETE: "completed",
}


class Change(NamedTuple):
    """What came of a decision."""

    course: Course
    changed: bool
    """False where it was so already."""


class _Seen(NamedTuple):
    generation: int
    course: Course | None
    """``None`` = what is stored there is no experiment."""
    fault: str = ""
    """Why it is none, and what to do."""


class Registry:
    """The experiments; safe to use from several threads and processes."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        *,
        warehouse: Warehouse | None = None,
        chain: Auditing = nothing_audited,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the state store, and the warehouse that decisions are told to; ``None`` = somebody else tells them.

        ``chain`` hears of a decision before it is in force, and writes no row of it.
        """
        self._chain = chain
        self._courses = Courses(store)
        self._clock = clock
        self._warehouse = warehouse
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._live: tuple[Trial, ...] = ()
        self._bell = 0
        self._looked_s = self._whole_s = float("-inf")
        self._known = self._down = False

    def live(self) -> tuple[Trial, ...]:
        """Versions that run or pause, in order of their start, as of at most two seconds ago.

        While the store is down the last view stands.

        Raises:
            Unavailable: the store could not be reached even once.
        """
        self._refresh()
        return self._live

    def find(self, name: str, version: int) -> Trial | None:
        """One version as of at most two seconds ago, ``None`` where there is none; see ``live``."""
        self._refresh()
        seen = self._seen.get(name_of(name))
        return None if seen is None or seen.course is None else seen.course.trial(version)

    def all(self) -> list[Course]:
        """All experiments, looked at now, by name; what is no experiment is left out, see ``malformed``.

        Raises:
            Unavailable: the store cannot be reached.
        """
        with self._lock:
            self._look(whole=True)
            return [seen.course for _, seen in sorted(self._seen.items()) if seen.course is not None]

    def malformed(self) -> list[str]:
        """Objects that should be experiments and are none, as of the last look: each in words, with what to do."""
        return [seen.fault for _, seen in sorted(self._seen.items()) if seen.fault]

    def course(self, name: str) -> Course:
        """One experiment, looked at now.

        Raises:
            ConfigurationError: there is none of that name, or what is stored there is none.
            Unavailable: the store cannot be reached.
        """
        course, _ = self._courses.read(name)
        if course is None:
            raise ConfigurationError(_unknown(name))
        return course

    def start(self, definition: Experiment, *, actor: str, reason: str = "") -> Change:
        """Begin, resume or cover anew; the same file twice is no change.

        Whatever the clock here says, what is begun now comes after all that runs already.

        Raises:
            ConfigurationError: says why it cannot be started.
        """
        check_dealing(definition)
        others = [course.latest for course in self.all() if course.name != definition.name and course.latest.live]

        def rule(course: Course | None) -> Course:
            at = max([self._clock(), *(trial.started_at + timedelta.resolution for trial in others)])
            after = lifecycle.start(course, definition, Say(actor, at, reason))
            if after is not course:
                check_overlap(definition, None if course is None else course.trial(definition.version), others)
            return after

        return self._change(definition.name, rule)

    def decide(
        self, name: str, action: Action, *, actor: str, reason: str, evidence: str = "", version: int | None = None
    ) -> Change:
        """Resume, pause, roll back or complete; of several who decide the same, the first one's reason stands.

        Args:
            name: of the experiment.
            action: what to do.
            actor: who does it.
            reason: why.
            evidence: what speaks for it, as JSON.
            version: that is meant; where it is no longer the latest one nothing changes.  ``None`` = the latest.

        Raises:
            ConfigurationError: there is no such experiment, or its state forbids it.
        """

        def rule(course: Course | None) -> Course:
            if course is None:
                raise ConfigurationError(_unknown(name))
            if version is not None and course.latest.definition.version != version:
                return course
            return lifecycle.change(course, action, Say(actor, self._clock(), reason, evidence))

        return self._change(name, rule)

    def tell(self) -> int:
        """Tell the warehouse the decisions that it has not, as after an outage; returns how many.

        Raises:
            Unavailable: the store or the warehouse cannot be reached.
        """
        self._refresh()
        return sum(self._tell(seen.course) for seen in list(self._seen.values()) if seen.course is not None)

    def _change(self, name: str, rule: Callable[[Course | None], Course]) -> Change:
        for _ in range(CHANGES_MAX):
            before, generation = self._courses.read(name)
            after = rule(before)
            changed = after is not before
            if changed:
                made = after.decisions[len(before.decisions) if before else 0 :]
                for decision in made:
                    decision_rows(after, decision)  # what cannot be told is not done
                self._chain([decision_entry(after, decision) for decision in made])
                try:
                    self._courses.write(after, generation)
                except PreconditionFailed:
                    continue
                self._looked_s = self._whole_s = float("-inf")
                for decision in made:
                    _log_decision(after, decision)
            try:
                self._tell(after)
            except EarmarkError as error:  # the change stands, and ``tell`` makes good for it
                event(_log, "experiment.not_told", level=logging.WARNING, experiment=name, error=str(error))
            return Change(after, changed)
        message = f"The experiment {name} keeps changing"
        raise Unavailable(message)

    def _tell(self, course: Course) -> int:
        untold = [decision for decision in course.decisions if decision.number > course.told]
        if self._warehouse is None or not untold:
            return 0
        self._warehouse.append([row for decision in untold for row in decision_rows(course, decision)])
        for _ in range(CHANGES_MAX):
            present, generation = self._courses.read(course.name)
            if present is None or present.told >= untold[-1].number:
                break
            with suppress(PreconditionFailed):
                self._courses.write(present.model_copy(update={"told": untold[-1].number}), generation)
                self._looked_s = self._whole_s = float("-inf")
                break
        return len(untold)

    def _refresh(self) -> None:
        if self._monotonic() - self._looked_s < FRESH_S:
            return
        with self._lock:
            if self._monotonic() - self._looked_s < FRESH_S:
                return
            try:
                self._look(whole=self._monotonic() - self._whole_s >= WHOLE_S)
            except EarmarkError as error:
                if not self._known:
                    raise
                if not self._down:
                    event(_log, "experiments.not_seen", level=logging.WARNING, error=str(error))
                self._down, self._looked_s = True, self._monotonic()

    def _look(self, *, whole: bool) -> None:
        """Look at the bell, and at everything if it rang or ``whole`` says so; all or nothing is taken over."""
        began_s, rung = self._monotonic(), self._courses.bell()
        if whole or rung != self._bell:
            self._seen = {info.name: self._read(info) for info in self._courses.objects()}
            trials = [
                trial for seen in self._seen.values() if seen.course for trial in seen.course.trials if trial.live
            ]
            self._live = tuple(sorted(trials, key=lambda trial: trial.order))
            self._bell, self._whole_s = rung, began_s
        if self._down:
            event(_log, "experiments.seen_again")
        self._known, self._down, self._looked_s = True, False, began_s

    def _read(self, info: ObjectInfo) -> _Seen:
        """What an object holds, read only when it has changed; told once where it is no experiment."""
        seen = self._seen.get(info.name)
        if seen is not None and seen.generation == info.generation:
            return seen
        try:
            course, generation = self._courses.read(info.name.removeprefix(FOLDER).removesuffix(".json"))
        except ConfigurationError as error:
            event(_log, "experiment.malformed", level=logging.ERROR, name=info.name, error=str(error))
            return _Seen(info.generation, None, str(error))
        return _Seen(generation or info.generation, course)


def _unknown(name: str) -> str:
    return f"There is no experiment {name!r}.  `earmark ab list` shows all there are."


def _log_decision(course: Course, decision: Decision) -> None:
    event(
        _log,
        f"experiment.{_VERBS[decision.action]}",
        experiment=course.name,
        version=decision.version,
        coverage=decision.coverage,
        actor=decision.actor,
        reason=decision.reason or None,
    )
