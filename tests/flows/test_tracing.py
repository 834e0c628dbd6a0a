"""Traces end to end: API, router, queue, worker and models, as a real collector gets them."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from earmark.domain import Job
from earmark.errors import QuotaExhausted
from earmark.trace import TraceContext, begun, following, parsed, trace_id_of
from router.lanes import load_rules
from router.router import Queued, Router
from runtime.tracing.job_spans import JobSpans
from runtime.tracing.opening import close_spans
from runtime.tracing.router_spans import RouterSpans
from runtime.tracing.span import Span, SpanKind
from runtime.tracing.spans import Spans
from runtime.wiring import open_worker
from tests.api_jobs import wav
from tests.flows.command import Command, lines
from tests.flows.test_api_serving import Served
from tests.flows.world import World
from tests.making import make_upload
from tests.provider import USD, ScriptedProvider, fallback
from tests.servers.collector import Collector, Told
from workers.models.catalogue import ModelSpec
from workers.observer import Observers
from workers.reply import Reply, Usage

CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
EXAMPLE = Path(__file__).parents[2] / "examples" / "audio" / "silence.flac"
PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
CLOCKS_S = 0.005
"""By how much looks at the clock in different places may be in another order."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of traces."""
    with Collector() as running:
        yield running
        close_spans()


def by_name(spans: list[Told]) -> dict[str, Told]:
    """Spans by their names, each there once."""
    assert len({span.name for span in spans}) == len(spans), [span.name for span in spans]
    return {span.name: span for span in spans}


def test_a_request_is_one_trace_from_its_caller_to_the_settled_job(tmp_path: Path, collector: Collector) -> None:
    """API, router and worker tell of one trace, each below what brought it, in the order in which it went."""
    spec, stop = ModelSpec("scripted", "1", "tests.models:content", ()), threading.Event()
    with Served(tmp_path, trace_endpoint=collector.endpoint) as served:
        with open_worker(served.world.settings, served.world.backend, spec=spec) as worker:
            thread = threading.Thread(target=worker.run, args=(stop,))
            thread.start()
            try:
                with served.client() as acme:
                    headers = {"Prefer": "wait=60", "traceparent": CALLER.header}
                    answer = acme.post("/v1/analyses", files={"file": ("a.wav", wav())}, headers=headers)
                    acme.get("/livez")
            finally:
                stop.set()
                thread.join()
        assert answer.json()["status"] == "done", answer.text
        spans = by_name(collector.spans_once(lambda found: len(found) >= 7))
    request, sent, process = spans["POST /v1/analyses"], spans["send high"], spans["process high"]
    assert {span.trace_id for span in spans.values()} == {CALLER.trace_id}
    assert request.parent_id == CALLER.span_id
    assert sent.parent_id == request.span_id
    assert (process.parent_id, spans["queue high"].parent_id) == (sent.span_id, sent.span_id)
    below = [span.name for span in sorted(spans.values(), key=lambda span: span.began_s)
             if span.parent_id == process.span_id]  # fmt: skip
    assert below == ["decode", "generate_content scripted", "settle"]
    assert [span.kind for span in (request, sent, process)] == ["SERVER", "PRODUCER", "CONSUMER"]
    services = {span.name.split()[0]: span.service for span in spans.values()}
    assert services["POST"] == "earmark-api"
    assert services["send"] == "earmark-router"
    assert {services[name] for name in ("process", "settle")} == {"earmark-worker"}
    way = [sent, spans["queue high"], spans["decode"], spans["generate_content scripted"], spans["settle"]]
    for before, after in pairwise(way):
        assert before.began_s <= after.began_s + CLOCKS_S, (before, after)
    for span in (spans["decode"], spans["generate_content scripted"], spans["settle"]):
        assert process.began_s - CLOCKS_S <= span.began_s <= span.ended_s <= process.ended_s + CLOCKS_S
    assert process.attributes["messaging.message.id"] == answer.json()["id"]
    assert request.attributes["http.response.status_code"] == 200
    told = parsed(answer.headers["traceresponse"])
    assert told == TraceContext(CALLER.trace_id, request.span_id, sampled=True)
    assert answer.headers["X-Request-Id"] == CALLER.trace_id
    assert "acme" not in repr(spans)


