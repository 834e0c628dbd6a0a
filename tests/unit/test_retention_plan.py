"""Plans: what they say, that nobody can change them unseen, and that nothing of them is left when they fail."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError, Unavailable
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.catalogue import Cutoff, object_id
from retention.extensions import ExtensionsNow
from retention.holds import Hold, HoldsNow
from retention.outlook import Outlook
from retention.plan import Plan, open_plan
from retention.planning import make_plan
from retention.plans import Plans
from retention.policies import Version
from retention.scope import read_scope
from retention.standing import NoticeState
from retention.timeline import Timeline
from runtime.local.catalogue import LocalCatalogue
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.retention_rows import EPOCH, NO_EXTENSIONS, NO_HOLDS, make_policy, make_row, make_versions, tier_as_it_came

DAY = timedelta(days=1)
VERSIONS = make_versions(make_policy(free="30 days"))


class Watched(LocalCatalogue):
    """Remembers what it was asked for."""

    cutoffs: Sequence[Cutoff] = ()
    read = 0

    def due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        """Count the rows."""
        self.cutoffs = cutoffs
        for row in super().due(cutoffs):
            self.read += 1
            yield row


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Watched]:
    """With nothing in it."""
    warehouse = LocalWarehouse(tmp_path / "warehouse.sqlite", synchronous="NORMAL")
    yield Watched(warehouse)
    warehouse.close()


def outlook(days: float, **fields: Any) -> Outlook:
    """Of a day; every row that names a notice was told of on day 20, of day 30."""
    told = NoticeState(EPOCH + 20 * DAY, bounced=False, delete_after=EPOCH + 30 * DAY)
    versions: list[Version] = fields.pop("versions", VERSIONS)
    parts: dict[str, Any] = {
        "holds": NO_HOLDS,
        "extensions": NO_EXTENSIONS,
        "notice_of": lambda row: told if row.notice else None,
        "suspended": lambda _: False,
        **fields,
    }
    return Outlook(timeline=Timeline(versions, EPOCH + days * DAY, tier_as_it_came), **parts)


def planned(catalogue: LocalCatalogue, out: Path, days: float = 30, *, usual: int = 10**6, **fields: Any) -> Plan:
    """A plan of a day."""
    classes = {"classes": fields.pop("classes")} if "classes" in fields else {}
    view = outlook(days, **fields)
    return make_plan(catalogue, view, out=out, backend="local", made_at=view.now, usual=lambda: usual, **classes)


def some(count: int = 3, **fields: Any) -> list[CatalogueRow]:
    """Objects that were told of and have ended on day 30."""
    return [make_row(f"acme/{number}.wav", notice="acme/2026-01-21", **fields) for number in range(count)]


def test_a_plan_says_what_goes_and_what_is_to_be_told(catalogue: Watched, tmp_path: Path) -> None:
    """Each object with its generation, the reason and the policy's version; what is neither is not in it."""
    rows = [
        make_row("acme/old.wav", generation=7, notice="acme/2026-01-21"),
        make_row("acme/new.wav", created_at=EPOCH + 5 * DAY),
        make_row("acme/young.wav", created_at=EPOCH + 10 * DAY),
        make_row("acme/tmp.wav", bucket="temporary", object_class="temporary", created_at=EPOCH + 28 * DAY),
        make_row("acme/tmp2.wav", bucket="temporary", object_class="temporary", created_at=EPOCH + 29.5 * DAY),
        make_row("acme/gone.wav", notice="acme/2026-01-21", state="deleted"),
        make_row("analyses/zoe/1.json", tenant="zoe", bucket="results", object_class="result", tier="pro"),
    ]
    catalogue.record(rows)
    plan = planned(catalogue, tmp_path / "plan.jsonl")
    lines = list(plan.lines())
    assert [(line.do, line.name, line.reason, line.notice) for line in lines] == [
        ("delete", "acme/tmp.wav", "expired", None),
        ("notice", "acme/new.wav", "none", "acme/2026-01-31"),
        ("delete", "acme/old.wav", "expired", "acme/2026-01-21"),
    ]
    told, old = lines[1:]
    assert (told.expires_at, told.delete_after) == (EPOCH + 35 * DAY, EPOCH + 37 * DAY)
    assert (old.id, old.generation, old.policy_version) == (object_id("uploads", "acme/old.wav", 7), 7, 1)
    assert (old.delete_after, old.size_bytes, old.object_class) == (EPOCH + 30 * DAY, 1000, "upload")
    assert (plan.header.as_of, plan.header.policy_version, plan.header.backend) == (EPOCH + 30 * DAY, 1, "local")
    tallies = [(tally.do, tally.object_class, tally.objects, tally.size_bytes) for tally in plan.summary.tallies]
    assert tallies == [("delete", "temporary", 1, 1000), ("delete", "upload", 1, 1000), ("notice", "upload", 1, 1000)]
    acme = plan.summary.tenants[0]
    assert (acme.tenant, acme.deletions, acme.notices, acme.size_bytes, acme.live) == ("acme", 2, 1, 2000, 3)
    assert (plan.summary.count("delete"), plan.summary.size_bytes("notice")) == (2, 1000)


