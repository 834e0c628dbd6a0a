"""Whether the arms got the shares they should have: a sequential Dirichlet-multinomial test.

Lindon and Malek 2022, "Anytime-valid inference for multinomial count data".  Units are dealt one by one, so it may be
looked at after each of them.
"""

import math
from collections.abc import Mapping
from typing import Final

CONCENTRATION: Final = 1000.0
"""Of the mixture around the expected shares; 10000, as often used, needs twice the jobs to see 15 % for 10 %."""
E_BROKEN: Final = 1000.0
"""Evidence at which the ratio counts as broken: p < 0.001 at whatever moment one looks."""


def log_e_sample_ratio(
    seen: Mapping[str, float], expected: Mapping[str, float], concentration: float = CONCENTRATION
) -> float:
    """Logarithm of the evidence against the expected shares.

    Args:
        seen: units by arm; arms that are not expected are left out.
        expected: share by arm, adding up to 1.
        concentration: of the mixture.
    """
    total, log_e = 0.0, 0.0
    for arm, share in expected.items():
        count = seen.get(arm, 0)
        if share <= 0:
            if count:
                return math.inf
            continue
        total += count
        weight = concentration * share
        log_e += math.lgamma(weight + count) - math.lgamma(weight) - count * math.log(share)
    return log_e + math.lgamma(concentration) - math.lgamma(concentration + total)