class Followed:
    """A world whose spans lie in a list, and a router into it."""

    def __init__(self, folder: Path, share: float = 1.0) -> None:
        """Open it."""
        self.told: list[Span] = []
        spans = Spans("any", share, "test", lambda _, some: self.told.extend(some))
        self.world = World(folder)
        self.world.observers = Observers(JobSpans(spans, self.world.clock))
        self.router = Router(
            lanes=self.world.lanes,
            find_record=self.world.find,
            rules=load_rules(None),
            pipeline="test",
            clock=self.world.clock,
            handed=RouterSpans(spans).handed,
        )

    def route(self, word: str) -> Job:
        """Route an upload."""
        [routed] = self.router.route([make_upload(word)])
        assert isinstance(routed, Queued)
        return routed.job

    def run(self) -> None:
        """Run jobs until there are no more."""
        with self.world.worker() as worker:
            while worker.run_once():
                self.world.clock.move(10)

    def spans(self, name: str) -> list[Span]:
        """The spans whose name begins so."""
        return [span for span in self.told if span.name.startswith(name)]


def test_a_trace_goes_through_the_queue(tmp_path: Path, everywhere: str) -> None:
    """On the local queue in the job, on Pub/Sub beside it; tries and what became of them too."""
    followed, caller = Followed(tmp_path), begun()
    with following(caller):
        job = followed.route("raise please")
    followed.world.clock.move(5)
    followed.run()
    [sent], [queued], [process] = (followed.spans(name) for name in ("send", "queue", "process"))
    assert {span.context.trace_id for span in followed.told} == {caller.trace_id}
    assert sent.parent == caller
    assert process.parent is not None
    assert process.parent.span_id == sent.context.span_id
    assert job.upload.trace == sent.context.header
    assert process.error
    assert [event.attributes["earmark.try"] for event in queued.events] == [1, 2]
    assert queued.began_at == job.enqueued_at
    assert everywhere in {"local", "pubsub"}
    assert [span.error for span in followed.spans("generate_content")] == [process.error]


def test_each_entry_has_a_trace_of_its_own(tmp_path: Path) -> None:
    """Uploads that no request brought, as those of a batch, begin one each; the share of them is recorded."""
    followed, quiet = Followed(tmp_path), Followed(tmp_path / "other", share=0.0)
    jobs = [followed.route(f"sound {number}") for number in range(3)]
    followed.run()
    assert len({span.context.trace_id for span in followed.spans("process")}) == len(jobs)
    assert [span.parent for span in followed.spans("send")] == [None] * 3
    job = quiet.route("sound")
    quiet.run()
    assert quiet.told == []
    assert job.upload.trace is not None


def test_known_content_is_routed_and_nothing_more(tmp_path: Path) -> None:
    """Its trace ends with the router: nothing was queued."""
    followed = Followed(tmp_path)
    followed.route("sound")
    followed.run()
    followed.told.clear()
    followed.router.route([make_upload("sound")])
    [span] = followed.told
    assert (span.name, span.kind, span.attributes["earmark.fate"]) == ("route", SpanKind.INTERNAL, "known")


