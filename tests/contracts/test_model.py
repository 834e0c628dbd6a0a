"""The contract of ``Model``, over every model in the catalogue that runs here."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from earmark.domain import Clip, Prediction, Technical
from earmark.metadata import AudioMetadata
from earmark.ports import Model
from earmark.settings import Settings
from earmark.vocabulary import Basis, ContentType
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.model_process import load
from workers.models.catalogue import MODELS, find_model
from workers.models.openai_compatible import OpenAICompatible

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
NAMES = ("piano-solo.wav", "speech-english-prompts.wav", "waterfall.m4a", "narration-over-music.ogg")


@pytest.fixture(scope="module", params=sorted(MODELS))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A loaded model of the catalogue: Qwen2-Audio on tiny weights, a provider over HTTP on this machine."""
    with OpenAIServer() as server:
        providers = tmp_path_factory.mktemp("providers") / "providers.toml"
        providers.write_text(f'[vllm]\nurl = "{server.url}"\n')
        settings = Settings(model_path=str(TINY_QWEN), model_provider="vllm", providers=providers)
        spec = find_model(request.param, settings)
        made = load(spec.factory, dict(spec.options))
        yield made
        if isinstance(made, OpenAICompatible):
            made.close()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Clip]]:
    """Real audio of several kinds and lengths, decoded."""
    with DecoderPool(2, DecodeLimits(), tmp_path_factory.mktemp("scratch")) as pool:
        yield [
            pool.decode(name, EXAMPLES / name, hashlib.sha256((EXAMPLES / name).read_bytes()).hexdigest())
            for name in NAMES
        ]


@pytest.fixture(scope="module")
def together(model: Model, clips: list[Clip]) -> list[Prediction | None]:
    """What a model says of all clips in one call, heard once for all tests, for words take long to hear."""
    return model.predict(clips)


def heard(model: Model, clips: list[Clip]) -> list[AudioMetadata | None]:
    """The metadata of each clip."""
    return metadata_of(model.predict(clips))


def metadata_of(answers: list[Prediction | None]) -> list[AudioMetadata | None]:
    """Answers without what was measured beside them."""
    return [None if answer is None else answer.metadata for answer in answers]


def made(folder: Path, samples: "np.ndarray[tuple[int], np.dtype[np.float32]]", *, silent: bool = False) -> Clip:
    """A clip of these samples."""
    path = folder / f"{len(samples)}.f32"
    samples.astype("<f4").tofile(path)
    technical = Technical(
        duration_s=len(samples) / 16000, sample_rate_hz=16000, channels=1, codec="x", container="x", size_bytes=1,
        silent=silent,
    )  # fmt: skip
    return Clip(path.name, path, len(samples), technical)


@pytest.mark.slow
def test_one_answer_per_clip_in_order_and_batched_equals_single(
    model: Model, clips: list[Clip], together: list[Prediction | None]
) -> None:
    """Any order, any company: the same answer for the same clip, of which each is heard alone or in another batch."""
    expected = metadata_of(together)
    assert [heard(model, [clip])[0] for clip in clips[:3]] == expected[:3]
    assert heard(model, clips[:1:-1]) == expected[:1:-1]


@pytest.mark.slow
def test_every_answer_keeps_the_schema_and_its_word(together: list[Prediction | None]) -> None:
    """Calibrated fields have a confidence, uncalibrated ones a score and none, and the prediction names those."""
    for answer in together:
        assert answer is not None
        metadata = AudioMetadata.model_validate_json(answer.metadata.model_dump_json())
        assert metadata == answer.metadata
        for field in type(metadata).model_fields:
            rated = getattr(metadata, field)
            for entry in rated if isinstance(rated, tuple) else (rated,):
                if entry.value is None:
                    assert entry.confidence is None
                elif entry.basis is Basis.UNCALIBRATED:
                    assert entry.confidence is None
                    assert entry.score is None or 0 <= entry.score <= 1
                    assert field in answer.uncalibrated
                else:
                    assert entry.confidence is not None
        assert answer.covered_s > 0


@pytest.mark.slow
def test_content_type_and_words_are_right(model: Model, together: list[Prediction | None]) -> None:
    """The examples are what their page says they are, to the model that is to be trusted on real audio."""
    if model.name != "listener":
        pytest.skip("it knows made-up sounds only")
    piano, prompts, waterfall, narration = metadata_of(together)
    assert piano is not None
    assert piano.content_type.value is ContentType.MUSIC
    assert piano.key.value == "G major"
    assert piano.tempo_bpm.value == pytest.approx(108, rel=0.04)
    assert prompts is not None
    assert prompts.content_type.value is ContentType.SPEECH
    assert "echo test" in (prompts.transcript.value or "").lower()
    assert prompts.language.value == "en"
    assert waterfall is not None
    assert waterfall.content_type.value is ContentType.SOUND
    assert narration is not None
    assert narration.content_type.value is ContentType.MIXED
    assert "dashwood" in (narration.transcript.value or "").lower()


@pytest.mark.slow
def test_odd_clips_have_answers_too(model: Model, tmp_path: Path) -> None:
    """One sample, DC, full-scale noise, a click, and silence, which is measured."""
    noise = np.random.default_rng(1).uniform(-1, 1, 16000).astype(np.float32)
    click = np.zeros(8000, np.float32)
    click[4000] = 1
    odd = [made(tmp_path, samples) for samples in (noise[:1], np.full(5000, 0.5, np.float32), noise, click)]
    silence = made(tmp_path, np.zeros(16001, np.float32), silent=True)
    *answers, last = heard(model, [*odd, silence])
    assert all(answer is not None and answer.content_type.value is not None for answer in answers)
    assert last is not None
    assert last.content_type.value is ContentType.SILENCE
    assert last.content_type.confidence == 1.0
