"""The adapter for providers, over real HTTP against a server that hears the audio it is sent, and that fails on cue."""

import contextlib
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark import log
from earmark.domain import Clip, Technical
from earmark.errors import (
    ConfigurationError,
    ModelUnavailable,
    NoAnswer,
    QuotaExhausted,
    RateLimited,
    Throttled,
    TimedOut,
    TransientError,
    Unavailable,
)
from earmark.log import event
from earmark.vocabulary import Basis, ContentType
from tests.servers import faults
from tests.servers.ears import noise, tone, voice
from tests.servers.faults import Fault
from tests.servers.openai import OpenAIServer
from workers.breaker import Breaker
from workers.model_process import ModelProcess
from workers.models.answer import FIELDS
from workers.models.openai_compatible import OpenAICompatible, load, version_of
from workers.models.provider import Prices, Provider, load_providers
from workers.reply import Reply

KEY = "sk-SENTINEL-9f8e7d6c5b4a"
MUSIC = ("content_type", "genres", "tempo_bpm", "key", "description")
Make = Callable[..., OpenAICompatible]
Record = Callable[..., Clip]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A provider that wants a key."""
    with OpenAIServer(key=KEY) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """What the adapter would have slept."""
    return []


@pytest.fixture
def make(server: OpenAIServer, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes adapters for that server, that never sleep."""
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    with contextlib.ExitStack() as made:

        def one(name: str = "openai", **changes: Any) -> OpenAICompatible:
            return made.enter_context(OpenAICompatible(provider(server, name, **changes), sleep=waits.append))

        yield one


@pytest.fixture
def clip(tmp_path: Path) -> Record:
    """Makes clips."""

    def one(samples: NDArray[np.float32], *, silent: bool = False) -> Clip:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.f32"
        samples.astype("<f4").tofile(path)
        technical = Technical(
            duration_s=len(samples) / 16000, sample_rate_hz=16000, channels=1, codec="x", container="x", size_bytes=1,
            silent=silent,
        )  # fmt: skip
        return Clip(path.name, path, len(samples), technical)

    return one


def provider(server: OpenAIServer, name: str = "openai", **changes: Any) -> Provider:
    """A shipped provider that lives at the server."""
    shipped = load_providers()[name].model_dump()
    changes = {"url": server.url, "key_variable": "PROVIDER_KEY", **changes}
    if name == "ollama":
        changes = {"model": "qwen2-audio", **changes}
    return Provider.model_validate({**shipped, **changes})


def failed(reply: Reply) -> TransientError:
    """The error of a reply that has no answer."""
    assert reply.prediction is None
    assert reply.error is not None
    return reply.error


# ---------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("audio_format", ["wav", "mp3"])
@pytest.mark.parametrize(
    ("name", "changes"),
    [("openai", {}), ("vllm", {}), ("ollama", {}), ("vllm", {"output": "prompt"}), ("vllm", {"output": "function"})],
)
def test_every_way_to_ask_hears_the_audio(
    make: Make, clip: Record, name: str, changes: dict[str, Any], audio_format: str
) -> None:
    """A forced function, structured outputs, a response format or words alone: the tone is named by its pitch."""
    reply = make(name, audio_format=audio_format, **changes).ask(clip(tone(440, 3)), MUSIC)
    assert reply.error is None
    assert reply.prediction is not None
    metadata = reply.prediction.metadata
    assert metadata.content_type.value is ContentType.MUSIC
    assert metadata.key.value == "A major"
    assert [genre.value for genre in metadata.genres] == ["ambient", "electronic"]
    assert metadata.description.value == "A tone of 440 Hz."
    assert metadata.instruments == ()
    assert reply.prediction.engine == name
    assert reply.prediction.covered_s == pytest.approx(3.0)
    assert reply.prediction.uncalibrated == MUSIC


def test_what_is_sent_is_what_was_recorded(make: Make, clip: Record, server: OpenAIServer) -> None:
    """A WAV of 16 kHz mono 16 bit with every sample, greedy, text only, one forced function that is not strict."""
    make().ask(clip(tone(880, 2.5)), ("content_type",))
    (request,) = server.asked("gpt-audio-1.5")[-1:]
    assert request.seconds == 2.5
    assert request.heard is not None
    assert request.heard["description"] == "A tone of 880 Hz."
    assert request.body["modalities"] == ["text"]
    assert request.body["temperature"] == 0
    assert request.body["tools"][0]["function"]["strict"] is False
    assert set(request.body["tools"][0]["function"]["parameters"]["properties"]) == {"content_type"}
    assert request.body["max_completion_tokens"] < 100
    vllm = make("vllm")
    vllm.ask(clip(tone(880, 1)), ("content_type", "transcript"))
    body = server.requests[-1].body
    assert set(body["structured_outputs"]["json"]["properties"]) == {"content_type", "transcript"}
    assert body["repetition_penalty"] == 1.0
    assert body["max_tokens"] == vllm.provider.answer_tokens


