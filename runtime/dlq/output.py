"""How ``earmark dlq`` prints: JSON for programs, plain blocks of text for people."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from earmark.domain import Failure
from earmark.log import masked
from router.dead_letters.letter import DeadLetter
from router.dead_letters.selection import Group

TENANTS_SHOWN = 5


def print_groups(groups: Sequence[Group], *, as_json: bool) -> None:
    """Groups, the largest first."""
    if as_json:
        _print_json([_group_fields(group) for group in groups])
        return
    for group in groups:
        _print_group(group)
    count = sum(group.count for group in groups)
    text = f"{_number(count, 'letter')} in {_number(len(groups), 'group')}."
    _print(text if count else "No dead letters.")


def print_plan(verb: str, groups: Sequence[Group], *, as_json: bool) -> None:
    """What a command would do."""
    if as_json:
        _print_json({"count": sum(group.count for group in groups), "groups": [_group_fields(each) for each in groups]})
        return
    for group in groups:
        _print_group(group)
    _print(f"{_number(sum(group.count for group in groups), 'letter')} would be {verb}; nothing was changed.")


def print_letters(letters: Iterable[DeadLetter], *, as_json: bool) -> None:
    """A line a letter, as they come; JSON lines if asked for."""
    for letter in letters:
        failure = letter.failure
        fields = {
            "id": letter.id,
            "state": letter.state.value,
            "tenant": letter.tenant,
            "kind": letter.kind,
            "stage": failure.stage if failure else "",
            "model": letter.model,
            "fingerprint": letter.fingerprint,
            "message": failure.message if failure else "",
            "first_buried_at": letter.first_buried_at.isoformat(),
            "last_buried_at": letter.last_buried_at.isoformat(),
            "expires_at": letter.expires_at.isoformat(),
            "replays": len(letter.replays),
            "failed_replays": letter.failed_replays,
            "reason": letter.reason,
        }
        if as_json:
            _print(json.dumps(fields))
        else:
            end = f"  ({masked(letter.reason)})" if letter.reason else f"  {masked(str(fields['message']))}"
            at = _time(letter.last_buried_at)
            _print(f"{letter.id}  {letter.state:11}  {at}  {letter.tenant}  {letter.kind or 'unknown'}{end}")


def print_letter(letter: DeadLetter, *, as_json: bool) -> None:
    """Everything about a letter."""
    if as_json:
        extra = {"id": letter.id, "fingerprint": letter.fingerprint, "failed_replays": letter.failed_replays}
        _print_json(extra | letter.model_dump(mode="json"))
        return
    job, upload = letter.job, letter.job.upload
    lines = {
        "letter": letter.id,
        "state": letter.state.value + (f": {masked(letter.reason)}" if letter.reason else ""),
        "group": letter.fingerprint,
        "tenant": f"{upload.tenant} ({upload.tier})",
        "upload": f"{masked(upload.uri)}, {upload.size_bytes} bytes, {upload.origin}, {_time(upload.received_at)}",
        "content": upload.content_sha256,
        "lane": f"{job.lane}, arm {job.arm}, pipeline {job.pipeline}",
        "buried": f"{_time(letter.first_buried_at)}, last {_time(letter.last_buried_at)}",
        "resolved": _time(letter.resolved_at) if letter.resolved_at else "",
        "expires": _time(letter.expires_at),
    }
    for name, text in lines.items():
        if text:
            _print(f"{name:9} {text}")
    for number, life in enumerate(letter.lives, 1):
        _print(f"\nlife {number}, put {_time(life.enqueued_at)}, buried {_time(life.buried_at)}")
        for failure in life.failures:
            _print_failure(failure)
    if letter.replays:
        _print("\nreplays")
    for replay in letter.replays:
        ended = f" {_time(replay.ended_at)}" if replay.ended_at else ""
        on = f" on {replay.model}" if replay.model else ""
        _print(f"  {_time(replay.at)} by {replay.by}{on}: {replay.outcome}{ended}")
    if letter.acts:
        _print("\nacts")
    for act in letter.acts:
        more = "; ".join(masked(text) for text in (act.reason, act.detail) if text)
        _print(f"  {_time(act.at)} {act.action} by {act.actor}{f': {more}' if more else ''}")


def print_stats(counts: Mapping[str, Counter[str]], oldest_s: float, *, as_json: bool) -> None:
    """Counts by state, class and tenant."""
    if as_json:
        _print_json({name: dict(counter.most_common()) for name, counter in counts.items()} | {"oldest_s": oldest_s})
        return
    for name, counter in counts.items():
        _print(f"{name:9} {_counted(counter) or '-'}")
    _print(f"{'oldest':9} {oldest_s / 3600:.1f} h")


def print_counts(counts: Mapping[str, int], *, as_json: bool, end: str = "") -> None:
    """What a command did."""
    if as_json:
        _print_json({**counts, **({"end": end} if end else {})})
    else:
        told = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
        _print(", ".join(told) or "Nothing to do.")


def _group_fields(group: Group) -> dict[str, object]:
    return {
        "fingerprint": group.fingerprint,
        "count": group.count,
        "states": dict(group.states),
        "kinds": dict(group.kinds),
        "stage": group.stage,
        "model": group.model,
        "tenants": dict(group.tenants.most_common()),
        "first_at": group.first_at.isoformat(),
        "last_at": group.last_at.isoformat(),
        "message": group.message,
        "remedy": group.remedy,
        "sample": group.sample,
    }


def _print_group(group: Group) -> None:
    _print(f"{group.fingerprint}  {_number(group.count, 'letter')}: {_counted(group.states)}")
    on = f" on {group.model}" if group.model else ""
    _print(f"  {_counted(group.kinds) if len(group.kinds) > 1 else next(iter(group.kinds))} at {group.stage}{on}")
    _print(f"  {masked(group.message)}")
    if group.remedy:
        _print(f"  {masked(group.remedy)}")
    _print(f"  tenants: {_counted(group.tenants)}")
    _print(f"  buried {_time(group.first_at)} to {_time(group.last_at)}; as {', '.join(group.sample)}\n")


def _print_failure(failure: Failure) -> None:
    _print(f"  try {failure.try_number}  {_time(failure.at)}  {failure.kind} at {failure.stage}, {failure.fingerprint}")
    _print(f"         {masked(failure.message)}")
    if failure.remedy:
        _print(f"         {masked(failure.remedy)}")
    _print(
        f"         model {f'{failure.model} {failure.model_version}'.strip() or '-'}, worker {failure.worker or '-'}"
    )


def _counted(counter: Counter[str]) -> str:
    shown = [f"{name or 'unknown'} {count}" for name, count in counter.most_common(TENANTS_SHOWN)]
    more = len(counter) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _print_json(value: object) -> None:
    _print(json.dumps(value, indent=1))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
