"""What a scope covers, one by one and through the index."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retention.scope import Scope, read_scope
from retention.scope_index import ScopeIndex
from tests.retention_rows import make_row

NAMES = st.text("ab/", min_size=1, max_size=4)
BUCKETS = st.sampled_from(["uploads", "results", "archive"])
TENANTS = st.sampled_from(["a", "b"])
SCOPES = st.one_of(
    st.builds(lambda tenant: Scope(kind="tenant", tenant=tenant), TENANTS),
    st.builds(lambda bucket, name: Scope(kind="object", bucket=bucket, name=name), BUCKETS, NAMES),
    st.builds(lambda bucket, name: Scope(kind="prefix", bucket=bucket, name=name), BUCKETS, st.just("") | NAMES),
)
ROWS = st.builds(lambda bucket, name, tenant: make_row(name, bucket=bucket, tenant=tenant), BUCKETS, NAMES, TENANTS)


@given(st.lists(SCOPES, max_size=12), ROWS)
def test_the_index_finds_what_asking_each_would(scopes: list[Scope], row: object) -> None:
    """Each scope that covers an object, as often as it is there."""
    index = ScopeIndex((scope, number) for number, scope in enumerate(scopes))
    asked = [number for number, scope in enumerate(scopes) if scope.covers(row)]  # type: ignore[arg-type]
    assert sorted(index.covering(row)) == asked  # type: ignore[arg-type]


def test_a_scope_covers_every_generation_and_what_was_archived() -> None:
    """And nothing of another name, bucket or customer."""
    song = read_scope(target="uploads/acme/song.wav")
    assert all(song.covers(make_row(generation=generation)) for generation in (1, 2))
    assert song.covers(make_row(bucket="archive"))
    assert not song.covers(make_row("acme/song.wav2"))
    assert not song.covers(make_row(bucket="results"))
    below = read_scope(prefix="gs://uploads/acme/2026/")
    assert [below.covers(make_row(name)) for name in ("acme/2026/a", "acme/2025/a")] == [True, False]
    assert [read_scope(tenant="acme").covers(make_row(f"{name}/a")) for name in ("acme", "acme2")] == [True, False]


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        (lambda: read_scope(target="gs://uploads/acme/song.wav#17"), "uploads/acme/song.wav"),
        (lambda: read_scope(prefix="uploads/"), "uploads/*"),
        (lambda: read_scope(tenant="acme"), "tenant acme"),
    ],
)
def test_a_scope_is_shown_as_it_was_written(scope: Callable[[], Scope], shown: str) -> None:
    """For a person."""
    assert str(scope()) == shown


@pytest.mark.parametrize(
    "given_",
    [{}, {"target": "uploads/a", "tenant": "acme"}, {"target": "uploads/"}, {"target": "uploads"}, {"prefix": "/a"}],
)
def test_what_is_malformed_is_refused(given_: dict[str, str]) -> None:
    """Rather than taken for something wider."""
    with pytest.raises(ValueError, match=r"name one of|no address"):
        read_scope(**given_)


def test_a_scope_is_exactly_one_of_the_three() -> None:
    """However it was made."""
    for fields in ({"kind": "tenant"}, {"kind": "object", "bucket": "uploads"}, {"kind": "prefix", "name": "a"}):
        with pytest.raises(ValidationError):
            Scope.model_validate(fields)