def test_short_audio_is_drawn_out_and_strange_samples_are_tamed(make: Make, clip: Record, server: OpenAIServer) -> None:
    """A tenth of a second at least; not-a-numbers and overshoots do not reach the provider."""
    odd = np.array([np.nan, np.inf, -np.inf, 5.0, 0.1], np.float32)
    assert make().ask(clip(odd), ("content_type",)).error is None
    assert server.requests[-1].seconds == pytest.approx(0.1)


@pytest.mark.parametrize(("seconds", "windows", "heard_s"), [(29.0, 1, 29.0), (45.0, 2, 45.0), (400.0, 4, 120.0)])
def test_long_recordings_are_sent_in_bounded_pieces(
    make: Make, clip: Record, server: OpenAIServer, seconds: float, windows: int, heard_s: float
) -> None:
    """Thirty seconds each, spread over the track, no more than are allowed; what was heard is told."""
    reply = make(logprobs="no").ask(clip(tone(440, seconds)), ("content_type", "key"))
    assert reply.prediction is not None
    assert reply.prediction.covered_s == pytest.approx(heard_s)
    assert reply.prediction.metadata.key.value == "A major"
    assert len(server.requests) == reply.usage.requests == windows
    assert max(request.seconds for request in server.requests) <= 30.0


def test_a_transcript_is_taken_from_the_beginning_without_gaps(make: Make, clip: Record, server: OpenAIServer) -> None:
    """Its windows lie side by side; past the bound it ends, and covered seconds say where."""
    words = clip(voice(100))
    reply = make(logprobs="no").ask(words, ("content_type", "transcript", "language"))
    assert reply.prediction is not None
    assert reply.prediction.metadata.language.value == "en"
    assert len((reply.prediction.metadata.transcript.value or "").split()) >= 300
    assert reply.prediction.covered_s == pytest.approx(100.0)
    assert sum(request.seconds for request in server.requests) == pytest.approx(100.0)
    cut = make(logprobs="no", audio_windows=2).ask(words, ("content_type", "transcript"))
    assert cut.prediction is not None
    assert 48.0 <= cut.prediction.covered_s <= 60.0
    assert "…" not in (cut.prediction.metadata.transcript.value or "")


def test_silence_costs_nothing(make: Make, clip: Record, server: OpenAIServer) -> None:
    """It is measured, and models hear things in it."""
    adapter = make()
    quiet = clip(np.zeros(32000, np.float32), silent=True)
    reply = adapter.ask(quiet, ("content_type", "transcript"))
    assert reply.prediction is not None
    assert reply.prediction.metadata.content_type.value is ContentType.SILENCE
    assert reply.prediction.metadata.content_type.basis is Basis.MEASURED
    assert reply.cost_usd == adapter.estimate_usd(quiet, FIELDS) == 0.0
    assert not server.requests


def test_scores_come_from_the_tokens_of_values(make: Make, clip: Record) -> None:
    """Tokens of words have 0.9 here, those of punctuation 1: a value scores that of its own tokens."""
    answer = make("vllm").ask(clip(noise(2)), ("content_type", "genres", "description", "tags")).prediction
    assert answer is not None
    assert answer.metadata.content_type.score == pytest.approx(0.9)
    assert answer.metadata.tags[0].score == pytest.approx(0.9)
    assert answer.metadata.description.value == "Noise, très large."
    assert answer.metadata.description.score == pytest.approx(0.9)
    assert answer.metadata.content_type.confidence is None
    assert answer.metadata.content_type.basis is Basis.UNCALIBRATED
    music = make("vllm").ask(clip(tone(466.16, 2)), ("key", "genres")).prediction
    assert music is not None
    assert music.metadata.key.value == "Bb major"
    assert music.metadata.key.score == pytest.approx(0.9)


def test_logprobs_are_tried_once_and_then_left_off(make: Make, clip: Record, server: OpenAIServer) -> None:
    """A provider that refuses them is asked again without at once, and never again with them; both count."""
    adapter = make("openai", concurrency=1)
    reply = adapter.ask(clip(tone(440, 2)), ("content_type",))
    assert reply.prediction is not None
    assert reply.prediction.metadata.content_type.score is None
    assert reply.usage.requests == 2
    adapter.ask(clip(tone(440, 2)), ("content_type",))
    assert ["logprobs" in request.body for request in server.requests] == [True, False, False]


