"""Rows: what counts as the same one."""

from datetime import timedelta
from pathlib import Path

from earmark.domain import Record
from earmark.metadata import AudioMetadata, Rated
from earmark.rows import failure_row, label_rows
from earmark.vocabulary import Genre
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import EPOCH, make_failure, make_lease


def test_a_try_of_a_later_run_is_another_row() -> None:
    """A job that is sent again begins with its first try anew, and the earlier failure is not overwritten."""
    first = make_failure()
    later = first.model_copy(update={"at": EPOCH + timedelta(days=1)})
    rows = [failure_row("j", "acme", failure, final=False) for failure in (first, first, later)]
    assert len({row.row_id for row in rows}) == 2


def test_one_word_in_two_fields_is_two_rows(tmp_path: Path) -> None:
    """A genre may also be a tag."""
    words = {"genres": [Rated(value=Genre.JAZZ, score=0.4)], "tags": [Rated(value=Genre.JAZZ.value, score=0.3)]}
    analysis = done(make_lease(), World(tmp_path)).outcome.analysis  # type: ignore[union-attr]
    record = Record.model_validate(
        {
            "job_id": analysis.job_id,
            "tenant": analysis.tenant,
            "status": "done",
            "analysis": analysis.model_copy(update={"metadata": AudioMetadata.model_validate(words)}),
            "enqueued_at": EPOCH,
            "settled_at": EPOCH,
        }
    )
    assert len({row.row_id for row in label_rows(record)}) == 2
