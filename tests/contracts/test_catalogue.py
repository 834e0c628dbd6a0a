"""What ``retention.catalogue.Catalogue`` promises, over every adapter; each test quotes the sentence it holds."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from random import Random

import pytest

from earmark.errors import Unavailable
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, ObjectState
from retention.catalogue import LIVE, Catalogue, Count, Cutoff, Group, object_id
from tests.contracts.conftest import CatalogueCase

AT = datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)
UPLOAD, RESULT, TEMPORARY = ObjectClass.UPLOAD, ObjectClass.RESULT, ObjectClass.TEMPORARY


def row(name: str, generation: int = 1, *, hours: float = 0, **fields: object) -> CatalogueRow:
    """A row about an upload of acme, so many hours younger than ``AT``."""
    bucket = str(fields.get("bucket", "uploads"))
    created_at = AT + timedelta(hours=hours)
    return CatalogueRow.model_validate(
        {
            "row_id": object_id(bucket, name, generation), "tenant": "acme", "at": created_at, "bucket": bucket,
            "name": name, "generation": generation, "object_class": UPLOAD, "tier": "free", "region": None,
            "size_bytes": 100, "content_type": "audio/wav", "content_sha256": None, "job_id": None,
            "created_at": created_at, "state": ObjectState.ACTIVE, "expires_at": None, "policy_version": None,
            "notice": None, "delete_after": None, **fields,
        }
    )  # fmt: skip


def cutoff(hours: float, tenant: str = "acme", object_class: ObjectClass = UPLOAD) -> Cutoff:
    """What is at most so young."""
    return Cutoff(tenant, object_class, AT + timedelta(hours=hours))


def names(rows: Iterable[CatalogueRow]) -> list[str]:
    """Their names."""
    return [each.name for each in rows]


def test_a_row_comes_back(catalogues: CatalogueCase) -> None:
    """Held: "Add rows durably": every column comes back as it was, empty ones and full ones."""
    elsewhere = timezone(timedelta(hours=-8))
    full = row(
        "acme/ö/♪ '1'.wav",
        (1 << 63) - 1,
        region="eu",
        content_sha256="0" * 64,
        job_id="1" * 32,
        state=ObjectState.NOTICED,
        expires_at=(AT + timedelta(days=30, microseconds=7)).astimezone(elsewhere),
        policy_version=3,
        notice="acme/2026-01-31",
        delete_after=AT + timedelta(days=31),
        packed=True,
        size_bytes=1 << 40,
    )
    empty = row("acme/2.wav")
    catalogues.open().record([full, empty])
    catalogues.open().record([])
    assert catalogues.open().find("uploads", full.name) == [full]
    assert list(catalogues.open().scan("uploads")) == [empty, full]


def test_a_row_counts_once(catalogues: CatalogueCase) -> None:
    """Held: "or newer versions of rows; one recorded again counts once", "of which the latest version counts"."""
    catalogue = catalogues.open()
    told = row("acme/1", at=AT + timedelta(days=1), state=ObjectState.NOTICED, notice="acme/2026-02-01")
    for each in (row("acme/1"), told, row("acme/1"), told):
        catalogue.record([each])
    assert catalogue.find("uploads", "acme/1") == [told]
    assert list(catalogue.due([cutoff(0)])) == [told]
    assert [group.objects for group in catalogue.groups()] == [1]
    gone = row("acme/1", at=AT + timedelta(days=2), state=ObjectState.DELETED)
    catalogue.record([gone])
    assert list(catalogue.due([cutoff(0)])) == []
    assert catalogue.groups() == []
    assert catalogue.find("uploads", "acme/1") == [gone]


def test_find_knows_all_generations(catalogues: CatalogueCase) -> None:
    """Held: "Every generation known of an object, live or not, the latest first", and of no other object."""
    catalogue = catalogues.open()
    old = row("acme/1", 7, state=ObjectState.REPLACED)
    new = row("acme/1", 10)
    oldest = row("acme/1", 1, state=ObjectState.DELETED)
    catalogue.record([old, new, oldest, row("acme/10"), row("acme/1", 8, bucket="archive")])
    assert catalogue.find("uploads", "acme/1") == [new, old, oldest]
    assert catalogue.find("uploads", "acme/") == []
    assert catalogue.find("results", "acme/1") == []


def test_groups_sum_up_what_is_live(catalogues: CatalogueCase) -> None:
    """Held: "What live objects there are, in order of tenant and class": count, bytes, age and tier of each."""
    catalogue = catalogues.open()
    catalogue.record(
        [
            row("acme/1", size_bytes=1, hours=5, tier="pro"),
            row("acme/2", size_bytes=2, hours=-5, tier="free", state=ObjectState.NOTICED),
            row("acme/3", size_bytes=4, bucket="archive", tier="free"),
            *(row("acme/4", n, hours=-9, state=state) for n, state in enumerate(set(ObjectState) - LIVE, 1)),
            row("analyses/acme/1.json", bucket="results", object_class=RESULT, size_bytes=8),
            row("ab-c/1", tenant="ab-c", object_class=TEMPORARY, bucket="temporary", size_bytes=16),
            row("a_c/1", tenant="a_c", size_bytes=32, tier="enterprise"),
            row("gone/1", tenant="gone", state=ObjectState.ERASED),
        ]
    )
    assert catalogue.groups() == [
        Group("a_c", UPLOAD, 1, 32, AT, "enterprise"),
        Group("ab-c", TEMPORARY, 1, 16, AT, "free"),
        Group("acme", RESULT, 1, 8, AT, "free"),
        Group("acme", UPLOAD, 3, 7, AT - timedelta(hours=5), "pro"),
    ]


def test_due_goes_by_the_cutoff(catalogues: CatalogueCase) -> None:
    """Held: "Live objects at or before their group's cutoff": to the microsecond, whatever the zone."""
    catalogue = catalogues.open()
    moment = timedelta(microseconds=1) / timedelta(hours=1)
    catalogue.record([row("acme/early", hours=-moment), row("acme/exact"), row("acme/late", hours=moment)])
    assert names(catalogue.due([cutoff(0)])) == ["acme/early", "acme/exact"]
    elsewhere = Cutoff("acme", UPLOAD, AT.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert names(catalogue.due([elsewhere])) == ["acme/early", "acme/exact"]
    assert catalogue.count([elsewhere]) == [Count(elsewhere, 2, 200)]
    assert list(catalogue.due([])) == []
    assert list(catalogue.due([cutoff(9, "nobody"), cutoff(9, "acme", RESULT)])) == []


def test_what_came_again_is_as_old_as_its_latest_row(catalogues: CatalogueCase) -> None:
    """Held: "of which the latest version counts": of its age too, so that no earlier version makes an object due."""
    catalogue = catalogues.open()
    catalogue.record([row("acme/1"), row("acme/2", hours=9)])
    catalogue.record([row("acme/1", hours=9), row("acme/2", at=AT + timedelta(days=1))])
    assert names(catalogue.due([cutoff(1)])) == ["acme/2"]
    assert [each.objects for each in catalogue.count([cutoff(1), cutoff(9)])] == [1, 2]


def test_due_is_in_order(catalogues: CatalogueCase) -> None:
    """Held: "in order of tenant, bucket, name and generation", whatever the order of cutoffs, classes and rows."""
    catalogue = catalogues.open()
    rows = [
        row("a-b/1", tenant="a-b"),
        row("a-b/2", tenant="a-b"),
        row("acme/1", 5, bucket="archive"),
        row("analyses/acme/1", bucket="results", object_class=RESULT),
        row("acme/B", bucket="uploads"),
        row("acme/a", 2),
        row("acme/a", 10),
        row("acme/é"),
        row("acme/\U0001f3b5"),
        row("b/1", tenant="b"),
    ]
    catalogue.record(rows[::-1])
    asked = [cutoff(1, "b"), cutoff(1, "acme", RESULT), cutoff(0, "a-b"), cutoff(1), cutoff(-1), cutoff(9, "a")]
    assert list(catalogue.due(asked)) == rows
    assert list(catalogue.due(asked[::-1])) == rows


def test_count_answers_each_cutoff(catalogues: CatalogueCase) -> None:
    """Held: "How many ``due`` would give for each cutoff, in order; a tenant and class may be asked several times"."""
    catalogue = catalogues.open()
    catalogue.record([row(f"acme/{n}", hours=n, size_bytes=10**n) for n in range(6)])
    catalogue.record([row("acme/0", state=ObjectState.DELETED, at=AT + timedelta(days=1)), row("b/1", tenant="b")])
    asked = [cutoff(5), cutoff(2), cutoff(-1), cutoff(9, "b"), cutoff(2), cutoff(9, "c"), cutoff(9, "acme", RESULT)]
    assert [(each.cutoff, each.objects, each.size_bytes) for each in catalogue.count(asked)] == [
        (asked[0], 5, 111_110),
        (asked[1], 2, 110),
        (asked[2], 0, 0),
        (asked[3], 1, 100),
        (asked[4], 2, 110),
        (asked[5], 0, 0),
        (asked[6], 0, 0),
    ]
    assert catalogue.count([]) == []


def test_scan_in_order(catalogues: CatalogueCase) -> None:
    """Held: "Live objects of a bucket in order of the UTF-8 bytes of their names, then of generation"."""
    catalogue = catalogues.open()
    listed = ["a", "a-b", "a.b", "a/1", "a/10", "a/2", "a/B", "a/a", "a/é", "a/\uff5e", "a/\U0001f3b5", "a0", "b/1"]
    rows = [row(name, n, tenant=name[0]) for name in listed for n in (9, 10)]
    catalogue.record(rows[::-1])
    catalogue.record([row("a/3", state=ObjectState.MISSING), row("a/4", bucket="archive")])
    assert [(each.name, each.generation) for each in catalogue.scan("uploads")] == [
        (each.name, each.generation) for each in rows
    ]
    prefixes = ("", "a", "a/", "a/1", "a/\U0001f3b5", "a/x", "b", "c", "a%", "a_")
    cases = list(product(prefixes, ("", "a", "a/1", "a/\U0001f3b5", "a0", "b/1", "c")))
    for prefix, after in Random(1).sample(cases, min(len(cases), 3 * catalogues.examples)):
        found = names(catalogue.scan("uploads", prefix=prefix, start_after=after))
        wanted = [n for n in listed if n.startswith(prefix) and n.encode() > after.encode()]
        assert found == [name for name in wanted for _ in range(2)]
    assert names(catalogue.scan("uploads", tenant="b")) == ["b/1"] * 2
    assert names(catalogue.scan("uploads", tenant="b", prefix="a")) == []
    assert names(catalogue.scan("archive")) == ["a/4"]
    assert names(catalogue.scan("no-such-bucket")) == []


def test_rows_recorded_meanwhile_do_no_harm(catalogues: CatalogueCase) -> None:
    """Rows recorded while others are given neither end the scan nor are they in the way of writing."""
    catalogue = catalogues.open()
    catalogue.record([row(f"acme/{n}") for n in range(9)])
    for found in (catalogue.scan("uploads"), catalogue.due([cutoff(1)])):
        first = next(iter(found))
        catalogue.record([row("acme/0", at=AT + timedelta(days=1), state=ObjectState.DELETED), row("acme/99")])
        rest = names(found)
        assert first.name in {"acme/0", "acme/1"}
        assert {f"acme/{n}" for n in range(2, 9)} <= set(rest)
        assert len(rest) == len(set(rest))


CALLS: dict[str, Callable[[Catalogue], object]] = {
    "record": lambda catalogue: catalogue.record([row("acme/1")]),
    "find": lambda catalogue: catalogue.find("uploads", "acme/1"),
    "groups": lambda catalogue: catalogue.groups(),
    "due": lambda catalogue: list(catalogue.due([cutoff(1)])),
    "count": lambda catalogue: catalogue.count([cutoff(1)]),
    "scan": lambda catalogue: list(catalogue.scan("uploads")),
}


def test_unreachable_catalogue(catalogues: CatalogueCase) -> None:
    """Held: "All methods raise ``Unavailable`` when the rows cannot be reached"."""
    catalogue = catalogues.open()
    catalogues.break_it()
    told = {}
    for name, call in CALLS.items():
        with pytest.raises(Unavailable) as error:
            call(catalogue)
        told[name] = str(error.value)
    assert set(told) == set(CALLS)


def test_all_agree_with_a_list(catalogues: CatalogueCase) -> None:
    """Whatever is recorded, all methods say what a list of the latest versions says."""
    catalogue = catalogues.open()
    for seed in range(catalogues.examples):
        _check_against_a_list(catalogue, Random(seed), seed)


def _check_against_a_list(catalogue: Catalogue, choice: Random, number: int) -> None:
    bucket = f"bucket-{number}"
    tenants = [f"{name}{number}" for name in ("a", "a-b", "b")]
    latest: dict[str, CatalogueRow] = {}
    versions: list[CatalogueRow] = []
    for _ in range(choice.randrange(30)):
        tenant = choice.choice(tenants)
        name = f"{tenant}/" + "".join(choice.choices("ab/é", k=choice.randrange(1, 3)))
        object_class, hours = choice.choice([UPLOAD, RESULT]), choice.randrange(5)
        made = row(name, choice.randrange(1, 4), bucket=bucket, tenant=tenant, object_class=object_class, hours=hours)
        changes = {"state": choice.choice(list(ObjectState)), "at": AT + timedelta(days=choice.randrange(4))}
        made = latest.get(made.row_id, made).model_copy(update=changes)  # only these ever change
        versions.append(made)
        if made.row_id not in latest or made.at >= latest[made.row_id].at:
            latest[made.row_id] = made
    half = choice.randrange(len(versions) + 1)
    catalogue.record(versions[:half])
    catalogue.record(versions[half:])
    live = [each for each in latest.values() if each.state in LIVE]
    live.sort(key=lambda each: (each.name.encode(), each.generation))
    assert list(catalogue.scan(bucket)) == live
    cutoffs = [
        cutoff(choice.randrange(-1, 6), choice.choice(tenants), choice.choice([UPLOAD, RESULT])) for _ in range(4)
    ]
    due = [each for each in live if any(_asks(one, each) for one in cutoffs)]
    assert list(catalogue.due(cutoffs)) == sorted(due, key=lambda each: each.tenant)
    for one, found in zip(cutoffs, catalogue.count(cutoffs), strict=True):
        matching = [each for each in due if _asks(one, each)]
        assert found == Count(one, len(matching), sum(each.size_bytes for each in matching))
    groups = [group for group in catalogue.groups() if group.tenant in tenants]
    assert {(group.tenant, group.object_class): group.objects for group in groups} == Counter(
        (each.tenant, each.object_class) for each in live
    )


def _asks(one: Cutoff, each: CatalogueRow) -> bool:
    return (each.tenant, each.object_class) == (one.tenant, one.object_class) and each.created_at <= one.until
