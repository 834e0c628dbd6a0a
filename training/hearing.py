"""What the listener's networks make of every clip of a corpus, kept so that fitting takes seconds.

    python -m training.hearing --corpus DIR [--part 0/2]

Clips that were heard before are skipped, so it can be interrupted, and several parts can run side by side.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources import read
from workers.models.listener.events import EventDetector
from workers.models.listener.speech import Segment, Speech, Transcriber, Voice, spans_of
from workers.models.listener.tags import TagFrames, Tagger

Row = dict[str, Any]


def clips(corpus: Path) -> list[Row]:
    """The rows of ``clips.jsonl``."""
    return [json.loads(line) for line in (corpus / "clips.jsonl").read_text(encoding="utf-8").splitlines()]


def shuffled(rows: list[Row]) -> list[Row]:
    """The rows in an order without meaning: an interrupted run leaves a fair sample."""
    return sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())


def hear(corpus: Path, part: int, parts: int) -> None:
    """Tags, events and voice of every clip of a part that was not heard before."""
    out = corpus / "heard"
    out.mkdir(exist_ok=True)
    tagger, detector, transcriber = Tagger(threads=1), EventDetector(), Transcriber(threads=1)
    for row in shuffled(clips(corpus))[part::parts]:
        kept = out / f"{row['id']}.npz"
        if kept.exists():
            continue
        samples = read(corpus / "clips" / f"{row['id']}.wav", 120.0)
        frames, voice = tagger.listen(samples), transcriber.hear(samples)
        np.savez_compressed(
            kept.with_suffix(".part.npz"),
            **{name: getattr(frames, name) for name in ("start_s", "msd", "mtt", "msd_features", "mtt_features")},
            events=detector.listen(samples).astype(np.float16),
            voice=voice.probabilities.astype(np.float16),
            duration_s=np.float64(voice.duration_s),
        )
        kept.with_suffix(".part.npz").rename(kept)


def hear_words(corpus: Path, part: int, parts: int) -> None:
    """Transcripts of the clips of a part whose wording or language is known."""
    out = corpus / "words"
    out.mkdir(exist_ok=True)
    transcriber = Transcriber(threads=1)
    told = [row for row in clips(corpus) if row["wording"] or (row["language"] and row["content_type"] == "speech")]
    for row in shuffled(told)[part::parts]:
        kept = out / f"{row['id']}.json"
        if not kept.exists():
            speech = transcriber.listen(read(corpus / "clips" / f"{row['id']}.wav", 120.0))
            found = {"speech_s": speech.speech_s, "segments": [asdict(segment) for segment in speech.segments]}
            kept.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
            kept.with_suffix(".part").rename(kept)


def recall(corpus: Path, row: Row) -> tuple[TagFrames, NDArray[np.float32], Voice]:
    """What was heard in a clip: tags, events and voice."""
    with np.load(corpus / "heard" / f"{row['id']}.npz") as kept:
        frames = TagFrames(*(kept[name] for name in ("start_s", "msd", "mtt", "msd_features", "mtt_features")))
        probabilities, duration_s = kept["voice"].astype(np.float32), float(kept["duration_s"])
        voice = Voice(duration_s, probabilities, spans_of(probabilities, duration_s))
        return frames, kept["events"].astype(np.float32), voice


def recall_words(corpus: Path, row: Row) -> Speech | None:
    """The transcript of a clip; ``None`` where none was made."""
    kept = corpus / "words" / f"{row['id']}.json"
    if not kept.exists():
        return None
    found = json.loads(kept.read_text(encoding="utf-8"))
    voice = Voice(row["duration_s"], np.zeros(0, np.float32), ((0.0, found["speech_s"]),))
    return Speech(voice, tuple(Segment(**segment) for segment in found["segments"]))


def main() -> None:
    """Listen to a corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--words", action="store_true", help="transcripts only")
    parser.add_argument("--part", default="0/1", help="which of how many parts, such as 0/2")
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    if not given.words:
        hear(given.corpus, part, parts)
    hear_words(given.corpus, part, parts)


if __name__ == "__main__":
    main()
