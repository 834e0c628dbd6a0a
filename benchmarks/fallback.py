"""What asking the fallback for single fields saves beside asking for whole records, on a labelled set.

    python -m benchmarks.fallback [--quick] [--write]

The primary is the tiny Qwen2-Audio, calibrated on one half of the clips; the policies are compared on the other half.
The fallback is the provider of the tests over HTTP, calibrated likewise, at OpenAI's prices.  The threshold is the same
for all.  With ``--write`` the table goes into ``docs/figures-models.md``, which says what it shows and what not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch

from benchmarks.page import write_between
from benchmarks.sound_set import Labelled, Mix, labelled_clips
from earmark.clock import utc_now
from earmark.domain import Clip, Prediction
from earmark.metadata import AudioMetadata, record_confidence
from earmark.settings import Settings
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN
from workers.calibration import Calibration, Identity, LabelSet
from workers.calibration_fit import Label, fit
from workers.cascade import ALL_FIELDS, CascadeRules, Reason, listed_fields, merge, weak_fields
from workers.judging import JUDGED, Truth, is_right, judge
from workers.models.openai_compatible import OpenAICompatible
from workers.models.prices import PER
from workers.models.provider import Prices, load_providers
from workers.models.qwen2_audio import load
from workers.reply import Reply, Usage

PAGE: Final = Path("docs/figures-models.md")
CLIPS: Final = 480
"""The first half fits, the second is judged."""
POLICIES: Final[Mapping[str, str]] = {
    "nobody": "no fallback",
    "listed": "weak fields among the default `EARMARK_FALLBACK_FIELDS`",
    "all": "weak fields, all listed",
    "whole": "whole records below the threshold; the fallback's stands",
    "best": "the same; the better answer of each field stands",
    "everything": "every record",
}
LONG_S: Final = 30.0
"""The length of a window, for which the cost is told too."""


@dataclass
class Policy:
    """What one way of asking came to."""

    name: str
    asked: int = 0
    """Clips that the fallback was asked about."""
    fields: int = 0
    """Fields that it was asked about, over all clips."""
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    long_usd: float = 0.0
    """What it would cost if every clip had 30 s."""
    right: int = 0
    known: int = 0
    """Fields with a truth."""

    def judge(self, metadata: AudioMetadata, truth: Truth) -> None:
        """Count what of a record is right; what is missing is not."""
        for name in JUDGED:
            wanted = getattr(truth, name)
            if wanted is not None:
                self.known += 1
                self.right += is_right(name, getattr(metadata, name).value, wanted) is True

    def pay(self, reply: Reply, fields: int, audio_s: float, prices: Prices) -> None:
        """Count a question."""
        self.asked += 1
        self.fields += fields
        self.usage += reply.usage
        self.usd += reply.cost_usd
        more = reply.usage.audio_tokens * (LONG_S / audio_s - 1)
        self.long_usd += reply.cost_usd + more * prices.audio_in / PER

    @property
    def tokens(self) -> int:
        """Of questions and answers."""
        return self.usage.audio_tokens + self.usage.text_tokens + self.usage.answer_tokens


class Listeners:
    """The primary and the fallback, both calibrated on clips of their own."""

    def __init__(self, provider: OpenAICompatible, labelled: Sequence[Labelled]) -> None:
        """Load the primary and fit both."""
        self.provider = provider
        self._primary = load(threads=torch.get_num_threads(), path=str(TINY_QWEN), dtype="float32", audio_s=320.0)
        heard = self._primary.predict([each.clip for each in labelled])
        self.primary_curves = fitted("qwen2_audio", heard, labelled)
        replies = [provider.ask(each.clip, ALL_FIELDS).prediction for each in labelled]
        self.fallback_curves = fitted("openai_compatible", replies, labelled)

    def first(self, clips: Sequence[Clip]) -> list[AudioMetadata]:
        """What the primary says, calibrated."""
        heard = self._primary.predict(clips)
        return [AudioMetadata() if said is None else self.primary_curves.apply(said.metadata) for said in heard]

    def second(self, clip: Clip, fields: Sequence[str]) -> tuple[AudioMetadata, Reply]:
        """What the fallback says about some fields, calibrated."""
        reply = self.provider.ask(clip, fields)
        if reply.prediction is None:
            message = f"The test provider gave no answer: {reply.error}"
            raise RuntimeError(message)
        return self.fallback_curves.apply(reply.prediction.metadata), reply


def fitted(model: str, heard: Sequence[Prediction | None], labelled: Sequence[Labelled]) -> Calibration:
    """A calibration from what a model said about clips of known truth."""
    labels = [
        Label(judged.field, judged.right, each.clip.job_id, score=judged.score)
        for said, each in zip(heard, labelled, strict=True)
        if said is not None
        for judged in judge(said.metadata, each.truth)
    ]
    label_set = LabelSet(source="benchmarks", sha256="0" * 64, count=len(labels), recordings=len(labelled))
    return fit(labels, identity=Identity(model), label_set=label_set, fitted_at=utc_now())


def compare(listeners: Listeners, labelled: Sequence[Labelled], *, threshold: float, prior: float) -> list[Policy]:
    """Every policy on the same clips; a question that several of them put is put once and paid by each."""
    fields = {"listed": listed_fields(Settings().fallback_fields), "all": listed_fields("all")}
    policies = {name: Policy(what) for name, what in POLICIES.items()}
    prices = listeners.provider.provider.prices
    for each, primary in zip(labelled, listeners.first([each.clip for each in labelled]), strict=True):
        records = dict.fromkeys(policies, primary)
        for name, chosen in fields.items():
            asked = weak_fields(primary, CascadeRules(threshold, chosen, prior))
            if asked:
                said, reply = listeners.second(each.clip, list(asked))
                policies[name].pay(reply, len(asked), each.clip.duration_s, prices)
                records[name] = merge(primary, said, asked, prior=prior).metadata
        said, reply = listeners.second(each.clip, ALL_FIELDS)
        weak = (record_confidence(primary) or 0.0) < threshold
        for name in ("whole", "best", "everything"):
            if weak or name == "everything":
                policies[name].pay(reply, len(ALL_FIELDS), each.clip.duration_s, prices)
                records[name] = said
        if weak:
            records["best"] = merge(primary, said, dict.fromkeys(ALL_FIELDS, Reason.WEAK), prior=prior).metadata
        for name, record in records.items():
            policies[name].judge(record, each.truth)
    return list(policies.values())


def saved(ours: float, theirs: float) -> float:
    """The share that one saves beside another; negative where it takes more."""
    return 1 - ours / theirs if theirs else 0.0


def table(policies: Sequence[Policy], clips: int) -> str:
    """The policies as Markdown."""
    lines = [
        "| policy | clips sent | fields asked | tokens | dollars | dollars at 30 s | fields right |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in policies:
        right = each.right / max(each.known, 1)
        lines.append(
            f"| {each.name} | {each.asked} of {clips} | {each.fields} | {each.tokens:,} | {each.usd:.3f} | "
            f"{each.long_usd:.3f} | {right:.1%} |"
        )
    return "\n".join(lines)


def figures(policies: Sequence[Policy], clips: int) -> dict[str, float]:
    """For the README: each policy, and what the per-field ones save beside the whole record."""
    found: dict[str, float] = {"clips": clips}
    by_name = dict(zip(POLICIES, policies, strict=True))
    for name, each in by_name.items():
        found |= {f"{name}_sent": each.asked / clips, f"{name}_right": each.right / max(each.known, 1)}
        found |= {f"{name}_tokens": each.tokens, f"{name}_usd": each.usd, f"{name}_long_usd": each.long_usd}
    whole = by_name["whole"]
    for name in ("listed", "all"):
        found[f"{name}_tokens_saved"] = saved(by_name[name].tokens, whole.tokens)
        found[f"{name}_usd_saved"] = saved(by_name[name].usd, whole.usd)
        found[f"{name}_long_usd_saved"] = saved(by_name[name].long_usd, whole.long_usd)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--quick", action="store_true", help="few clips: a smoke run")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    parser.add_argument("--threshold", type=float, default=0.8)
    options = parser.parse_args(arguments)
    count = 60 if options.quick else CLIPS
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, OpenAIServer() as server:
        provider = load_providers()["openai"].model_copy(
            update={"url": server.url, "key_variable": "", "requests_per_minute": 0, "tokens_per_minute": 0}
        )
        labelled = labelled_clips(Path(folder), count, 1, Mix())
        with OpenAICompatible(provider, environment={}) as client:
            listeners = Listeners(client, labelled[: count // 2])
            judged = labelled[count // 2 :]
            policies = compare(listeners, judged, threshold=options.threshold, prior=Settings().fallback_prior)
    lines = table(policies, len(judged))
    print(lines)
    if options.write:
        write_between(PAGE, "fallback", lines)
    if options.json:
        options.json.write_text(json.dumps(figures(policies, len(judged))))


if __name__ == "__main__":
    main()