def test_logprobs_that_are_insisted_on_are_not_left_off(make: Make, clip: Record) -> None:
    """A calibration needs them; then it is a failure to have none."""
    assert "logprobs" in str(failed(make(logprobs="yes").ask(clip(tone(440, 1)), ("content_type",))))


# ---------------------------------------------------------------------------------------------- money


def test_cost_comes_from_the_bill(make: Make, clip: Record) -> None:
    """Audio, cached text, other text and words written, each at its price."""
    reply = make(logprobs="no").ask(clip(tone(440, 10)), ("content_type",))
    use = reply.usage
    assert use.audio_tokens == 100
    assert use.cached_tokens > 0
    dollars = 100 * 32 + use.text_tokens * 2.5 + use.answer_tokens * 10
    assert reply.cost_usd == pytest.approx(dollars / 1e6)
    assert reply.prediction is not None
    assert reply.prediction.cost_usd == reply.cost_usd


@pytest.mark.parametrize("fields", [("content_type",), ("content_type", "transcript"), FIELDS])
@pytest.mark.parametrize("seconds", [0.05, 12.0, 45.0, 100.0, 300.0])
def test_no_answer_costs_more_than_was_estimated(
    make: Make, clip: Record, server: OpenAIServer, seconds: float, fields: tuple[str, ...]
) -> None:
    """Also where every answer must be mended."""
    adapter = make(logprobs="no", tokens_per_minute=0)
    recording = clip(voice(seconds))
    server.always = faults.WRONG_SCHEMA
    reply = adapter.ask(recording, fields)
    assert reply.usage.repairs == reply.usage.requests / 2
    assert 0 < reply.cost_usd <= adapter.estimate_usd(recording, fields)


def test_a_bad_answer_is_mended_once_by_the_text_model(make: Make, clip: Record, server: OpenAIServer) -> None:
    """It gets the answer, the fault and a strict schema, and no audio; both are paid."""
    adapter = make(logprobs="no")
    plain = adapter.ask(clip(tone(440, 2)), ("content_type", "genres"))
    server.plan(faults.says('{"content_type":"speech","genres":["disco"]}'))
    reply = adapter.ask(clip(tone(440, 2)), ("content_type", "genres"))
    assert reply.prediction is not None
    assert reply.prediction.metadata.content_type.value is ContentType.SPEECH
    assert reply.prediction.metadata.content_type.score is None
    assert (reply.usage.requests, reply.usage.repairs) == (2, 1)
    assert reply.cost_usd > plain.cost_usd
    (mending,) = server.asked("gpt-6.2-sol")
    assert mending.heard is None
    assert mending.body["response_format"]["json_schema"]["strict"] is True
    assert '"disco"' in mending.body["messages"][0]["content"]
    assert "genres must be" in mending.body["messages"][0]["content"]


def test_what_cannot_be_mended_is_no_answer(make: Make, clip: Record, server: OpenAIServer) -> None:
    """The repair model is asked once, the audio model never twice, and both are paid."""
    adapter = make(logprobs="no")
    server.plan(faults.BAD_JSON, faults.BAD_JSON)
    reply = adapter.ask(clip(tone(440, 2)), ("content_type",))
    assert isinstance(failed(reply), NoAnswer)
    assert (reply.usage.requests, reply.usage.repairs) == (2, 1)
    assert reply.cost_usd > 0
    server.plan(faults.BAD_JSON, faults.NO_QUOTA)
    broken = adapter.ask(clip(tone(440, 2)), ("content_type",))
    assert isinstance(failed(broken), QuotaExhausted)
    assert broken.cost_usd > 0


def test_without_a_repair_model_a_bad_answer_is_no_answer(make: Make, clip: Record, server: OpenAIServer) -> None:
    """Asking again would cost the audio again."""
    server.plan(faults.BAD_JSON)
    reply = make("vllm").ask(clip(tone(440, 2)), ("content_type",))
    assert isinstance(failed(reply), NoAnswer)
    assert "does not fit the schema" in str(reply.error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [faults.FENCED, faults.SPOKEN, faults.UNBILLED])
def test_answers_in_odd_places_are_found(make: Make, clip: Record, server: OpenAIServer, fault: Fault) -> None:
    """In a Markdown fence, spoken instead of written, or without a bill, which is then estimated."""
    server.plan(fault)
    reply = make(logprobs="no").ask(clip(tone(440, 2)), ("content_type",))
    assert reply.prediction is not None
    assert reply.prediction.metadata.content_type.value is ContentType.MUSIC
    assert reply.cost_usd > 0
    assert reply.usage.repairs == 0


