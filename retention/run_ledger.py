"""``RunLedger``: how far each plan was carried out, by whom, in ``retention/runs/PLAN.json`` of the state store.

A run is a lease: who holds it says again and again that it is alive, and every change of it fails once somebody else
has taken it over.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, ValidationError

from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from retention.folder import Folder

FOLDER: Final = "retention/runs/"
WORKING: Final = "retention/working.json"
"""Which plan is being carried out: one at a time, or customers would be told twice."""
ALIVE: Final = timedelta(seconds=60)
"""After its last sign of life a run of another machine may be taken over."""
LOOK_S: Final = 0.2
"""Between looks at runs that are waited for."""
SEEN_ROUNDS: Final = 1
"""A round is counted before it looks at the holds, and after all deletions of the one before it have ended."""


class Run(Frozen):
    """One plan being carried out."""

    plan: str
    holder: str
    """Name of the process."""
    state: Literal["notifying", "deleting", "stopped", "interrupted", "done"]
    started_at: AwareDatetime
    beat_at: AwareDatetime
    """Last sign of life."""
    actor: str
    reason: str
    approved: bool
    rounds: NonNegativeInt = 0
    """Times that holds and extensions were about to be read."""
    looked_at: AwareDatetime | None = None
    """When, last."""
    cursor: NonNegativeInt = 0
    """Lines of the plan whose deletion needs no more thought."""
    begun_until: NonNegativeInt = 0
    """Lines before this one may have been deleted already, though nobody wrote it down."""
    decided: dict[str, str] = Field(default_factory=dict)
    """Outcomes of lines from the cursor on, by object, that are known and may not be in the warehouse yet."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Outcomes of lines before the cursor."""
    deleted_bytes: NonNegativeInt = 0

    @property
    def active(self) -> bool:
        """Whether somebody should be at work on it."""
        return self.state in {"notifying", "deleting"}


class Turn(Frozen):
    """Whose turn it is to carry out a plan."""

    plan: str
    holder: str
    at: AwareDatetime


class RunLease:
    """The right to carry out a plan, until somebody else takes it over."""

    def __init__(self, store: ObjectStore, clock: Clock, run: Run, *, if_generation: int) -> None:
        """Write the run down in place of that generation, 0 = of none.

        Raises:
            PreconditionFailed: somebody else was first.
            Unavailable: the store cannot be reached.
        """
        self._store, self._clock = store, clock
        self._run, self._generation = run, if_generation
        self._write(run)

    @property
    def run(self) -> Run:
        """As it was written last."""
        return self._run

    def update(self, **changes: Any) -> None:
        """Write changes down, which is a sign of life too.

        Raises:
            PreconditionFailed: somebody else has taken over; nothing more may be done.
            Unavailable: the store cannot be reached.
        """
        self._write(self._run.model_copy(update={**changes, "beat_at": self._clock()}))

    def beat(self) -> None:
        """Give a sign of life where the last one is a third of ``ALIVE`` ago."""
        if self._clock() - self._run.beat_at >= ALIVE / 3:
            self.update()

    def _write(self, run: Run) -> None:
        name, content = f"{FOLDER}{run.plan}.json", run.model_dump_json(indent=1).encode()
        info = self._store.write(name, content, content_type="application/json", if_generation=self._generation)
        self._run, self._generation = run, info.generation


