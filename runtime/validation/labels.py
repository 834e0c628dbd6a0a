"""``LabelledAnswers``: labels that confidences are judged by; recordings among them are played to the model."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from earmark.settings import Settings
from runtime.calibration.gathering import Gathered, gather_file, say
from runtime.calibration.labelled import read_labelled
from runtime.calibration.listening import BatchLimits, Predict, listen
from workers.calibration import Calibration, Identity
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.model_process import ModelProcess
from workers.models.catalogue import ModelSpec
from workers.validation.confidence import confidence_findings
from workers.validation.figures import Finding


class LabelledAnswers:
    """Labelled answers, or labelled recordings that are still to be played to the model."""

    def __init__(self, settings: Settings, spec: ModelSpec, path: Path) -> None:
        """Read them, so that what is wrong with them is known before the model is loaded."""
        self._settings = settings
        self._path = path
        self._identity = Identity(spec.name, spec.version, spec.engine, spec.prompt_version)
        self._to_hear = bool(read_labelled(path).truths)
        self._gathered = None if self._to_hear else self._gather(_nothing)

    def findings(self, process: ModelProcess, fitted: Calibration | None) -> Iterator[Finding]:
        """Play what is to be played, and judge the confidences."""
        gathered = self._gathered or self._gather(lambda: self._listening(process))
        if gathered.skipped:
            say(f"{gathered.skipped} rows of labels are not used")
        yield from confidence_findings(gathered.labels, fitted, labels_sha256=gathered.label_set.sha256)

    def _gather(self, listening: Callable[[], AbstractContextManager[Predict]]) -> Gathered:
        return gather_file(self._path, asked=Identity(""), spec=self._identity, listening=listening)

    @contextmanager
    def _listening(self, process: ModelProcess) -> Iterator[Predict]:
        settings = self._settings
        batches = BatchLimits(settings.batch_jobs, settings.batch_audio_s, settings.predict_timeout_s)
        with DecoderPool(settings.decoders, decode_limits(settings), Path(settings.data) / "scratch") as pool:
            yield lambda paths: listen(paths, pool=pool, decoders=settings.decoders, model=process, limits=batches)


def decode_limits(settings: Settings) -> DecodeLimits:
    """What a worker lets a file take."""
    return DecodeLimits(
        max_input_bytes=settings.max_input_bytes,
        max_duration_s=settings.max_duration_s,
        wall_s=settings.decode_timeout_s,
    )


def _nothing() -> AbstractContextManager[Predict]:
    """Judged answers are not played to anybody."""
    raise NotImplementedError
