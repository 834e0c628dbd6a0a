"""Rows of the README's table of figures about lanes, Pub/Sub and kills, language models, and the API."""

from collections.abc import Callable, Mapping
from typing import Final

Rows = list[tuple[str, str, str]]

BATCHES: Final = (1, 8, 32)
"""Of Qwen2-Audio."""
CLIENTS: Final = (1, 4, 16)
"""Of the API, at a time."""


def lanes(found: Mapping[str, float]) -> Rows:
    """The waits of high jobs and the share of low ones."""

    def wait(name: str) -> str:
        return f"{found[f'{name}_p50_ms']:,.0f} / {found[f'{name}_p99_ms']:,.0f} ms"

    behind = f"{found['low_jobs']:,.0f} low jobs of 5 ms queued, 2 workers"
    rows = [(f"wait of a high job, {behind}: p50 / p99", wait("local"), "p99 at most 50 ms")]
    others = {
        "local_reserved": "with a third worker for high alone",
        "local_defaults": "with the default `batch_jobs` and `poll_s`",
        "local_one_queue": "one queue instead of two lanes",
        "pubsub": "on the emulators of Google Cloud",
        "pubsub_reserved": "there, with a third worker for high alone",
        "pubsub_defaults": "there, with the defaults",
        "pubsub_one_queue": "there, one queue instead of two lanes, and a fifth of the low jobs",
        "celery": "Celery on Redis, priority steps",
        "dramatiq": "Dramatiq on Redis, a queue for each priority",
    }
    rows += [(f"the same: {what}", wait(name), "") for name, what in others.items() if f"{name}_p50_ms" in found]
    for place in ("local", "pubsub"):
        if f"{place}_low_share" in found:
            share, aged = found[f"{place}_low_share"], found[f"{place}_low_share_aged"]
            what = f"share of starts low gets while high never stops, {place}: as a rule / once it is aged"
            rows.append((what, f"{share:.2f} / {aged:.2f}", "0.20 / 0.50"))
    return rows


def pubsub(found: Mapping[str, float]) -> Rows:
    """Ratios on the emulator, and hoarding."""
    bare = f"{found['queue_bare_per_s']:,.0f}/s"
    rows = [
        (
            f"Pub/Sub emulator, drained a second ÷ bare pulls of 100 ({bare}), no stores: tries are noted in memory",
            f"{found['queue_memory_ratio']:.2f}",
            "at least 0.5",
        ),
        ("the same, tries noted on fake-gcs-server on the same two cores", f"{found['queue_gcs_ratio']:.2f}", ""),
        ("the same, 256 a pull, the most there is", f"{found['queue_gcs_256_ratio']:.2f}", ""),
        ("the same, state in a folder on disk, synced", f"{found['queue_disk_ratio']:.2f}", ""),
        ("the same: put a second by the router ÷ bare publishing", f"{found['queue_gcs_put_ratio']:.2f}", ""),
        (
            "the same with records and rows ÷ the bare writes of both stores",
            f"{found['stores_ratio']:.2f}",
            "at least 0.8",
        ),
    ]
    for name, what in (
        ("one", "a worker, one job at a time"),
        ("batch", "a worker, default batch"),
        ("streaming", "Google's streaming pull"),
    ):
        if f"hoard_{name}_held" in found:
            figure = f"{found[f'hoard_{name}_held']:,.0f} / {found[f'hoard_{name}_first_s']:.1f} s"
            rows.append((f"hoarded beyond what {what} is at / wait of a second one for its first", figure, ""))
    return rows


def chaos(found: Mapping[str, float]) -> Rows:
    """Faults and duplicates under kills."""
    rows: Rows = []
    for backend in ("local", "gcp"):
        if f"{backend}_jobs" in found:
            jobs, attacks = found[f"{backend}_jobs"], found[f"{backend}_attacks"]
            minutes = found[f"{backend}_minutes"]
            what = f"{backend}: {jobs:,.0f} jobs, {attacks:.0f} random kills and stops in {minutes:g} minutes"
            rows.append((f"{what}: jobs not accounted for", f"{found[f'{backend}_faults']:.0f}", "0"))
            rows.append(("the same: duplicates per 10,000", f"{found[f'{backend}_duplicates_per_10000']:.0f}", ""))
    return rows