class RunLedger:
    """All runs; methods raise ``Unavailable`` when the store cannot be reached."""

    def __init__(self, store: ObjectStore, clock: Clock, *, own_name: str, is_dead: Callable[[str], bool]) -> None:
        """Take the state store and the time.

        Args:
            store: where runs are written down.
            clock: gives the time.
            own_name: of this process, which no other has.
            is_dead: whether the process of a name is certainly gone.
        """
        self._store, self._folder = store, Folder(store, FOLDER, Run, "run")
        self._clock, self._own_name, self._is_dead = clock, own_name, is_dead

    def find(self, plan: str) -> Run | None:
        """How far a plan was carried out; ``None`` = nobody began."""
        found = self._folder.find(plan)
        return None if found is None else found[0]

    def all(self) -> list[Run]:
        """Every run, in order of plans."""
        return self._folder.all()

    def take(self, plan: str, *, actor: str, reason: str, approved: bool) -> RunLease:
        """Begin to carry out a plan, or go on where another process ended.

        One plan at a time; ``give_back`` lets the next one begin.

        Raises:
            ConfigurationError: somebody else is at it or at another one, or was first.
        """
        now, found = self._clock(), self._folder.find(plan)
        if found is None:
            run, generation = None, 0
        else:
            run, generation = found
            if self._is_live(run):
                raise ConfigurationError(_taken(run))
        self._take_turn(plan)
        who: dict[str, Any] = {
            "holder": self._own_name,
            "state": "notifying",
            "beat_at": now,
            "actor": actor,
            "reason": reason,
            "approved": approved,
        }
        run = Run(plan=plan, started_at=now, **who) if run is None else run.model_copy(update=who)
        try:
            return RunLease(self._store, self._clock, run, if_generation=generation)
        except PreconditionFailed:
            message = f"Somebody else began to carry out the plan {plan} at this moment.  Look at it with a new one."
            raise ConfigurationError(message) from None

    def give_back(self, plan: str) -> None:
        """Let another plan begin; nothing happens where somebody else has taken over."""
        found = self._turn()
        if found is not None and (found[0].plan, found[0].holder) == (plan, self._own_name):
            with suppress(PreconditionFailed):
                self._store.delete(WORKING, if_generation=found[1])

    def _take_turn(self, plan: str) -> None:
        found, now = self._turn(), self._clock()
        if found is not None and found[0].plan != plan:
            turn, run = found[0], self.find(found[0].plan)
            fresh = now - turn.at < ALIVE and (run is None or run.active)
            if not self._is_dead(turn.holder) and (fresh or (run is not None and self._is_live(run))):
                message = (
                    f"The plan {turn.plan} is being carried out by the process {turn.holder}, and one is at a time.  "
                    f"Wait for it; a dead one is taken over {ALIVE.total_seconds():.0f} seconds after its last sign."
                )
                raise ConfigurationError(message)
        turn = Turn(plan=plan, holder=self._own_name, at=now)
        try:
            self._store.write(
                WORKING,
                turn.model_dump_json().encode(),
                content_type="application/json",
                if_generation=0 if found is None else found[1],
            )
        except PreconditionFailed:
            message = f"Somebody else began to carry out a plan at this moment.  Wait for it, then run {plan} again."
            raise ConfigurationError(message) from None

    def _turn(self) -> tuple[Turn, int] | None:
        """Whose turn it is, and the generation that says so; one that cannot be read is nobody's."""
        info = self._store.stat(WORKING)
        if info is None:
            return None
        try:
            content = b"".join(self._store.read(WORKING, generation=info.generation))
            return Turn.model_validate_json(content), info.generation
        except ObjectMissing:
            return None
        except ValidationError:
            return Turn(plan="", holder="", at=datetime.min.replace(tzinfo=UTC)), info.generation

    def wait_until_seen(
        self,
        *,
        most_s: float = 120.0,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> list[str]:
        """Wait until no run deletes by holds and extensions that it read before now.

        Clocks of several machines may differ, so rounds are counted and no times compared.

        Args:
            most_s: seconds to wait at most.
            monotonic: seconds of a clock that never goes back.
            pause: sleeps so many seconds.

        Returns:
            The plans of runs that had not looked again by then; empty where all have.
        """
        waited = {run.plan: run.rounds for run in self.all() if self._deletes(run)}
        deadline = monotonic() + most_s
        while waited:
            runs = {run.plan: run for run in self.all()}
            waited = {
                plan: rounds
                for plan, rounds in waited.items()
                if plan in runs and self._deletes(runs[plan]) and runs[plan].rounds < rounds + SEEN_ROUNDS
            }
            if waited and monotonic() >= deadline:
                break
            if waited:
                pause(LOOK_S)
        return sorted(waited)

    def _deletes(self, run: Run) -> bool:
        return run.state == "deleting" and self._is_live(run)

    def _is_live(self, run: Run) -> bool:
        return run.active and not self._is_dead(run.holder) and self._clock() - run.beat_at < ALIVE


def _taken(run: Run) -> str:
    return (
        f"The plan {run.plan} is being carried out by {run.actor}, whose process {run.holder} gave a sign of life at "
        f"{run.beat_at:%H:%M:%S} UTC.  Wait for it; a dead one can be taken over {ALIVE.total_seconds():.0f} seconds "
        "after its last sign."
    )