def test_only_what_may_be_due_is_read(catalogue: Watched, tmp_path: Path) -> None:
    """Of customers whose oldest object is young nothing is asked for."""
    catalogue.record([make_row(f"a{number}/x", created_at=EPOCH + number * DAY) for number in range(30)])
    plan = planned(catalogue, tmp_path / "plan.jsonl")
    assert plan.summary.count("notice") == 8
    assert catalogue.read == len(catalogue.cutoffs) == 9, "one ends at the very moment that today is not about"


def test_a_plan_may_be_about_some_classes_only(catalogue: Watched, tmp_path: Path) -> None:
    """As a sweep of temporary objects, which needs no approval for what others do."""
    temporary = [make_row(f"acme/t{number}", bucket="temporary", object_class="temporary") for number in range(5)]
    catalogue.record([*some(), *temporary])
    plan = planned(catalogue, tmp_path / "plan.jsonl", classes={ObjectClass.TEMPORARY})
    assert [line.object_class for line in plan.lines()] == ["temporary"] * 5


def test_what_is_kept_is_counted_by_reason(catalogue: Watched, tmp_path: Path) -> None:
    """A hold, an extension, a notice that is missing, and customers who get none."""
    tenants = ["held", "extended", "unnoticed", "bounced", "young"]
    catalogue.record(
        [make_row(f"{tenant}/x", tier="enterprise" if tenant == "young" else "free") for tenant in tenants]
    )
    hold = Hold(id="h", scope=read_scope(tenant="held"), reason="r", actor="a", placed_at=EPOCH)

    class Extended(ExtensionsNow):
        """Of one customer, whatever tier it has."""

        def covering(self, row: CatalogueRow) -> Any:
            """Until day 60."""
            return type("Until", (), {"until": EPOCH + 60 * DAY}) if row.tenant == "extended" else None

    plan = planned(
        catalogue,
        tmp_path / "plan.jsonl",
        holds=HoldsNow([hold]),
        extensions=Extended([]),
        suspended=lambda tenant: tenant == "bounced",
    )
    assert plan.summary.kept == {"extended": 1, "hold": 1, "notice": 2, "suspended": 1}
    assert [(line.do, line.tenant) for line in plan.lines()] == [("notice", "unnoticed")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 160),
            st.sampled_from(ObjectClass),
            st.booleans(),
            st.sampled_from(["free", "pro"]),
        ),
        max_size=25,
    ),
    st.integers(100, 200),
)
def test_a_plan_holds_what_judging_every_object_would_find(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int, ObjectClass, bool, str]], quarters: int
) -> None:
    """No object is left out for its age, and customers come one after the other."""
    folder = tmp_path_factory.mktemp("plan")
    warehouse = LocalWarehouse(folder / "warehouse.sqlite", synchronous="NORMAL")
    rows = [
        make_row(
            f"{tenant}/{number}",
            created_at=EPOCH + DAY * age / 4,
            object_class=kind,
            notice="told" if noticed else None,
            tier=tier,
        )
        for number, (tenant, age, kind, noticed, tier) in enumerate(drawn)
    ]
    versions = make_versions(
        make_policy(free="20 days", pro="1 month"), (EPOCH + 45 * DAY, make_policy(free="10 days"))
    )
    view = outlook(quarters / 4, versions=versions)
    catalogue = LocalCatalogue(warehouse)
    catalogue.record(rows)
    plan = planned(catalogue, folder / "plan.jsonl", quarters / 4, versions=versions)
    expected = {}
    for row in rows:
        standing = view.of(row)
        if standing.deletable or standing.notice_due:
            expected[row.row_id] = "delete" if standing.deletable else "notice"
    lines = list(plan.lines())
    assert {line.id: line.do for line in lines} == expected
    assert [line.tenant for line in lines] == sorted(line.tenant for line in lines)
    assert plan.summary.lines == len(lines) == len(expected)
    warehouse.close()


