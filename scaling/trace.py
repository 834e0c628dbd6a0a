"""``Trace``: what arrives when, by lane; 16 bytes for each arrival, 24 while it is read."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress

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
        self._columns = {lane: (array("d"), array("d"), array("Q")) for lane in Lane}

    def add(self, lane: Lane, at_s: float, audio_s: float, line: int = 0) -> None:
        """Take one more; both numbers finite, the length not below zero; ``line`` is where it was read."""
        at, audio, lines = self._columns[lane]
        at.append(at_s)
        audio.append(audio_s)
        lines.append(line)

    def leave_out_far(self, span_s: float) -> list[int]:
        """Keep those of the fullest span of so many seconds, of several as full the earliest.

        Returns:
            The lines of all others, in order; none where all arrivals lie within the span.
        """
        ends = [(min(at), max(at)) for at, _, _ in self._columns.values() if at]
        if not ends or max(last for _, last in ends) - min(first for first, _ in ends) <= span_s:
            return []
        begin_s = _fullest(array("d", sorted(each for at, _, _ in self._columns.values() for each in at)), span_s)
        far = list[int]()
        for lane, (at, audio, lines) in self._columns.items():
            near = [begin_s <= each and each - begin_s <= span_s for each in at]
            far += (line for line, kept in zip(lines, near, strict=True) if not kept)
            self._columns[lane] = (
                array("d", compress(at, near)),
                array("d", compress(audio, near)),
                array("Q", compress(lines, near)),
            )
        return sorted(far)

    def trace(self) -> Trace:
        """All of them in order, from zero on; of several at the same moment the one added first goes first."""
        first_s = min((min(at) for at, _, _ in self._columns.values() if at), default=0.0)
        return Trace({lane: _ordered(at, audio, first_s) for lane, (at, audio, _) in self._columns.items()})


def _fullest(at: "array[float]", span_s: float) -> float:
    """Where the span begins that holds most of these times, which are in order."""
    begin, most, begin_s = 0, 0, at[0]
    for end, each in enumerate(at):
        while each - at[begin] > span_s:
            begin += 1
        if end - begin + 1 > most:
            most, begin_s = end - begin + 1, at[begin]
    return begin_s


def _ordered(at: "array[float]", audio: "array[float]", first_s: float) -> Arrivals:
    if any(later < earlier for earlier, later in zip(at, memoryview(at)[1:], strict=False)):
        order = sorted(range(len(at)), key=at.__getitem__)
        at, audio = array("d", (at[each] for each in order)), array("d", (audio[each] for each in order))
    return Arrivals(array("d", (each - first_s for each in at)) if first_s else at, audio)
