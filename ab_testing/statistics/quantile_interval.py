"""Quantiles of an arm from counts by bin, with intervals that hold at every look.

If x is the quantile q, each value falls below x with chance q; the beta-binomial mixture tests that at every look.
All x at which the count below is no evidence against it are the interval (the construction of Howard and Ramdas 2022,
"Sequential estimation of quantiles with applications to A/B testing and best-arm identification").  Only edges of bins
are tried, which makes the interval wider by up to a bin, and never wrong.
"""

import math
from collections.abc import Mapping
from typing import Final, Self

from ab_testing.evidence import BIN_OF_ZERO, BIN_RATIO, Moments, bin_edges
from ab_testing.statistics.binomial_interval import Interval
from ab_testing.statistics.e_process import log_mixture

CONCENTRATION: Final = 100.0
"""a + b of the mixture, for the narrowest interval at some thousand values."""


class Distribution:
    """How many values lie below each edge of a bin.

    Args:
        counts: values by bin; need not be whole, so that one can ask about data that are yet to come.
    """

    def __init__(self, counts: Mapping[int, float]) -> None:
        self.counts = counts
        self._numbers = sorted(number for number, count in counts.items() if count)
        self._below: list[float] = []
        self.values = 0.0
        for number in self._numbers:
            self._below.append(self.values)
            self.values += counts[number]

    @classmethod
    def of(cls, bins: Mapping[int, Moments]) -> Self:
        """Of sums by bin."""
        return cls({number: moments.n for number, moments in bins.items()})

    def with_more(self, other: Self, values: float) -> "Distribution":
        """These, and so many ``values`` that lie like those of ``other``."""
        each = values / other.values
        return Distribution(
            {
                number: self.counts.get(number, 0.0) + each * other.counts.get(number, 0.0)
                for number in {*self.counts, *other.counts}
            }
        )

    def quantile(self, q: float) -> float:
        """The value below which a part ``q`` lies, as if values lay evenly (by their logarithm) in their bin.

        Raises:
            ValueError: there are no values.
        """
        if not self.values:
            message = "no values have no quantile"
            raise ValueError(message)
        rank = q * self.values
        index = max(i for i in range(len(self._numbers)) if self._below[i] <= rank)
        number = self._numbers[index]
        if number == BIN_OF_ZERO:
            return 0.0
        up_to = self._below[index + 1] if index + 1 < len(self._numbers) else self.values
        part = (rank - self._below[index]) / (up_to - self._below[index])
        return bin_edges(number)[0] * float(BIN_RATIO ** min(1.0, part))

    def interval(self, q: float, alpha: float, times: float = 1.0) -> Interval:
        """From where to where the quantile ``q`` of all values yet to come may lie.

        Args:
            q: which quantile, such as 0.95.
            alpha: chance of ever missing the truth.
            times: how many times these data there are to be, to ask about data that are yet to come.

        The lower end is 0, and the upper one infinite, as long as the data bound it by nothing else.
        """
        low, high = 0.0, math.inf
        a, b, least = CONCENTRATION * q, CONCENTRATION * (1 - q), -math.log(alpha)
        values = times * self.values

        def speaks(count: float) -> bool:
            return log_mixture(times * count, values, q, a, b) >= least

        # Counts rise with the edges, and with their distance from q * values so does the evidence: halve.
        first, last = 0, len(self._numbers)
        while first < last:
            middle = (first + last) // 2
            count = self._below[middle]
            if count < q * self.values and speaks(count):
                first = middle + 1
            else:
                last = middle
        if first:
            low = bin_edges(self._numbers[first - 1])[0]
        first, last = 0, len(self._numbers)
        while first < last:
            middle = (first + last) // 2
            count = self._below[middle + 1] if middle + 1 < len(self._numbers) else self.values
            if count > q * self.values and speaks(count):
                last = middle
            else:
                first = middle + 1
        if first < len(self._numbers):
            high = bin_edges(self._numbers[first])[1]
        return Interval(low, high)