GOOGLE_CLOUD: Final[Mapping[str, Callable[[Mapping[str, float]], Rows]]] = {
    "lanes": lanes,
    "pubsub": pubsub,
    "chaos": chaos,
}


def qwen2_audio(found: Mapping[str, float]) -> Rows:
    """Throughput beside plain ``generate``, and what the grammar costs."""

    def each(name: str) -> str:
        return " / ".join(f"{found[name.format(batch)]:.2f}" for batch in BATCHES)

    tokens = " / ".join(
        f"{batch * found[f'batch_{batch}_steps_per_s'] / found['plain_steps_per_s']:.2f}" for batch in BATCHES
    )
    named = " / ".join(map(str, BATCHES))
    what = f"Qwen2-Audio in process, tiny weights, one thread, batch {named}"
    rows: Rows = [
        (f"{what}: clips a second ÷ plain `generate` one by one", each("batch_{}_ratio"), ""),
        ("the same: tokens decoded a second ÷ its", tokens, ""),
        ("the same: a decode step with grammar and record ÷ the same without", each("overhead_{}_ratio"), ""),
    ]
    mask = f"{found['mask_mean_ms']:.2f} / {found['mask_p99_ms']:.1f} / {found['mask_answer_ms']:.0f} ms"
    rows.append(("the mask of one row, 151,643 tokens, whole schema: mean / p99 / sum of an answer", mask, ""))
    rows.append(("parsing an answer and scoring its fields", f"{found['reading_ms']:.1f} ms", ""))
    return rows


def fallback(found: Mapping[str, float]) -> Rows:
    """What asking for fields saves."""

    def share(name: str) -> str:
        tokens, short, long = (found[f"{name}_{what}_saved"] for what in ("tokens", "usd", "long_usd"))
        return f"{tokens:.0%} / {short:.0%} / {long:.0%}"

    right = " / ".join(f"{found[f'{name}_right']:.0%}" for name in ("nobody", "listed", "best", "whole"))
    what = f"fallback per field, default fields, {found['clips']:.0f} made-up clips, saved beside whole records"
    return [
        (f"{what}: tokens / dollars / dollars at 30 s a clip", share("listed"), ""),
        ("the same, all fields listed", share("all"), ""),
        ("fields right: no fallback / per field / whole records, better answers / whole records, replaced", right, ""),
    ]


MODELS: Final[Mapping[str, Callable[[Mapping[str, float]], Rows]]] = {"qwen2_audio": qwen2_audio, "fallback": fallback}


def realtime(found: Mapping[str, float]) -> Rows:
    """Answers to posted clips beside the bare model."""
    rows: Rows = []
    for place in ("local", "cloud"):
        for at in CLIENTS:
            if f"{place}_p95_ms_{at}" not in found:
                continue
            bound = f"at most {found[f'{place}_bound_ms_{at}']:,.0f} ms" if place == "local" else ""
            figure = " / ".join(f"{found[f'{place}_{name}_ms_{at}']:,.0f}" for name in ("p50", "p95", "bare_p95"))
            where = "local" if place == "local" else "on the emulators of Google Cloud"
            what = f"a 10 s clip posted, {at} at a time, {found['low_jobs']:,.0f} low jobs queued, {where}"
            rows.append((f"{what}: p50 / p95 / p95 of the bare model", f"{figure} ms", bound))
    return rows


def batches(found: Mapping[str, float]) -> Rows:
    """How quickly manifests are taken, and in how much memory."""
    return [
        ("a batch of 100,000 lines, local: entries accepted a second", f"{found['accepted_per_s']:,.0f}", ""),
        ("the same: peak memory ÷ that for 10,000 lines", f"{found['feed_growth']:.2f}", "about 1"),
    ]


API: Final[Mapping[str, Callable[[Mapping[str, float]], Rows]]] = {"realtime": realtime, "batches": batches}