def test_one_line_says_all_about_a_job(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The canonical line of an answered job, of one that failed, and those about their tries, all with the trace."""
    followed = Followed(tmp_path)
    followed.world.fallback = fallback(tmp_path, ScriptedProvider(), followed.world.clock)
    with caplog.at_level(logging.INFO):
        weak = followed.route("weak answer")
        followed.run()
        followed.world.fallback = None
        failed = followed.route("crash always")
        followed.run()
    told = [(record.getMessage(), record.__dict__.get("fields", {})) for record in caplog.records]
    lines = {fields["job_id"]: fields for name, fields in told if name == "job.settled"}
    line = lines[weak.id]
    assert line["trace_id"] == trace_id_of(weak.upload.trace)
    wanted = {"status": "done", "lane": "low", "tier": "free", "origin": "command", "arm": "primary", "tries": 1,
              "model": "scripted", "fallback": "scripted/second", "fallback_why": ["weak"], "fallback_refused": None,
              "cost_usd": USD, "fallback_usd": pytest.approx(USD), "late": False, "error": None}  # fmt: skip
    assert {name: line[name] for name in wanted} == wanted
    assert {"confidence", "seconds", "queued_s", "decode_s", "predict_s", "primary_s", "fallback_s"} <= set(line)
    page = PAGE.read_text()
    assert [name for name in line if f"`{name}`" not in page] == []
    line = lines[failed.id]
    assert (line["status"], line["tries"], line["kind"], line["stage"]) == ("failed", 3, "model_crashed", "predict")
    retried = [fields for name, fields in told if name == "job.retried"]
    assert [fields["trace_id"] for fields in retried] == [trace_id_of(failed.upload.trace)] * 2
    assert all(fields.get("trace_id") for _, fields in told if "job_id" in fields)


class CountingProvider(ScriptedProvider):
    """One that sends a bill."""

    def ask(self, clip: object, fields: object) -> Reply:
        """With 120 tokens in and 30 out."""
        reply = super().ask(clip, fields)  # type: ignore[arg-type]
        return Reply(reply.prediction, reply.error, USD, Usage(1, 0, 100, 20, 0, 30))


def test_the_fallback_is_a_span_beside_the_primary(tmp_path: Path) -> None:
    """Both models' names, who provides them, the tokens that were billed, why; no word of what was said."""
    followed, provider = Followed(tmp_path), CountingProvider()
    followed.world.fallback = fallback(tmp_path, provider, followed.world.clock)
    followed.route("weak answer")
    followed.run()
    primary, second = followed.spans("generate_content")
    assert (primary.name, primary.kind) == ("generate_content scripted", SpanKind.INTERNAL)
    assert (second.name, second.kind) == ("generate_content second", SpanKind.CLIENT)
    assert primary.attributes["gen_ai.provider.name"] == "earmark"
    assert second.attributes["gen_ai.provider.name"] == "scripted"
    assert second.attributes["gen_ai.request.model"] == "second"
    assert second.attributes["gen_ai.usage.input_tokens"] == 120
    assert second.attributes["gen_ai.usage.output_tokens"] == 30
    assert second.attributes["earmark.fallback.reasons"] == ["weak"]
    assert second.parent == primary.parent == followed.spans("process")[0].context
    assert [event.name for event in primary.events] == ["gen_ai.evaluation.result"]
    assert "hello" not in repr(followed.told)
    page = PAGE.read_text()
    things = [*followed.told, *(event for span in followed.told for event in span.events)]
    names = {name for each in things for name in each.attributes} | {event.name for event in primary.events}
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_a_fallback_that_fails_says_how(tmp_path: Path) -> None:
    """Its span has the class of the error; the job has its answer all the same."""
    followed, provider = Followed(tmp_path), ScriptedProvider()
    provider.error = lambda: QuotaExhausted("no money")
    followed.world.fallback = fallback(tmp_path, provider, followed.world.clock)
    followed.route("weak answer")
    followed.run()
    assert [span.error for span in followed.spans("generate_content")] == ["", "quota_exhausted"]
    assert [span.error for span in followed.spans("process")] == [""]


def test_a_command_sends_what_it_has_before_it_ends(tmp_path: Path, collector: Collector) -> None:
    """``earmark analyze`` ends and its last spans have arrived; every line about the job has the trace's id."""
    command = Command(tmp_path, trace_endpoint=collector.endpoint, log_level="info", log_format="json")
    done = command.run_anew("analyze", EXAMPLE, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    spans = by_name(collector.spans)
    assert {"send low", "queue low", "process low", "decode", "settle"} <= set(spans)
    [trace_id] = {span.trace_id for span in spans.values()}
    log = "\n".join(line for line in done.stderr.splitlines() if line.startswith("{"))
    told = [line for line in lines(log) if "job_id" in line]
    assert {line["event"] for line in told} >= {"job.queued", "job.settled"}
    assert {line["trace_id"] for line in told} == {trace_id}


def test_a_collector_that_is_away_costs_nothing(tmp_path: Path) -> None:
    """The work is done, one line at most says that traces are lost, and the end is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:  # takes connections, and never answers
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        command = Command(tmp_path, trace_endpoint=address, log_level="info", log_format="json")
        began = time.monotonic()
        done = command.run_anew("route", EXAMPLE)
        assert time.monotonic() - began < 20
    assert done.returncode == 0, done.stderr
    assert "job.queued" in done.stderr
    assert done.stderr.count("spans.not_sent") <= 1
    assert "opentelemetry" not in done.stderr
