"""A provider in this process that says what it is told to; ``tests/servers/openai.py`` is the one over HTTP."""

import threading
from collections.abc import Callable, Collection
from pathlib import Path

from earmark.domain import Clip, Prediction
from earmark.errors import TransientError
from earmark.metadata import AudioMetadata, Rated
from earmark.ports import Clock
from earmark.vocabulary import Basis, ContentType
from runtime.local.object_store import LocalObjectStore
from workers.breaker import Breaker
from workers.fallback import Fallback
from workers.reply import Reply
from workers.spend import Spend

USD = 0.01
WORDS = "hello world"


class ScriptedProvider:
    """Answers every field for a cent, or fails as told."""

    name = "scripted/second"

    def __init__(self) -> None:
        """Answer well."""
        self.asked: list[tuple[str, frozenset[str]]] = []
        self.error: Callable[[], TransientError] | None = None
        self.error_usd = 0.0
        """What is billed for a failure."""
        self.gate = threading.Event()
        self.gate.set()

    def close(self) -> None:
        """Nothing waits."""

    def estimate_usd(self, clip: Clip, fields: Collection[str]) -> float:
        """A cent."""
        return USD

    def ask(self, clip: Clip, fields: Collection[str]) -> Reply:
        """Speech of known words, once the gate is open."""
        self.asked.append((clip.job_id, frozenset(fields)))
        self.gate.wait(30)
        if self.error is not None:
            return Reply(None, self.error(), cost_usd=self.error_usd)
        kind = Rated(value=ContentType.SPEECH, score=0.9, basis=Basis.UNCALIBRATED)
        words = Rated(value=WORDS, score=0.9, basis=Basis.UNCALIBRATED)
        language = Rated(value="en", score=0.9, basis=Basis.UNCALIBRATED)
        said = {"content_type": kind, "transcript": words, "language": language}
        answer = AudioMetadata.model_validate({field: said[field] for field in fields if field in said})
        return Reply(Prediction(answer, covered_s=clip.duration_s, cost_usd=USD), cost_usd=USD)


def fallback(
    folder: Path, provider: ScriptedProvider, clock: Clock, *, day_usd: float = 1.0, regions: Collection[str] = ()
) -> Fallback:
    """The provider behind its guards."""
    store = LocalObjectStore(folder / "objects", "state")
    return Fallback(
        provider=provider,
        breaker=Breaker(provider.name),
        spend=Spend(store, day_usd=day_usd, tenant_usd=lambda _: day_usd, clock=clock),
        regions=frozenset(regions),
        concurrency=2,
        version="1.scripted",
        calibrate=lambda prediction: prediction,
    )