def test_a_plan_over_the_limits_says_so(catalogue: Watched, tmp_path: Path) -> None:
    """Temporary objects are not counted."""
    limits = {"objects": 4, "tenant_share": 0.9, "tenant_share_from": 1, "usual_days": 2, "usual_days_from": 1}
    versions = make_versions(make_policy({"limits": limits}, free="30 days"))
    temporary = [make_row(f"acme/t{number}", bucket="temporary", object_class="temporary") for number in range(5)]
    catalogue.record([*some(3), make_row("acme/new.wav", created_at=EPOCH + 29 * DAY), *temporary])
    assert planned(catalogue, tmp_path / "a", versions=versions).summary.exceeded == ()
    found = planned(catalogue, tmp_path / "b", versions=versions, usual=1).summary.exceeded
    assert [(each.limit, each.allowed, each.found) for each in found] == [("usual_days", 2, 3)]
    catalogue.record([make_row(f"zoe/{number}", notice="zoe/2026-01-21") for number in range(3)])
    summary = planned(catalogue, tmp_path / "c", versions=versions).summary
    assert [(each.limit, each.tenant) for each in summary.exceeded] == [("objects", ""), ("tenant_share", "zoe")]
    assert summary.exceeded_tenants == 1


def test_a_plan_reads_back_as_it_was_made(catalogue: Watched, tmp_path: Path) -> None:
    """From its file alone, from any line on; names of all kinds survive."""
    names = ["acme/tönend “1”.wav", "acme/\U0001f3b5\\n.wav", "acme/a b#c?.wav"]
    catalogue.record([make_row(name, notice="acme/2026-01-21") for name in names])
    plan = planned(catalogue, tmp_path / "plan.jsonl")
    assert open_plan(plan.path) == plan
    lines = list(plan.lines())
    assert sorted(line.name for line in lines) == sorted(names)
    assert [list(plan.lines(start)) for start in (1, 3)] == [lines[1:], []]
    assert plan.path.stat().st_mode & 0o777 == 0o600
    raw = plan.path.read_bytes()
    body, _, digest = raw.rpartition(b',"digest":"')
    assert digest == f'{hashlib.sha256(body).hexdigest()}"}}\n'.encode()
    assert plan.id == f"20260131T000000Z-{plan.digest[:8]}"


def test_an_empty_plan_is_a_plan(catalogue: Watched, tmp_path: Path) -> None:
    """On a day on which nothing is to be done."""
    plan = planned(catalogue, tmp_path)
    assert plan.path == tmp_path / f"{plan.id}.jsonl"
    assert (list(open_plan(plan.path).lines()), plan.summary.tallies) == ([], ())


def edited(raw: bytes) -> Iterator[bytes]:
    """What somebody may do to a plan by hand."""
    lines = raw.splitlines(keepends=True)
    yield raw.replace(b"acme/1.wav", b"acme/9.wav")
    yield raw.replace(b'"do":"delete"', b'"do":"notice"', 1)
    yield b"".join([lines[0], *lines[2:]])
    yield b"".join([*lines[:2], lines[1], *lines[2:]])
    yield b"".join([lines[0], lines[2], lines[1], *lines[3:]])
    yield b"".join(lines[:-1])
    yield raw[:-1]
    yield raw + lines[-1]
    yield raw + b"\n"
    yield raw.replace(b'"lines":3', b'"lines":2')
    yield raw.replace(b'"exceeded":[', b'"exceeded": [')
    yield raw.replace(b'"backend":"local"', b'"backend":"gcp"')
    yield raw.replace(b'{"plan":1', b'{"plan":2')
    yield lines[0]
    yield lines[-1]
    yield b""
    yield b"\0" * 100
    yield b"x" * 200_000


