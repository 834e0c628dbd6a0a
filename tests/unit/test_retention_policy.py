"""The policy: what ships, what is refused and how it is told, and its versions."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from retention.policies import BEGINNING, FOLDER, Policies, in_force
from retention.policy import SHIPPED, load_policy
from retention.policy_text import policy_text
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.retention_rows import Entries, make_policy, make_versions

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_what_ships_is_what_was_promised() -> None:
    """Uploads by tier, temporary files, the notice."""
    policy = load_policy()
    terms = [str(policy.term("acme", tier, "upload")) for tier in ("free", "pro", "enterprise")]
    assert terms == ["30 days", "6 months", "12 months"]
    assert {str(policy.term("acme", tier, "temporary")) for tier in ("free", "pro", "enterprise")} == {"24 hours"}
    assert str(policy.notice) == "7 days"


def test_only_enterprise_customers_have_terms_of_their_own() -> None:
    """And for what they did not agree on, the tier's."""
    own = {"least": "30 days", "most": "10 years", "tenants": {"acme": {"upload": "2 years"}}}
    policy = make_policy({"own": own})
    assert str(policy.term("acme", "enterprise", "upload")) == "24 months"
    assert policy.term("acme", "enterprise", "result") == policy.term("other", "enterprise", "result")
    assert policy.term("acme", "pro", "upload") == policy.term("other", "pro", "upload")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('upload = "30 days"', 'upload = "30 dys"', r"line 10, keep\.free\.upload: '30 dys' is no term: write as"),
        ('notice = "7 days"', 'notice = "6 days"', r"line 4, notice: 7 days are the least"),
        ('temporary = "24 hours"', 'temporary = "2 days"', r"line 5, temporary: 24 hours are the most"),
        ("[keep.pro]", "[keep.platinum]", r"line 13, keep\.platinum.*'free', 'pro' or 'enterprise'"),
        ('upload = "30 days"', 'upload = "3 days"', r"keep\.free\.upload: 3 days are less than the notice, 7 days"),
        ("tenant_share = 0.5", "tenant_share = 1.5", r"line 35, limits\.tenant_share"),
        ("tenant_share = 0.5", "tenant_sher = 0.5", r"line 35, limits\.tenant_sher: Extra inputs"),
        ("usual_days = 3.0", "usual_days = inf", r"limits\.usual_days"),
        ('least = "30 days"', 'least = "20 years"', r"own\.least: .* more than own\.most"),
        ('[own.tenants.acme]\nupload = "2 years"', '[own.tenants.acme]\nupload = "20 years"', r"line 26, own\.tenants"),
        (
            '[own.tenants.acme]\nupload = "2 years"',
            '[own.tenants."../x"]\nupload = "2 years"',
            r"line 25, own\.tenants",
        ),
        ("[archive]", "[archive", r"no TOML.*line 29"),
        ("[limits]", "", r"archive"),
    ],
)
def test_a_faulty_file_is_refused_by_line_and_key(tmp_path: Path, before: str, after: str, told: str) -> None:
    """With what is wrong in words."""
    text = TEXT.replace('# [own.tenants.acme]\n# upload = "2 years"', '[own.tenants.acme]\nupload = "2 years"')
    assert before in text
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=told):
        load_policy(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A folder, bytes that are no text, and no file at all."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("", "bytes", "nothing"):
        with pytest.raises(ConfigurationError):
            load_policy(tmp_path / name)


def test_every_fault_is_told_but_not_a_hundred(tmp_path: Path) -> None:
    """One mistake can make many."""
    path = tmp_path / "policy.toml"
    path.write_text(TEXT.replace('"30 days"', '"1 day"').replace('"6 months"', '"2 days"'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"keep\.free\.upload.*keep\.pro\.upload"):
        load_policy(path)
    path.write_text("".join(f"a{number} = 1\n" for number in range(20)), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"; and \d\d more\."):
        load_policy(path)


def test_a_policy_is_shown_as_a_file_that_reads_back(tmp_path: Path) -> None:
    """With customers' own terms, and without any."""
    own = {"least": "30 days", "most": "10 years", "tenants": {"acme": {"upload": "2 years"}, "b_-2": {}}}
    for policy in (load_policy(), make_policy({"own": own, "archive": {}})):
        path = tmp_path / "policy.toml"
        path.write_text(policy_text(policy), encoding="utf-8")
        assert load_policy(path) == policy


@pytest.fixture
def entries() -> Entries:
    """What was written to the audit log."""
    return Entries()


@pytest.fixture
def made(tmp_path: Path, entries: Entries) -> Callable[[], Policies]:
    """Opens the policies as another process would."""
    store, clock = LocalObjectStore(tmp_path, "state"), ManualClock()
    return lambda: Policies(store, clock, entries)


def test_versions_follow_each_other_and_stay(made: Callable[[], Policies], entries: Entries) -> None:
    """Each in force from its moment on, for every process."""
    policies, start = made(), ManualClock().time
    assert [version.number for version in policies.versions()] == [1]
    second = policies.register(make_policy(free="60 days"), start + timedelta(days=10), "ada", "ticket 1")
    assert (second.number, [version.number for version in made().versions()]) == (2, [1, 2])
    moments = [BEGINNING, start, second.effective_from - timedelta.resolution, second.effective_from]
    assert [made().in_force(at).number for at in moments] == [1, 1, 1, 2]
    assert [(entry.action, entry.target, entry.before) for entry in entries] == [
        ("retention.policy", "policy-2", "version 1")
    ]


def test_a_policy_begins_now_or_later_by_somebody_for_a_reason(made: Callable[[], Policies], entries: Entries) -> None:
    """Nothing is written otherwise, not to the audit log either."""
    start = ManualClock().time
    for at, actor, reason in ((-1, "ada", "why"), (1, "", "why"), (1, "ada", " ")):
        with pytest.raises(ConfigurationError):
            made().register(make_policy(), start + timedelta(seconds=at), actor, reason)
    assert ([version.number for version in made().versions()], entries) == ([1], [])


def test_of_two_who_register_at_once_one_is_told(made: Callable[[], Policies], monkeypatch: pytest.MonkeyPatch) -> None:
    """And the other's policy stands as it was registered."""
    slow, at = made(), ManualClock().time
    seen = slow.versions()
    made().register(make_policy(free="60 days"), at, "ada", "first")
    monkeypatch.setattr(slow, "versions", lambda: seen)
    with pytest.raises(ConfigurationError, match="Somebody else registered version 2"):
        slow.register(make_policy(free="90 days"), at, "bob", "second")
    assert [version.actor for version in made().versions()] == ["earmark", "ada"]


def test_a_new_release_does_not_change_what_was_in_force(tmp_path: Path) -> None:
    """Version 1 is stored once anything is registered, or when it is pinned."""
    store, clock = LocalObjectStore(tmp_path, "state"), ManualClock()
    before = Policies(store, clock, Entries(), shipped=make_policy(free="40 days"))
    before.pin()
    before.pin()
    after = Policies(store, clock, Entries(), shipped=make_policy(free="20 days"))
    assert str(after.in_force(clock()).policy.term("acme", "free", "upload")) == "40 days"
    after.register(make_policy(), clock(), "ada", "why")
    assert [version.number for version in after.versions()] == [1, 2]


def test_what_cannot_be_read_or_written_down_stops_everything(tmp_path: Path) -> None:
    """A broken object, and a change that nobody would write to the audit log."""
    store, clock = LocalObjectStore(tmp_path, "state"), ManualClock()
    with pytest.raises(ConfigurationError, match="opened for reading"):
        Policies(store, clock).register(make_policy(), clock(), "ada", "why")
    assert list(store.scan()) == []
    store.write(f"{FOLDER}000002.json", b"{}", content_type="application/json")
    with pytest.raises(ConfigurationError, match="is no policy"):
        Policies(store, clock).versions()


def test_the_later_beginning_counts_and_of_equal_ones_the_later_number() -> None:
    """So a version that was registered ahead can be put right, and an urgent one can come before it."""
    start, policy = ManualClock().time, make_policy()
    day = timedelta(days=1)
    versions = make_versions(policy, (start + 9 * day, policy), (start + 3 * day, policy), (start + 9 * day, policy))
    assert [in_force(versions, start + days * day).number for days in (0, 2, 3, 8, 9, 20)] == [1, 1, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('rows = "2 years"', 'rows = "89 days"', "rows: 90 days are the least"),
        ('least = "30 days"', 'least = "6 days"', "own.least: it is less than the notice"),
        ("objects = 100000", f"objects = {'9' * 5000}", "is no TOML"),
        ("objects = 100000", "objects = true", "limits.objects"),
        ("objects = 100000", 'objects = "100000"', "limits.objects"),
    ],
    ids=range(5),
)
def test_what_would_undo_the_rest(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Terms below which notices would be forgotten while they stand, and numbers that are none."""
    text = SHIPPED.read_text()
    assert old in text
    file = tmp_path / "policy.toml"
    file.write_text("\ufeff" + text.replace(old, new))
    with pytest.raises(ConfigurationError, match=told):
        load_policy(file)
    file.write_text("\ufeff" + text)
    assert load_policy(file) == load_policy()