@pytest.mark.parametrize(
    "usage", [None, {"prompt_tokens": -5, "completion_tokens": "x"}, {"prompt_tokens": 10**400, "completion_tokens": 1}]
)
def test_a_bill_that_cannot_be_right_is_told_once_and_counts_as_the_estimate(
    make: Make, clip: Record, server: OpenAIServer, usage: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A cap on spending bites all the same, and nobody pays a fortune."""
    server.always = Fault("bill", change=lambda completion: completion.update(usage=usage))
    adapter, short = make(logprobs="no", repair_model=""), clip(tone(440, 2))
    costs = [adapter.ask(short, ("content_type",)).cost_usd for _ in range(3)]
    assert costs == pytest.approx([adapter.estimate_usd(short, ("content_type",))] * 3)
    assert [record.getMessage() for record in caplog.records] == ["provider.bill_unclear"]


@pytest.mark.parametrize("fault", [faults.EMPTY_CHOICES, faults.CUT_OFF, faults.REFUSED, faults.says("")])
def test_no_answer_is_not_mended(make: Make, clip: Record, server: OpenAIServer, fault: Fault) -> None:
    """No choices, cut off at the limit, refused, or nothing: there is nothing to mend, and the bill stands."""
    server.plan(fault)
    reply = make(logprobs="no").ask(clip(tone(440, 2)), ("content_type",))
    assert isinstance(failed(reply), NoAnswer)
    assert reply.usage.repairs == 0
    assert reply.cost_usd > 0


# ---------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "kind", "sent"),
    [
        (faults.NO_QUOTA, QuotaExhausted, 1),
        (faults.NO_MONEY, QuotaExhausted, 1),
        (faults.throttled(), Throttled, 3),
        (faults.throttled(3600), Throttled, 1),
        (faults.BROKEN, Unavailable, 3),
        (faults.OVERLOADED, Unavailable, 3),
        (faults.CUT, Unavailable, 3),
        (faults.HUNG_UP, Unavailable, 3),
        (faults.HTML, Unavailable, 1),
        (faults.LIST, Unavailable, 1),
        (faults.DEEP, Unavailable, 1),
        (faults.NO_MODEL, ModelUnavailable, 1),
        (faults.BAD_KEY, ModelUnavailable, 1),
        (faults.ELSEWHERE, ModelUnavailable, 1),
        (faults.failing(400, "The audio is too odd"), NoAnswer, 1),
        (faults.failing(413, "Too large"), NoAnswer, 1),
        (faults.failing(429, "x", headers={"x-should-retry": "false"}), Throttled, 1),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_faults_are_told_apart_and_only_passing_ones_are_tried_again(
    make: Make, clip: Record, server: OpenAIServer, fault: Fault, kind: type[TransientError], sent: int
) -> None:
    """Each is a value of its class, after as many requests as are worth it."""
    server.always = fault
    reply = make(logprobs="no").ask(clip(tone(440, 1)), ("content_type",))
    assert type(failed(reply)) is kind
    assert len(server.requests) == reply.usage.requests == sent
    assert str(reply.error).startswith("openai")


@pytest.mark.parametrize("fault", [faults.BROKEN, faults.CUT, faults.throttled(), faults.OVERLOADED])
def test_what_passes_is_got_over(make: Make, clip: Record, server: OpenAIServer, fault: Fault) -> None:
    """The answer comes after all, and every request is counted."""
    server.plan(fault, fault)
    reply = make(logprobs="no").ask(clip(tone(440, 1)), ("content_type",))
    assert reply.error is None
    assert reply.usage.requests == 3


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        (faults.throttled(7), 7.0, 9.0),
        (faults.throttled(0.5, how="ms"), 0.5, 0.8),
        (faults.throttled(12, how="date"), 11.0, 16.0),
        (faults.throttled(), 0.0, 0.5),
    ],
)
def test_a_pause_that_is_asked_for_is_kept(
    make: Make, clip: Record, server: OpenAIServer, waits: list[float], fault: Fault, least: float, most: float
) -> None:
    """In seconds, milliseconds or as a date, drawn out a little; without one a short, random one."""
    server.plan(fault)
    assert make(logprobs="no").ask(clip(tone(440, 1)), ("content_type",)).error is None
    assert least <= waits[0] <= most


def test_a_pause_that_is_too_long_is_handed_on(
    make: Make, clip: Record, server: OpenAIServer, waits: list[float]
) -> None:
    """Whoever asked learns when to come back, and meanwhile nobody else is sent."""
    server.always = faults.throttled(3600)
    adapter = make(logprobs="no")
    error = failed(adapter.ask(clip(tone(440, 1)), ("content_type",)))
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 3600
    again = failed(adapter.ask(clip(tone(440, 1)), ("content_type",)))
    assert isinstance(again, Throttled)
    assert "pause" in str(again)
    assert len(server.requests) == 1
    assert not waits


def test_slow_answers_are_given_up_and_taken_to_be_on_the_bill(make: Make, clip: Record, server: OpenAIServer) -> None:
    """No second try: it would take as long; the provider worked all the same."""
    server.always = faults.slow(30)
    reply = make(logprobs="no", timeout_s=0.3).ask(clip(tone(440, 1)), ("content_type",))
    assert isinstance(failed(reply), TimedOut)
    assert "0.3 s" in str(reply.error)
    assert len(server.requests) == 1
    assert reply.cost_usd > 10 * 32 / 1e6


@pytest.mark.parametrize("fault", [faults.DRIP, faults.BROKEN_DRIP])
def test_what_comes_drop_by_drop_is_given_up(make: Make, clip: Record, server: OpenAIServer, fault: Fault) -> None:
    """Each byte of an answer or an error comes in time; all of them would take half a minute."""
    server.always = fault
    reply = make(logprobs="no", timeout_s=0.4).ask(clip(tone(440, 1)), ("content_type",))
    assert isinstance(failed(reply), TimedOut)


def test_an_answer_that_never_ends_is_given_up(make: Make, clip: Record, server: OpenAIServer) -> None:
    """It is not kept in memory."""
    server.always = faults.FLOOD
    assert type(failed(make(logprobs="no").ask(clip(tone(440, 1)), ("content_type",)))) is Unavailable


def test_nobody_there_is_unavailable(make: Make, clip: Record, waits: list[float]) -> None:
    """Tried again, and nothing is on the bill."""
    reply = make(url="http://127.0.0.1:9/v1").ask(clip(tone(440, 1)), ("content_type",))
    assert isinstance(failed(reply), Unavailable)
    assert "cannot be reached at http://127.0.0.1:9/v1" in str(reply.error)
    assert reply.cost_usd == 0.0
    assert len(waits) == 2


def test_retries_have_a_budget(make: Make, clip: Record, server: OpenAIServer) -> None:
    """While a provider is down, a few requests are sent again and then none: no storm."""
    server.always = faults.BROKEN
    adapter = make(logprobs="no", retries=3)
    short = clip(tone(440, 0.2))
    for _ in range(30):
        adapter.ask(short, ("content_type",))
    assert 30 + 10 <= len(server.requests) <= 30 + 10 + 3


def test_some_windows_are_better_than_none(make: Make, clip: Record, server: OpenAIServer) -> None:
    """The others answer, and covered seconds say that one is missing."""
    server.plan(faults.REFUSED)
    reply = make(logprobs="no").ask(clip(tone(440, 60)), ("content_type",))
    assert reply.error is None
    assert reply.prediction is not None
    assert reply.prediction.covered_s == pytest.approx(30.0)
    assert reply.usage.requests == 2


def test_windows_are_not_sent_to_a_provider_that_just_failed(make: Make, clip: Record, server: OpenAIServer) -> None:
    """With one request at a time, the other three windows of four are never sent."""
    server.always = faults.NO_QUOTA
    reply = make(logprobs="no", concurrency=1).ask(clip(tone(440, 300)), ("content_type",))
    assert isinstance(failed(reply), QuotaExhausted)
    assert len(server.requests) == 1


def test_samples_that_are_gone_are_no_answer(make: Make, clip: Record, server: OpenAIServer) -> None:
    """A file that vanished is no fault of the provider's."""
    gone = clip(tone(440, 1))
    gone.path.unlink()
    assert isinstance(failed(make().ask(gone, ("content_type",))), NoAnswer)
    assert not server.requests


def test_a_recording_never_follows_a_redirect(make: Make, clip: Record, tmp_path: Path, server: OpenAIServer) -> None:
    """A 307 would take the audio, and with it a tenant's data, wherever the provider says."""
    with OpenAIServer() as elsewhere:
        server.plan(Fault("moved", 307, headers={"Location": f"{elsewhere.url}/chat/completions"}, body=b""))
        assert isinstance(failed(make(logprobs="no").ask(clip(tone(440, 1)), ("content_type",))), ModelUnavailable)
        assert not elsewhere.requests


def test_limits_per_minute_are_kept_on_our_side(
    make: Make, clip: Record, server: OpenAIServer, waits: list[float]
) -> None:
    """Four requests a minute: the fifth waits, or is refused where it would wait too long."""
    adapter = make(logprobs="no", requests_per_minute=4, concurrency=1)
    short = clip(tone(440, 0.2))
    for _ in range(5):
        assert adapter.ask(short, ("content_type",)).error is None
    (wait_s,) = waits
    assert 5.0 < wait_s <= 15.0


def test_our_own_limit_is_not_the_providers_fault(
    make: Make, clip: Record, server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Thirty questions where six a minute are allowed: a minute's worth waits, and the breaker stays closed."""
    adapter, breaker, short = make(logprobs="no", requests_per_minute=6), Breaker("mine"), clip(tone(440, 0.2))
    errors = []
    for _ in range(30):
        assert breaker.admit()
        error = adapter.ask(short, ("content_type",)).error
        if error is None:
            breaker.succeeded()
        else:
            breaker.failed(error)
            errors.append(error)
    assert 12 <= len(server.requests) < 20
    assert {type(error) for error in errors} == {RateLimited}
    assert not breaker.open
    assert "provider.opened" not in caplog.text


def test_our_own_limit_does_not_hide_why_it_was_asked_again(make: Make, clip: Record, server: OpenAIServer) -> None:
    """The provider failed, and only the second sending met the limit."""
    server.always = faults.BROKEN
    adapter = make(logprobs="no", requests_per_minute=1)
    assert type(failed(adapter.ask(clip(tone(440, 0.2)), ("content_type",)))) is Unavailable
    error = failed(adapter.ask(clip(tone(440, 0.2)), ("content_type",)))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s is not None


# ---------------------------------------------------------------------------------------------- the key


def test_the_key_is_nowhere(make: Make, clip: Record, server: OpenAIServer, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a repr, an error, its chain, a prediction or a log line, though the server repeats what it is sent."""
    for name in ("", "openai", "httpx2", "httpcore2", "workers"):
        caplog.set_level(logging.DEBUG, logger=name)
    adapter = make(logprobs="no")
    short = clip(tone(440, 0.5))
    seen: list[object] = [adapter.ask(short, ("content_type",)), adapter, adapter.provider, adapter._client]
    for fault in (
        faults.failing(500, f"I was told {KEY}"), faults.failing(400, f"Authorization: Bearer {KEY}"),
        faults.failing(429, KEY, code="insufficient_quota"), faults.failing(404, f"no model for '{KEY}'"), faults.CUT,
        faults.Fault("echo", 400, body=f"<p>{KEY}</p>".encode()), faults.says(f'{{"content_type":"{KEY}"}}'),
    ):  # fmt: skip
        server.plan(fault, fault, fault)
        seen.append(adapter.ask(short, ("content_type",)))
    server.key = "another"
    reply = adapter.ask(short, ("content_type",))
    seen.append(reply)
    with pytest.raises(ConfigurationError) as caught:
        adapter.check()
    seen += ["".join(traceback.format_exception(caught.value)), caught.value.__dict__]
    event(logging.getLogger("workers"), "test.told", replies=[repr(one) for one in seen])
    text = caplog.text + "".join(repr(one) + str(one) + repr(getattr(one, "error", "")) for one in seen)
    text += "".join(repr(vars(record)) for record in caplog.records)
    assert "SENTINEL" not in text
    assert "provider.asked_again" in text
    assert all(KEY in request.headers["authorization"] for request in server.requests)


def test_a_server_that_wants_no_key_gets_none(clip: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what stands in the variables of OpenAI's own client, which are meant for somebody else."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)
    with (
        OpenAIServer() as server,
        OpenAICompatible(provider(server, "vllm", key_variable="")) as adapter,
    ):
        adapter.check()
        assert adapter.ask(clip(tone(440, 1)), ("content_type",)).error is None
        assert "SENTINEL" not in json.dumps(dict(server.requests[0].headers))
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "ключ"])
def test_a_missing_key_is_told_at_once(server: OpenAIServer, value: str | None) -> None:
    """By the name of its variable."""
    environment = {} if value is None else {"PROVIDER_KEY": value}
    with pytest.raises(ConfigurationError, match="PROVIDER_KEY"):
        OpenAICompatible(provider(server), environment=environment)


# ---------------------------------------------------------------------------------------------- check


def test_check_is_content_with_a_provider_that_has_the_models(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """And warns of one that is turned off soon, and of prices that are old."""
    make().check()
    assert not caplog.records
    make(prices=Prices(as_of=date(2025, 1, 1))).check()
    assert [record.getMessage() for record in caplog.records] == ["provider.prices_old"]
    caplog.clear()
    make(retires=date(2026, 1, 1)).check()
    assert [record.getMessage() for record in caplog.records] == ["provider.model_retires"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "gpt-audio-9"}, r"no model gpt-audio-9; it has .*gpt-audio-1\.5.*Set `model`"),
        ({"repair_model": "gpt-0"}, r"no model gpt-0.*`repair_model`"),
    ],
)
def test_check_names_what_to_set(make: Make, changes: dict[str, str], told: str) -> None:
    """A model that is not there."""
    with pytest.raises(ConfigurationError, match=told):
        make(**changes).check()


@contextlib.contextmanager
def listing(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that answers so to every GET."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            self.send_response_only(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with HTTPServer(("127.0.0.1", 0), Answering) as running:
        thread = Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/v1"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"{}", b'{"data": 5}', b"", b"\xff"])
def test_check_tells_an_address_that_is_no_such_api(make: Make, body: bytes) -> None:
    """A website, most often; the message says what to set."""
    with listing(200, body) as url, pytest.raises(ConfigurationError, match=r"does not speak .*Set `url` of openai"):
        make(url=url).check()


@pytest.mark.parametrize("status", [404, 405, 501])
def test_check_believes_a_provider_that_lists_no_models(
    make: Make, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It may answer questions all the same."""
    with listing(status, b"nothing here") as url:
        make(url=url).check()
    assert [record.getMessage() for record in caplog.records] == ["provider.models_unlisted"]


def test_check_reads_a_bare_list_of_models(make: Make) -> None:
    """Some servers leave the envelope away."""
    with listing(200, b'[{"id": "one"}, {"id": "two"}, 3]') as url:
        make(url=url, model="one", repair_model="two").check()
        with pytest.raises(ConfigurationError, match="has no model three; it has one, two"):
            make(url=url, model="three", repair_model="").check()


def test_an_address_without_its_version_is_told_by_the_first_question(
    make: Make, clip: Record, server: OpenAIServer
) -> None:
    """It lists no models, which alone is no fault."""
    adapter = make(url=server.url.removesuffix("/v1"))
    adapter.check()
    assert "Set `model` and `url`" in str(failed(adapter.ask(clip(tone(440, 1)), ("content_type",))))


def test_check_tells_a_wrong_key_from_a_server_that_is_down(make: Make, server: OpenAIServer) -> None:
    """The first must be mended before anything starts; the second may pass."""
    down = make(url="http://127.0.0.1:9/v1")
    with pytest.raises(Unavailable):
        down.check()
    server.key = "another"
    with pytest.raises(ConfigurationError, match="PROVIDER_KEY"):
        make().check()


# ---------------------------------------------------------------------------------------------- as the primary


def test_as_primary_it_answers_all_fields_several_at_a_time(make: Make, clip: Record, server: OpenAIServer) -> None:
    """In order, no more at once than allowed, and the same as one at a time."""
    server.always = faults.slow(0.2)
    adapter = make("vllm", concurrency=3)
    clips = [clip(tone(440, 1)), clip(noise(2)), clip(voice(3)), clip(tone(660, 1)), clip(noise(1)), clip(voice(2))]
    together = adapter.predict(clips)
    assert 1 < server.most_under_way <= 3
    kinds = [None if one is None else one.metadata.content_type.value for one in together]
    assert kinds == ["music", "sound", "speech", "music", "sound", "speech"]
    server.always = faults.OK
    single = [adapter.predict([each])[0] for each in clips]
    assert [one and one.metadata for one in together] == [one and one.metadata for one in single]
    assert all(one is not None and one.predict_s > 0 for one in together)


def test_as_primary_one_bad_answer_is_none(make: Make, clip: Record, server: OpenAIServer) -> None:
    """The others have theirs."""
    server.plan(faults.BAD_JSON)
    adapter = make("vllm", concurrency=1)
    assert [one is None for one in adapter.predict([clip(tone(440, 1)), clip(noise(1))])] == [True, False]


@pytest.mark.parametrize("fault", [faults.NO_QUOTA, faults.BROKEN, faults.throttled(), faults.NO_MODEL, faults.HUNG_UP])
def test_as_primary_a_provider_that_is_down_is_unavailable(
    make: Make, clip: Record, server: OpenAIServer, fault: Fault
) -> None:
    """For the whole batch, so that no job loses a try to it."""
    server.always = fault
    with pytest.raises(ModelUnavailable, match="vllm"):
        make("vllm").predict([clip(tone(440, 1)), clip(noise(1))])


def test_as_primary_a_provider_that_fails_half_way_answers_half(make: Make, clip: Record, server: OpenAIServer) -> None:
    """What was answered is kept."""
    server.plan(faults.OK, *[faults.NO_QUOTA] * 9)
    answers = make("vllm", concurrency=1).predict([clip(tone(440, 1)), clip(noise(1)), clip(noise(1))])
    assert [one is None for one in answers] == [False, True, True]
    assert len(server.requests) == 2


def test_as_primary_the_reason_of_each_none_is_told(
    make: Make, clip: Record, server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    """With the job's number, the provider and what was spent, for None tells nothing."""
    server.plan(faults.slow(30))
    clips = [clip(tone(440, 1)), clip(noise(1))]
    adapter = make("vllm", concurrency=1, timeout_s=0.5, prices={"audio_in": 10})
    assert [answer is None for answer in adapter.predict(clips)] == [True, False]
    (told,) = [vars(record)["fields"] for record in caplog.records if record.msg == "provider.gave_no_answer"]
    assert (told["job_id"], told["provider"], told["error"]) == (clips[0].job_id, adapter.name, "timed_out")
    assert "0.5 s" in told["reason"]
    assert told["cost_usd"] > 0


def test_as_primary_one_clip_that_takes_too_long_costs_a_try(make: Make, clip: Record, server: OpenAIServer) -> None:
    """It may be the clip; several that all do are the provider."""
    server.always = faults.slow(30)
    adapter = make("vllm", timeout_s=0.3)
    assert adapter.predict([clip(tone(440, 1))]) == [None]
    with pytest.raises(ModelUnavailable):
        adapter.predict([clip(tone(440, 1)), clip(noise(1))])


def test_as_primary_in_a_child_process(clip: Record, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key comes from the environment, the provider as plain values, the answer through the pipe."""
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    options = {"threads": 1, "provider": provider(server, "vllm").model_dump(mode="json")}
    assert KEY not in json.dumps(options)
    process = ModelProcess("workers.models.openai_compatible:load", options, start_timeout_s=60)
    try:
        (answer,) = process.predict([clip(tone(440, 2))], timeout_s=60)
    finally:
        process.close()
    assert answer is not None
    assert answer.metadata.key.value == "A major"
    assert answer.engine == "vllm"


@pytest.mark.parametrize("style", ["json", "text"])
def test_events_of_a_child_process_are_logged_as_the_parents_are(
    clip: Record, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], style: str
) -> None:
    """Level and style go with it."""
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    log.attach("warning", style)
    server.plan(faults.BAD_JSON)
    options = {"threads": 1, "provider": provider(server, "vllm").model_dump(mode="json")}
    process = ModelProcess("workers.models.openai_compatible:load", options, start_timeout_s=60)
    try:
        assert process.predict([clip(tone(440, 2))], timeout_s=60) == [None]
    finally:
        process.close()
    (line,) = capfd.readouterr().err.splitlines()
    if style == "text":
        assert "warning provider.gave_no_answer provider=vllm" in line
    else:
        told = json.loads(line)
        assert (told["event"], told["error"]) == ("provider.gave_no_answer", "no_answer")
        assert {"reason", "provider", "cost_usd", "job_id"} <= set(told)


def test_load_refuses_what_cannot_work_and_bears_what_may_pass(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong model ends the start; a server that is still starting does not."""
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    with pytest.raises(ConfigurationError, match="no model nobody"):
        load(provider(server, "vllm", model="nobody").model_dump())
    with pytest.raises(ConfigurationError, match="timeout_s") as caught:
        load({**provider(server, "vllm").model_dump(), "timeout_s": KEY})
    assert KEY not in str(caught.value)
    load(provider(server, "vllm", url="http://127.0.0.1:9/v1").model_dump()).close()


def test_closing_ends_waits_and_questions(server: OpenAIServer, clip: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks afterwards gets a value, not an exception."""
    monkeypatch.setenv("PROVIDER_KEY", KEY)
    adapter = OpenAICompatible(provider(server))
    adapter.close()
    assert isinstance(failed(adapter.ask(clip(tone(440, 1)), ("content_type",))), ModelUnavailable)


def test_the_version_changes_with_what_can_change_an_answer(server: OpenAIServer) -> None:
    """And with nothing else."""
    plain = provider(server)
    version = version_of(plain)
    assert version.startswith("gpt-audio-1.5-")
    for change in ({"model": "m"}, {"audio_windows": 5}, {"output": "prompt"}, {"repair_model": ""}):
        assert version_of(plain.model_copy(update=change)) != version
    for change in ({"concurrency": 9}, {"timeout_s": 9.0}, {"retries": 0}, {"key_variable": "OTHER"}):
        assert version_of(plain.model_copy(update=change)) == version


def test_unknown_fields_are_our_own_fault(make: Make, clip: Record) -> None:
    """No provider is asked about them."""
    with pytest.raises(ValueError, match="fields must be some of"):
        make().ask(clip(tone(440, 1)), ("colour",))
