"""``Trace``: what arrives when, by lane; 16 bytes for each arrival, so that a million are 16 MB."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

from earmark.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrives in one lane, the earliest first; two columns of equal length."""

    at_s: "array[float]"
    """Seconds since the first arrival of all lanes."""
    audio_s: "array[float]"

    def __len__(self) -> int:
        """How many there are."""
        return len(self.at_s)


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals of all lanes."""

    lanes: Mapping[Lane, Arrivals]

    @property
    def end_s(self) -> float:
        """When the last one arrives."""
        return max((each.at_s[-1] for each in self.lanes.values() if each.at_s), default=0.0)

    def __len__(self) -> int:
        """How many arrive."""
        return sum(map(len, self.lanes.values()))


class Gathering:
    """Makes a trace from arrivals in any order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._columns = {lane: (array("d"), array("d")) for lane in Lane}

    def add(self, lane: Lane, at_s: float, audio_s: float) -> None:
        """Take one more; both numbers finite, the length not below zero."""
        at, audio = self._columns[lane]
        at.append(at_s)
        audio.append(audio_s)

    def trace(self) -> Trace:
        """All of them in order, from zero on; of several at the same moment the one added first goes first."""
        first_s = min((min(at) for at, _ in self._columns.values() if at), default=0.0)
        return Trace({lane: _ordered(at, audio, first_s) for lane, (at, audio) in self._columns.items()})


def _ordered(at: "array[float]", audio: "array[float]", first_s: float) -> Arrivals:
    if any(later < earlier for earlier, later in zip(at, memoryview(at)[1:], strict=False)):
        order = sorted(range(len(at)), key=at.__getitem__)
        at, audio = array("d", (at[each] for each in order)), array("d", (audio[each] for each in order))
    return Arrivals(array("d", (each - first_s for each in at)) if first_s else at, audio)
