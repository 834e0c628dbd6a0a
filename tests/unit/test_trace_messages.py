"""Traces in messages: workers of an earlier version read new ones, and new workers read old ones."""

import json

from earmark.domain import Upload, job_id
from earmark.trace import begun
from earmark.wire import Letter, decode_job, encode_job
from router.dead_letters.collector import Collector
from router.dead_letters.letters import Letters
from runtime.dlq.desk import make_collector
from runtime.gcp.messages import TRACE, letter_of, message_of
from tests.api_world import ApiWorld
from tests.making import make_failure, make_job

HEADER = begun(1.0).header
JOB = make_job()


def test_on_pubsub_the_trace_is_beside_the_job() -> None:
    """The bytes are those of a job without one, which every version reads; the attribute brings it back."""
    message = message_of(Letter(JOB.traced(HEADER)), JOB.traced(HEADER))
    assert message.data == encode_job(JOB)
    assert message.attributes[TRACE] == HEADER
    assert letter_of(type(message).pb(message)).job == JOB.traced(HEADER)


def test_a_letter_keeps_it() -> None:
    """Beside its history."""
    letter = Letter(JOB.traced(HEADER), (make_failure(),))
    message = message_of(letter, letter.job)
    assert letter_of(type(message).pb(message)) == letter


def test_an_old_message_has_none() -> None:
    """And neither has one whose attribute says nothing."""
    message = message_of(Letter(JOB), JOB)
    assert TRACE not in message.attributes
    assert letter_of(type(message).pb(message)).job.upload.trace is None
    message.attributes[TRACE] = "nonsense"
    assert letter_of(type(message).pb(message)).job.upload.trace is None


def test_on_one_machine_it_is_in_the_job() -> None:
    """Old bytes have none; the id of a job is the same with and without."""
    fields = json.loads(encode_job(JOB))
    assert "trace" not in fields["upload"]
    assert decode_job(encode_job(JOB.traced(HEADER))) == JOB.traced(HEADER)
    upload: Upload = JOB.traced(HEADER).upload
    assert JOB.traced(HEADER).id == job_id(upload.tenant, upload.content_sha256, "test")


def test_a_dead_letter_is_stored_without_it(tmp_path: object) -> None:
    """Other versions read the letter too; a replay is a trace of its own."""
    with ApiWorld(tmp_path) as world, Letters(world.backend.state) as letters:  # type: ignore[arg-type]
        queue = world.backend.lanes[JOB.lane]
        queue.put([JOB.traced(HEADER)])
        [lease] = queue.lease(1, 60)
        assert lease.job.upload.trace == HEADER
        queue.bury(lease, make_failure())
        collector: Collector = make_collector(world.settings, world.backend, letters, world.clock)
        collector.run_once()
        letter = letters.read(JOB.id)
        assert letter is not None
        assert letter.job.upload.trace is None
