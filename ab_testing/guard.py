"""``Guard``: takes a treatment that does harm out of service; it never puts one in.

Every worker has one.  ``step`` looks at the counters of all workers together, about every five seconds in one worker or
another; ``tried`` sees in this worker alone that an arm is broken outright.  Both roll the whole experiment back, with
the evidence, and the first to do so is the one that counts.
"""

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from ab_testing.comparison import compare as compare_arms
from ab_testing.counters import CounterReader
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment
from ab_testing.finding import Comparison
from ab_testing.hard_break import HardBreak
from ab_testing.registry import Registry
from ab_testing.state import Action, Trial
from earmark.errors import ConfigurationError, PreconditionFailed
from earmark.log import event
from earmark.ports import ObjectStore

_log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
"""Seconds between looks at an experiment, by all workers together."""
_JSON: Final = "application/json"
Key = tuple[str, int]


class _Reason(NamedTuple):
    sentence: str
    evidence: str


class Guard:
    """Rolls experiments back; safe to use from several threads."""

    def __init__(
        self,
        registry: Registry,
        store: ObjectStore,
        worker: str,
        *,
        compare: Callable[[Experiment, Evidence], Comparison] = compare_arms,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the registry, the state store and the name of this worker."""
        self._registry = registry
        self._store = store
        self._actor = f"guard of {worker}"
        self._counters = CounterReader(store)
        self._compare = compare
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._breaks: dict[Key, HardBreak] = {}
        self._pending: dict[Key, _Reason] = {}
        self._looks: dict[Key, tuple[int, float]] = {}
        """Generation of the mark that the last look left, and since when it has been seen here."""

    def tried(self, trial: Trial, arm: str, job_id: str, *, ok: bool) -> bool:
        """Note that an arm's model was asked about a job; True when that broke the arm.

        The rollback follows with the next ``step``, so that nobody who works waits for a store: call it soon.

        Args:
            trial: of which the arm is.
            arm: whose model was asked; tell of the control's too.
            job_id: of the job; a retry that fails again counts once.
            ok: whether the model answered.  Leave out what failed before or after, as a store that was down.
        """
        key = (trial.definition.name, trial.definition.version)
        with self._lock:
            watch = self._breaks.setdefault(key, HardBreak(trial.definition.control.name))
            found = watch.add(arm, job_id, ok=ok)
            if found is None or not trial.live or key in self._pending:
                return False
            evidence = json.dumps({"hard_break": _plain(asdict(found))})
            self._pending[key] = _Reason(f"Arm {arm} is broken: {found.sentence}.", evidence)
        event(_log, "arm.broke", level=logging.ERROR, experiment=key[0], version=key[1], arm=arm, why=found.sentence)
        return True

    def lost(self, trial: Trial, arm: str, why: str) -> bool:
        """Note that a worker cannot have the model of a treatment arm at all; True when that is news.

        Args:
            trial: of which the arm is.
            arm: whose model it is; the control's ends nothing, for nobody else could answer.
            why: in words for a person.
        """
        key = (trial.definition.name, trial.definition.version)
        with self._lock:
            if arm == trial.definition.control.name or not trial.live or key in self._pending:
                return False
            evidence = json.dumps({"model_lost": {"arm": arm, "why": why}})
            self._pending[key] = _Reason(f"Arm {arm} has no model: {why}", evidence)
        event(_log, "arm.lost", level=logging.ERROR, experiment=key[0], version=key[1], arm=arm, why=why)
        return True

    def step(self) -> int:
        """Roll back what must be; returns how many.

        Raises:
            Unavailable: a store cannot be reached; what is pending stays so.
        """
        live = {(trial.definition.name, trial.definition.version): trial for trial in self._registry.live()}
        with self._lock:
            for known in (self._breaks, self._looks):
                for key in [each for each in known if each not in live]:
                    del known[key]
            self._pending = {key: reason for key, reason in self._pending.items() if key in live}
            pending = dict(self._pending)
        self._counters.forget(set(live))
        rolled_back = sum(self._roll_back(key, reason) for key, reason in pending.items())
        for key, trial in live.items():
            if key not in pending and trial.definition.guardrails and self._my_turn(key):
                comparison = self._compare(trial.definition, self._counters.read(*key))
                if comparison.alarms:
                    rolled_back += self._roll_back(key, _reason(comparison))
        return rolled_back

    def _roll_back(self, key: Key, reason: _Reason) -> int:
        try:
            change = self._registry.decide(
                key[0],
                Action.ROLL_BACK,
                actor=self._actor,
                reason=reason.sentence,
                evidence=reason.evidence,
                version=key[1],
            )
        except ConfigurationError as error:  # somebody completed it, or its object is damaged
            event(_log, "experiment.not_rolled_back", level=logging.WARNING, experiment=key[0], error=str(error))
            change = None
        with self._lock:
            self._pending.pop(key, None)
        return int(change is not None and change.changed)

    def _my_turn(self, key: Key) -> bool:
        """Whether nobody has looked for a while, and nobody else is about to.

        A look leaves a mark whose generation changes with it; times are taken from this machine's clock alone.
        """
        name = f"experiments/{key[0]}/v{key[1]}/looked.json"
        info = self._store.stat(name)
        generation, now_s = 0 if info is None else info.generation, self._monotonic()
        seen, since_s = self._looks.get(key, (-1, now_s))
        if generation != seen and info is not None:
            self._looks[key] = (generation, now_s)
            return False
        if info is not None and now_s - since_s < EVERY_S:
            return False
        try:
            marked = self._store.write(name, b"{}", content_type=_JSON, if_generation=generation)
        except PreconditionFailed:
            return False
        self._looks[key] = (marked.generation, now_s)
        return True


def _reason(comparison: Comparison) -> _Reason:
    """The alarms in words for people, and as JSON with all that was found."""
    sentence = "  ".join(alarm.sentence for alarm in comparison.alarms)
    evidence = {
        "alarms": [_plain(asdict(alarm)) for alarm in comparison.alarms],
        "findings": [
            _plain(asdict(finding))
            for finding in comparison.findings
            if any((finding.metric, finding.arm) == (alarm.metric, alarm.arm) for alarm in comparison.alarms)
        ],
    }
    return _Reason(sentence, json.dumps(evidence))


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON can hold them: what is infinite or no number is text."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }
