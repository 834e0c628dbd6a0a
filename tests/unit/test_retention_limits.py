"""What a plan may delete without approval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.limits import TENANTS_MAX, Radius
from retention.policy import Limits

LIMITS = Limits(objects=1000, tenant_share=0.5, tenant_share_from=10, usual_days=3, usual_days_from=100)


def exceeded(*tenants: tuple[int, int], usual: int = 1000) -> list[str]:
    """The limits that are exceeded when customers lose so many of so many objects."""
    radius = Radius(LIMITS)
    for number, (deletions, live) in enumerate(tenants):
        radius.add(f"t{number}", deletions, live)
    return [each.limit + each.tenant for each in radius.exceeded(usual)]


@pytest.mark.parametrize(
    ("tenants", "usual", "found"),
    [
        ([(1000, 2000)], 1000, []),
        ([(1001, 2002)], 1000, ["objects"]),
        ([(600, 2000), (401, 2000)], 1000, ["objects"]),
        ([(10, 20)], 1000, []),
        ([(11, 20)], 1000, ["tenant_sharet0"]),
        ([(9, 9)], 1000, []),
        ([(10, 10), (50, 100), (51, 100)], 1000, ["tenant_sharet0", "tenant_sharet2"]),
        ([(99, 200)], 0, []),
        ([(100, 200)], 0, ["usual_days"]),
        ([(300, 600)], 100, []),
        ([(301, 602)], 100, ["usual_days"]),
        ([], 0, []),
        ([(12, 0)], 1000, ["tenant_sharet0"]),
    ],
)
def test_each_limit_is_what_may_just_be(tenants: list[tuple[int, int]], usual: int, found: list[str]) -> None:
    """One more is too many; small plans are not held up."""
    assert exceeded(*tenants, usual=usual) == found


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 80)), max_size=60))
def test_the_worst_customers_are_told_of_and_all_are_counted(tenants: list[tuple[int, int]]) -> None:
    """However many there are."""
    radius = Radius(LIMITS)
    for number, (deletions, live) in enumerate(tenants):
        radius.add(f"t{number}", deletions, live)
    shares = [deletions / max(live, deletions, 1) for deletions, live in tenants if deletions >= 10]
    over = sorted((share for share in shares if share > 0.5), reverse=True)
    told = [each.found for each in radius.exceeded(10**6) if each.limit == "tenant_share"]
    assert (radius.tenants, told) == (len(over), over[:TENANTS_MAX])


def test_a_limit_that_is_exceeded_is_told_in_words() -> None:
    """With what was found and what is allowed."""
    radius = Radius(LIMITS)
    radius.add("acme", 2000, 2500)
    assert [str(each) for each in radius.exceeded(10)] == [
        "2,000 objects, where 1,000 are the most",
        "2,000 objects, where 30 follow from the usual day",
        "80% of what acme has, where 50% are the most",
    ]
