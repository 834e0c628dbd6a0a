"""Token buckets: what they promise for every order of requests."""

from hypothesis import given
from hypothesis import strategies as st

from router.token_bucket import TokenBuckets

WINDOW_S = 60.0


def test_a_full_bucket_gives_its_capacity_and_then_says_when() -> None:
    """Sixty at once, the next after a second; a bucket of another is full."""
    buckets = TokenBuckets(WINDOW_S)
    draws = [buckets.draw("acme", 60, 0.0) for _ in range(60)]
    assert all(draw.taken for draw in draws)
    assert [draw.left for draw in draws] == list(range(59, -1, -1))
    assert draws[-1].full_s == 60
    over = buckets.draw("acme", 60, 0.0)
    assert (over.taken, over.left, over.retry_s) == (False, 0, 1)
    assert buckets.draw("other", 60, 0.0).taken
    assert not buckets.draw("acme", 60, 0.5).taken
    assert buckets.draw("acme", 60, 1.5).taken


@given(
    st.integers(1, 20),
    st.lists(st.floats(0, 30, allow_nan=False), max_size=200),
)
def test_no_window_gives_more_than_the_bucket_and_what_flows_in(capacity: int, gaps: list[float]) -> None:
    """However requests come, those let through in any stretch are at most the capacity and what flowed in."""
    buckets, now_s, taken = TokenBuckets(WINDOW_S), 0.0, list[float]()
    for gap_s in gaps:
        now_s += gap_s
        draw = buckets.draw("acme", capacity, now_s)
        assert 0 <= draw.left <= capacity
        if draw.taken:
            taken.append(now_s)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = capacity + (taken[last] - start) * capacity / WINDOW_S
            assert last - first + 1 <= allowed + 1e-6


@given(st.integers(1, 100), st.integers(0, 150))
def test_whoever_waits_as_told_is_let_in(capacity: int, asked: int) -> None:
    """``retry_s`` is enough, and less than a second too much."""
    buckets = TokenBuckets(WINDOW_S)
    for _ in range(asked):
        buckets.draw("acme", capacity, 0.0)
    look = buckets.draw("acme", capacity, 0.0, take=False)
    assert buckets.draw("acme", capacity, float(look.retry_s)).taken
    if look.retry_s > 1:
        fresh = TokenBuckets(WINDOW_S)
        for _ in range(asked):
            fresh.draw("acme", capacity, 0.0)
        assert not fresh.draw("acme", capacity, look.retry_s - 1.001).taken


def test_a_clock_that_goes_back_fills_nothing() -> None:
    """Time that is set back neither fills a bucket nor empties it."""
    buckets = TokenBuckets(WINDOW_S)
    assert buckets.draw("acme", 1, 100.0).taken
    assert not buckets.draw("acme", 1, 50.0).taken


def test_a_changed_capacity_holds_at_once() -> None:
    """A lowered limit cuts what is left; a raised one fills faster."""
    buckets = TokenBuckets(WINDOW_S)
    buckets.draw("acme", 1000, 0.0)
    assert buckets.draw("acme", 2, 0.0).left == 1
    assert buckets.draw("acme", 2, 0.0).left == 0
    assert not buckets.draw("acme", 2, 0.0).taken


def test_few_buckets_are_remembered() -> None:
    """Memory is bounded: the longest unused is forgotten, and is full again."""
    buckets = TokenBuckets(WINDOW_S, kept=2)
    for whose in ("a", "b", "c"):
        assert buckets.draw(whose, 1, 0.0).taken
    assert buckets.draw("a", 1, 0.0).taken
    assert not buckets.draw("c", 1, 0.0).taken
