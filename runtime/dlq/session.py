"""What ``earmark dlq list``, ``show``, ``stats`` and ``discard`` do."""

from collections import Counter

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from router.dead_letters.letter import UNSETTLED, WAITING
from router.dead_letters.selection import grouped
from runtime import exit_status
from runtime.dlq import output as dlq_output
from runtime.dlq.desk import find_id, meant_ids, open_desk, say, selection, unknown
from runtime.dlq.filters import Filters
from runtime.signals import stoppable
from runtime.wiring import connect_existing


def list_all(settings: Settings, filters: Filters, *, letters: bool, as_json: bool) -> None:
    """Print groups, or letters."""
    with open_desk(settings, connect_existing(settings)) as desk:
        found = selection(filters, UNSETTLED).of(desk.office.each())
        if letters:
            dlq_output.print_letters(found, as_json=as_json)
        else:
            dlq_output.print_groups(grouped(found), as_json=as_json)


def show_one(settings: Settings, job_id: str, *, as_json: bool) -> None:
    """Print all about a letter.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    with open_desk(settings, connect_existing(settings)) as desk:
        letter = desk.office.look(find_id(desk.office, job_id))
        if letter is None:
            raise ConfigurationError(unknown(job_id))
        dlq_output.print_letter(letter, as_json=as_json)


def show_stats(settings: Settings, *, as_json: bool) -> None:
    """Print counts."""
    with open_desk(settings, connect_existing(settings)) as desk:
        counts: dict[str, Counter[str]] = {"state": Counter(), "kind": Counter(), "tenant": Counter()}
        oldest = now = desk.clock()
        for letter in desk.office.each():
            counts["state"][letter.state.value] += 1
            if letter.state in UNSETTLED:
                counts["kind"][letter.kind or "unknown"] += 1
                counts["tenant"][letter.tenant] += 1
            if letter.state in WAITING:
                oldest = min(oldest, letter.first_buried_at)
        dlq_output.print_stats(counts, (now - oldest).total_seconds(), as_json=as_json)


def discard_some(settings: Settings, filters: Filters, reason: str, *, dry_run: bool, as_json: bool) -> int:
    """Discard letters; returns the exit status."""
    with open_desk(settings, connect_existing(settings)) as desk, stoppable() as stop:
        meant = meant_ids(desk.office, filters, WAITING)
        if dry_run:
            dlq_output.print_plan("discarded", grouped(filter(None, desk.office.look_all(meant))), as_json=as_json)
            return 0
        done = sum(desk.office.discard(meant, reason, stopped=stop.is_set))
        passed_over = len(meant) - done
        dlq_output.print_counts({"discarded": done, "passed_over": passed_over}, as_json=as_json)
        if stop.is_set():
            return exit_status.INTERRUPTED
        if passed_over:
            say(f"{passed_over} passed over: only open and quarantined letters can be discarded.")
        return exit_status.SOME_NOT_DONE if passed_over else 0