def test_a_plan_that_was_edited_is_refused(catalogue: Watched, tmp_path: Path) -> None:
    """Wherever a byte was changed; and any other file."""
    catalogue.record(some())
    raw = planned(catalogue, tmp_path / "plan.jsonl").path.read_bytes()
    for number, content in enumerate(edited(raw)):
        assert content != raw
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is not the plan that was made"):
            open_plan(path)
    for position in range(0, len(raw), 29):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :])
        with pytest.raises(ConfigurationError, match="is not the plan that was made"):
            open_plan(path)
    with pytest.raises(ConfigurationError, match="Cannot read"):
        open_plan(tmp_path / "nothing.jsonl")


def test_an_edited_plan_with_a_fresh_digest_was_not_made_here(catalogue: Watched, tmp_path: Path) -> None:
    """Plans are registered as they are made."""
    plans = Plans(LocalObjectStore(tmp_path / "objects", "state"))
    catalogue.record(some())
    plan = planned(catalogue, tmp_path / "plan.jsonl")
    with pytest.raises(ConfigurationError, match="was made elsewhere, or changed by hand"):
        plans.demand(plan)
    record = plans.register(plan)
    assert plans.register(plan) == plans.demand(open_plan(plan.path)) == record
    assert (plans.all(), record.deletions, record.deletion_bytes) == ([record], 3, 3000)
    assert "wav" not in record.model_dump_json()
    body = plan.path.read_bytes().replace(b"acme/1.wav", b"acme/9.wav").rpartition(b',"digest":"')[0]
    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(body + f',"digest":"{hashlib.sha256(body).hexdigest()}"}}\n'.encode())
    with pytest.raises(ConfigurationError, match="changed by hand"):
        plans.demand(open_plan(forged))


def test_a_file_changed_while_it_is_read_stops_the_reader(catalogue: Watched, tmp_path: Path) -> None:
    """What was read by then was as it was made."""
    catalogue.record(some())
    plan = planned(catalogue, tmp_path / "plan.jsonl")
    raw = plan.path.read_bytes()
    for content in (raw[: raw.index(b"acme/1.wav")], b"", raw.replace(b'"do":"delete"', b'"do":"destroy"')):
        plan.path.write_bytes(content)
        with pytest.raises(ConfigurationError):
            list(plan.lines())


@pytest.mark.parametrize("place", [lambda folder: folder / "file" / "plan", lambda folder: folder / "pipe"])
def test_a_plan_that_cannot_be_written_is_told(
    catalogue: Watched, tmp_path: Path, place: Callable[[Path], Path]
) -> None:
    """Below a file, or in place of what is none."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="Cannot write the plan"):
        planned(catalogue, place(tmp_path))


def test_a_plan_that_fails_leaves_nothing(catalogue: Watched, tmp_path: Path) -> None:
    """And the plan before it as it was."""
    catalogue.record(some())
    out = tmp_path / "plans" / "plan.jsonl"
    before = planned(catalogue, out)

    def down(row: CatalogueRow) -> NoticeState | None:
        message = f"The ledger is down at {row.name}"
        raise Unavailable(message)

    with pytest.raises(Unavailable):
        planned(catalogue, out, notice_of=down)
    assert list(out.parent.iterdir()) == [out]
    assert open_plan(out) == before


def test_a_line_is_json_that_others_can_read(catalogue: Watched, tmp_path: Path) -> None:
    """With the keys that the documentation names."""
    catalogue.record(some(1))
    raw = planned(catalogue, tmp_path / "plan.jsonl").path.read_text(encoding="utf-8").splitlines()
    line = json.loads(raw[1])
    assert list(line) == [
        "do",
        "id",
        "bucket",
        "name",
        "generation",
        "tenant",
        "class",
        "size_bytes",
        "created_at",
        "expires_at",
        "delete_after",
        "notice",
        "reason",
        "policy_version",
    ]
    assert (line["class"], line["created_at"], line["reason"]) == ("upload", "2026-01-01T00:00:00Z", "expired")
