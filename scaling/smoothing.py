"""``Smoothed``: an average of a rate that forgets, unbiased from its first value on."""

import math


class Smoothed:
    """An exponentially weighted mean over time."""

    __slots__ = ("_over_s", "_sum", "_weight")

    def __init__(self, over_s: float) -> None:
        """Take the seconds after which a value counts for 1/e of one that comes now."""
        self._over_s = over_s
        self._sum = 0.0
        self._weight = 0.0

    def add(self, value: float, span_s: float) -> None:
        """Take in the mean over the last ``span_s`` seconds."""
        keep = math.exp(-span_s / self._over_s)
        self._sum = self._sum * keep + value * (1 - keep)
        self._weight = self._weight * keep + (1 - keep)

    @property
    def value(self) -> float | None:
        """The mean; ``None`` = there is no value yet."""
        return self._sum / self._weight if self._weight > 0 else None

    @property
    def lag_s(self) -> float:
        """By how many seconds the mean is behind a value that rises steadily.

        Over an endless past it is ``over_s``; over a past of h seconds with o = ``over_s`` the mean age of what was
        seen is o - h / (e^(h/o) - 1), and the weight 1 - e^(-h/o) tells h.
        """
        if not 0 < self._weight < 1:
            return self._over_s if self._weight else 0.0
        past = -math.log1p(-self._weight)
        return self._over_s * (1 - past * (1 - self._weight) / self._weight)
