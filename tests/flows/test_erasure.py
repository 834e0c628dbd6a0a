"""Erasure on one machine: a real run, then not a byte of the customer is left in any file."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.audit import AuditEntry, AuditTrail, link_rows, name_of, pseudonym, read_link
from earmark.audit_check import check
from earmark.clock import utc_now
from earmark.domain import Clip, Lease, job_id
from earmark.errors import ConfigurationError
from earmark.rows import TABLES, CatalogueRow
from earmark.settings import Settings
from earmark.vocabulary import Lane, ObjectClass, ObjectState, Tier
from earmark.wire import encode_job
from retention.catalogue import object_id
from retention.erasing import Eraser
from retention.holds import Holds
from retention.notice import NoticedObject
from retention.notices import Notices
from retention.receipt import Receipt
from retention.scope import Scope, read_scope
from retention.stores import Erased, ErasureRequest
from retention.suspension import Suspension
from retention.term import Term
from retention.tiers import Tiers
from retention.tombstones import Tombstones
from router.dead_letters.letters import Letters
from router.keys import Keys
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from runtime.backend import Backend
from runtime.endpoints.access import AccessLog
from runtime.erasing.erasure import ContentRequests, tenant_request
from runtime.erasing.rows import TABLE_RULES
from runtime.erasing.stores import BACKEND_FIELDS, STATE_FOLDERS, erasable_stores
from runtime.local.erasure import BUCKETS, DATA_FILES, local_stores
from runtime.wiring import configured_pipeline, connect
from tests.flows.command import Command, lines
from tests.flows.world import World
from tests.making import make_failure, make_job, make_upload
from workers.spend import Spend

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
TENANT = "acmecustomer"
VOICE, SONG, WRECK = "very-private-voice.wav", "very-private-song.wav", "very-private-wreck.wav"
PHOTO = "private-photo-of-a-wreck"


class House:
    """A data folder, and what erases in it."""

    def __init__(self, data: Path) -> None:
        """Open it as the command does."""
        self.data = data
        self.settings = Settings(data=data)
        self.backend: Backend = connect(self.settings)
        self.tombstones = Tombstones(self.backend.state, utc_now, fresh_s=0)
        self.trail = AuditTrail(self.backend.audit, self.backend.warehouse, utc_now, hints=self.backend.state)
        self.holds = Holds(self.backend.state, utc_now, self.trail)
        first, last = local_stores(data, self.backend.bucket("notices"), utc_now)
        self.stores = erasable_stores(self.backend, first=first, last=last)
        self.eraser = Eraser(
            stores=self.stores,
            tombstones=self.tombstones,
            holds=self.holds.all,
            audit=self.trail,
            state=self.backend.state,
            clock=utc_now,
            pause=lambda _: None,
            passes=3,
        )
        self.contents = ContentRequests(
            self.backend, self.tombstones, pipeline=configured_pipeline(self.settings), clock=utc_now
        )

    def erase(self, request: ErasureRequest | None = None) -> Receipt:
        """Erase the customer, or what is asked."""
        wanted = request or tenant_request(TENANT, utc_now)
        return self.eraser.erase(wanted, reason=f"{TENANT} asked for it", actor="ada")

    def keep(self, bucket: str, name: str, content: bytes, **fields: object) -> CatalogueRow:
        """Put an object into a bucket, and its row into the catalogue."""
        info = self.backend.bucket(bucket).write(name, content, content_type="audio/wav")
        row = CatalogueRow.model_validate(
            {
                "row_id": object_id(bucket, name, info.generation),
                "tenant": name.partition("/")[0],
                "at": info.created_at,
                "bucket": bucket,
                "name": name,
                "generation": info.generation,
                "object_class": ObjectClass.UPLOAD,
                "tier": "free",
                "region": None,
                "size_bytes": info.size_bytes,
                "content_type": "audio/wav",
                "content_sha256": hashlib.sha256(content).hexdigest(),
                "job_id": None,
                "created_at": info.created_at,
                "state": ObjectState.ACTIVE,
                "expires_at": None,
                "policy_version": None,
                "notice": None,
                "delete_after": None,
                **fields,
            }
        )
        self.backend.catalogue.record([row])
        return row

    def found(self, *words: bytes) -> dict[bytes, list[str]]:
        """Which files of the data folder hold which words, in their bytes or their names."""
        hits: dict[bytes, list[str]] = {}
        for path in sorted(self.data.rglob("*")):
            text = str(path.relative_to(self.data)).encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
            for word in words:
                if word in text:
                    hits.setdefault(word, []).append(str(path.relative_to(self.data)))
        return hits


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a customer and another one did everything that leaves something."""
    folder = tmp_path_factory.mktemp("erasure")
    earmark = Command(folder / "data", actor="ada", decoders="1")
    inputs = folder / "in"
    inputs.mkdir()
    shutil.copy(EXAMPLES / "speech-english-prompts.wav", inputs / VOICE)
    (inputs / WRECK).write_text(f"{PHOTO}, no audio at all")
    shutil.copy(EXAMPLES / "silence.flac", inputs / "others.flac")
    routed = lines(earmark.run("route", inputs / VOICE, inputs / WRECK, "--tenant", TENANT).stdout)
    assert earmark.run("route", inputs / "others.flac", "--tenant", "other").returncode == 0
    assert earmark.run("work", "--until-empty").returncode == 0
    reviewed = earmark.run("review", str(routed[0]["job_id"]), "--field", "content_type", "--tenant", TENANT, "--right")
    assert reviewed.returncode == 0, reviewed.stderr
    assert earmark.run("dlq", "list").returncode == 0
    assert earmark.run("dlq", "discard", str(routed[1]["job_id"]), "--reason", f"{TENANT} knows").returncode == 0
    _furnish(House(folder / "data"), (inputs / VOICE).read_bytes())
    return folder / "data"


def _furnish(house: House, voice: bytes) -> None:
    """Leave what other parts leave: uploads, temporary and archived objects, notices, plans, markers, money, jobs."""
    backend, state = house.backend, house.backend.state
    sound = (EXAMPLES / "piano-solo.wav").read_bytes()
    row = house.keep("uploads", f"{TENANT}/{VOICE}", voice)
    for bucket in ("uploads", "temporary", "archive"):
        house.keep(bucket, f"{TENANT}/{SONG}", sound)
    house.keep("uploads", "other/song.wav", sound)
    Tiers(state, utc_now).observe({TENANT: "pro", "other": "free"})
    for tenant in (TENANT, "other"):
        TenantRegister(state).add(Tenant(name=tenant))
        Keys(state, utc_now).add(Keys(state, utc_now).draft(tenant))
    looks = AccessLog(house.data / "access", backend.audit, house.trail, utc_now)
    looks.record(tenant=TENANT, key_id="0" * 12, action="analysis.read", target="1" * 32)
    notices = Notices(state, utc_now)
    theirs = row.model_copy(update={"tenant": "other", "name": "other/x", "content_sha256": None})
    for tenant, noticed in ((TENANT, row), ("other", theirs)):
        told = NoticedObject(expires_at=utc_now() + timedelta(days=7), row=noticed)
        notices.compose(tenant, [told], tier=Tier.FREE, term=Term(hours=168), policy_version=1)
    topic = json.dumps({"tenant": TENANT, "objects": [{"name": f"{TENANT}/{VOICE}"}]}).encode()
    backend.bucket("notices").write(f"{TENANT}/2026-01-01.json", topic, content_type="application/json")
    suspension = Suspension(tenant=TENANT, notices=(f"{TENANT}/x",), since=utc_now(), reason="full", actor="ada")
    state.write(f"retention/suspensions/{TENANT}.json", suspension.model_dump_json().encode(), content_type="text/json")
    hold = house.holds.place(Scope(kind="prefix", bucket="uploads", name=f"{TENANT}/very"), "they sue", "ada")
    house.holds.release(hold.id, "settled", "ada")
    plans = house.data / "plans"
    plans.mkdir()
    (plans / "p.jsonl").write_text(f'{{"do":"delete","name":"{TENANT}/{SONG}","tenant":"{TENANT}"}}\n')
    state.write("retention/plans/p.json", f'{{"tenant": "{TENANT}"}}'.encode(), content_type="text/json")
    state.write("retention/runs/p.json", f'{{"at": "{TENANT}/{SONG}"}}'.encode(), content_type="text/json")
    state.write(f"routed/uploads/{TENANT}/{VOICE}", b'{"generation": 1}', content_type="text/json")
    state.write(f"claims/{TENANT}/{'1' * 32}.json", b"{}", content_type="text/json")
    state.write("tries/high/77.json", f'[{{"message": "uploads/{TENANT}/x"}}]'.encode(), content_type="text/json")
    state.write(f"unreadable-letters/{'2' * 32}-1.json", f'{{"x": "{TENANT}"'.encode(), content_type="text/json")
    spend = Spend(state, day_usd=10, tenant_usd=lambda _: 10, clock=utc_now)
    spend.reserve(TENANT, 0.5)
    spend.close()
    waiting = make_job("very private words", upload=make_upload("very private words", tenant=TENANT))
    backend.lanes[Lane.HIGH].put([waiting])
    backend.lanes[Lane.LOW].put([waiting.model_copy(update={"id": "3" * 32})])
    [lease] = backend.lanes[Lane.LOW].lease(1, 60)
    backend.lanes[Lane.LOW].bury(lease, make_failure())
    entry = AuditEntry(at=utc_now(), actor="ada", action="test.done", target="x", tenant=TENANT, reason=f"for {TENANT}")
    house.trail([entry])


@pytest.fixture
def house(lived_in: Path, tmp_path: Path) -> Iterator[House]:
    """A copy of that folder, to erase in."""
    shutil.copytree(lived_in, tmp_path / "data", copy_function=shutil.copy2)
    with ExitStack():
        yield House(tmp_path / "data")


def words_of(house: House) -> list[bytes]:
    """What must not be found afterwards: names, words of the transcript, samples, ids, hashes."""
    records = [
        json.loads(b"".join(house.backend.results.read(info.name)))
        for info in house.backend.results.scan(f"analyses/{TENANT}/")
    ]
    [spoken] = [record for record in records if record["analysis"]]
    transcript = spoken["analysis"]["metadata"]["transcript"]["value"]
    samples = (EXAMPLES / "speech-english-prompts.wav").read_bytes()[200_000:200_032]
    words = [TENANT, VOICE, SONG, WRECK, PHOTO, transcript[10:40], "very private words"]
    return [word.encode() for word in words] + [samples]


def test_not_a_byte_is_left(house: House) -> None:
    """Of the names, the words, the sound; in no file, no free page and no log.  The other customer keeps everything."""
    words = words_of(house)
    before = house.found(*words)
    missing = [word for word in words if word not in before and word != PHOTO.encode()]
    assert missing == [], "the run did not leave what is looked for"
    others = [info.name for info in house.backend.results.scan("analyses/other/")]
    receipt = house.erase()
    assert receipt.state == "complete", [(each.name, each.left) for each in receipt.stores if each.left]
    assert house.found(*words) == {}
    removed = {each.name: each.removed for each in receipt.stores}
    for store in (
        "queues",
        "keys",
        "customers",
        "plans",
        "notices topic",
        "uploads",
        "temporary",
        "archive",
        "results",
        "dead letters",
        "unreadable letters",
        "arrival markers",
        "claims",
        "tries",
        "spend",
        "notices",
        "tiers",
        "holds and extensions",
        "retention",
        "warehouse",
        "audit log",
    ):
        assert removed[store] > 0, store
    assert [info.name for info in house.backend.results.scan("analyses/other/")] == others
    assert [info.name for info in house.backend.bucket("uploads").scan()] == ["other/song.wav"]
    assert len(house.backend.warehouse.query("jobs_by_hour", {"tenant": "other"})) == 1
    assert len(house.backend.catalogue.find("uploads", "other/song.wav")) == 1
    assert set(Tiers(house.backend.state, utc_now).seen().tenants) == {"other"}
    assert check(house.backend.audit, house.backend.warehouse).faults == []


def test_files_without_a_possible_name_go_too(house: House) -> None:
    """What no object can be named lies in the customer's folder all the same; a link to a folder is left, and told."""
    folder = house.data / "objects" / "uploads" / TENANT
    (folder / "new\nline").mkdir(parents=True)
    for path in (folder / "a\tb.wav", folder / "new\nline" / "c.wav", folder.parent / "other" / "a\tb.wav"):
        path.write_bytes(b"private sound")
    link = folder / "elsewhere"
    link.symlink_to(EXAMPLES)
    receipt = house.erase()
    [told] = [store for store in receipt.stores if store.name == "files without a name"]
    assert (told.removed, told.left, receipt.state) == (2, 1, "incomplete")
    link.unlink()
    assert house.erase().state == "complete"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert (folder.parent / "other" / "a\tb.wav").exists()
    assert EXAMPLES.is_dir()


def test_erased_again_there_is_nothing(house: House) -> None:
    """The same request is safe, and finds nothing."""
    house.erase()
    receipt = house.erase()
    assert (receipt.state, receipt.found) == ("complete", 0)


def test_what_a_restore_brings_back_is_found(house: House, lived_in: Path) -> None:
    """Customers by their names wherever they turn up, contents by the places and jobs they had."""
    house.erase()
    assert house.eraser.tenants() == []
    restored = house.data.parent / "restored"
    shutil.copytree(lived_in, restored)
    stones = "objects/state/retention/tombstones"
    shutil.copytree(house.data / stones, restored / stones)
    again = House(restored)
    assert again.eraser.tenants() == [TENANT]
    assert again.erase().state == "complete"
    assert again.eraser.tenants() == []
    assert again.found(TENANT.encode()) == {}


def test_each_row_of_the_audit_log_counts_once(house: House) -> None:
    """However often somebody late brings it back, and the note says the same number."""
    store = next(each for each in house.stores if each.name == "audit log")
    before = house.backend.warehouse.query("audit_entries", {"tenant": TENANT, "action": "test."})
    assert len(before) == 1
    brought = 0
    erase = store.erase

    def then_late(request: ErasureRequest) -> Erased:
        nonlocal brought
        erased = erase(request)
        if brought < 2:
            brought += 1
            number = int(str(before[0]["link"]))
            link = read_link(b"".join(house.backend.audit.read(name_of(number))))
            assert link is not None
            house.backend.warehouse.append(
                link_rows(link, [link.entries[0].model_copy(update={"tenant": TENANT, "target": "x"})])
            )
        return erased

    store.erase = then_late  # type: ignore[method-assign]
    receipt = house.erase()
    [told] = [each for each in receipt.stores if each.name == "audit log"]
    assert (receipt.passes, told.note) == (3, f"rows with a pseudonym now: {told.removed}")
    named = house.backend.warehouse.query("audit_entries", {"pseudonym": pseudonym(TENANT), "tenant": TENANT})
    assert told.removed == len([row for row in named if not str(row["action"]).startswith("retention.erase")])


def test_a_legal_hold_refuses_and_nothing_is_touched(house: House) -> None:
    """With its reason, which the audit log has too."""
    house.holds.place(Scope(kind="tenant", tenant=TENANT), "case 2026-7", "bob")
    before = sorted(str(path) for path in house.data.rglob("*.json"))
    with pytest.raises(ConfigurationError, match="case 2026-7"):
        house.erase()
    assert [path for path in before if not Path(path).exists()] == []
    [refused] = house.backend.warehouse.query("audit_entries", {"action": "retention.erase_refused"})
    assert "case 2026-7" in str(refused["detail"])
    assert house.tombstones.tenant(TENANT) is None


def test_one_object_goes_with_all_that_was_made_of_it(house: House) -> None:
    """The upload, its record, rows, letters, queue rows and lines of notices; the customer's other things stay."""
    words = words_of(house)
    voice = hashlib.sha256((EXAMPLES / "speech-english-prompts.wav").read_bytes()).hexdigest()
    song = hashlib.sha256((EXAMPLES / "piano-solo.wav").read_bytes()).hexdigest()
    request = house.contents.of_object(read_scope(target=f"uploads/{TENANT}/{VOICE}"))
    assert request.contents == (voice,)
    assert job_id(TENANT, voice, configured_pipeline(house.settings)) in request.jobs
    receipt = house.erase(request)
    assert receipt.state == "complete", [(each.name, each.left) for each in receipt.stores if each.left]
    name, transcript, samples = words[1], words[5], words[7]
    left = house.found(name, transcript, samples, voice.encode())
    # A released hold of a prefix is about more than this object.
    assert left == {}
    assert [info.name for info in house.backend.bucket("uploads").scan(f"{TENANT}/")] == [f"{TENANT}/{SONG}"]
    assert house.tombstones.erased(TENANT, voice, utc_now())
    assert not house.tombstones.erased(TENANT, song, utc_now())
    assert len(list(house.backend.results.scan(f"analyses/{TENANT}/"))) == 1, "that of the wreck"
    ledger = Notices(house.backend.state, utc_now)
    assert [list(ledger.objects(status)) for status in ledger.all(TENANT)] == [[]]
    again = house.contents.of_object(read_scope(target=f"uploads/{TENANT}/{VOICE}"))
    assert set(again.jobs) >= {job_id(TENANT, voice, configured_pipeline(house.settings))}
    with pytest.raises(ConfigurationError, match="Nothing is known"):
        house.contents.of_object(read_scope(target=f"uploads/{TENANT}/never.wav"))


def test_one_object_goes_with_its_copies(house: House) -> None:
    """The same content under other names, in other buckets; what comes back of it is found."""
    request = house.contents.of_object(read_scope(target=f"uploads/{TENANT}/{SONG}"))
    assert {place.bucket for place in request.places} == {"uploads", "temporary", "archive"}
    assert house.erase(request).state == "complete"
    for bucket in ("uploads", "temporary", "archive"):
        assert f"{TENANT}/{SONG}" not in [info.name for info in house.backend.bucket(bucket).scan()]
    tenants = [TENANT, "other"]
    assert list(house.contents.came_back(house.stores, tenants)) == []
    sound = (EXAMPLES / "piano-solo.wav").read_bytes()
    house.backend.bucket("uploads").write(f"{TENANT}/{SONG}", sound, content_type="audio/wav")
    [back] = house.contents.came_back(house.stores, tenants)
    assert [tuple(place) for place in back.places] == [("uploads", f"{TENANT}/{SONG}")]
    house.backend.bucket("uploads").write(f"{TENANT}/{SONG}", b"another recording", content_type="audio/wav")
    assert list(house.contents.came_back(house.stores, tenants)) == []


def test_a_held_object_is_not_erased(house: House) -> None:
    """Neither by a hold of ours on its copy, nor by one that the store has."""
    request = house.contents.of_object(read_scope(target=f"uploads/{TENANT}/{SONG}"))
    info = house.backend.archive.stat(f"{TENANT}/{SONG}")
    assert info is not None
    house.backend.archive.protect(info.name, if_generation=info.generation, held=True)
    with pytest.raises(ConfigurationError, match="in archive are held"):
        house.erase(request)
    assert house.backend.bucket("uploads").stat(f"{TENANT}/{SONG}") is not None


def test_a_job_under_way_is_waited_for(house: House) -> None:
    """Its row stays until the worker gives it up, and the receipt says so."""
    [lease] = house.backend.lanes[Lane.HIGH].lease(1, 60)
    receipt = house.erase()
    assert (receipt.state, receipt.left) == ("incomplete", 2), "the job, and the file that it is in"
    [queues] = [store for store in receipt.stores if store.name == "queues"]
    assert "under way" in queues.note
    house.backend.lanes[Lane.HIGH].ack([lease])
    assert house.erase().state == "complete"
    assert house.found(TENANT.encode()) == {}


def test_malformed_jobs_go_too(house: House) -> None:
    """What was set aside because it is no job, and names the customer."""
    queue = house.backend.lanes[Lane.HIGH]
    broken = encode_job(make_job("x", upload=make_upload("x", tenant=TENANT)))[:-20]
    queue._database.write(  # type: ignore[attr-defined]
        lambda connection: connection.execute(
            "INSERT INTO jobs (queue, id, due_us, body) VALUES ('malformed', 'x:1', 0, ?)", (broken,)
        )
    )
    house.erase()
    assert house.found(TENANT.encode()) == {}


@pytest.mark.parametrize("when", ["waiting", "being decoded"])
def test_a_worker_drops_what_was_erased(tmp_path: Path, when: str) -> None:
    """A job that waited is not listened to; one under way leaves no record, no row and no letter either."""
    world = World(tmp_path)
    [kept], [dropped] = world.put("fine"), world.put("erase me")
    tombstones = Tombstones(world.store("state"), world.clock, fresh_s=0)
    decode = world._decode

    def late(lease: Lease, path: Path) -> Clip:
        tombstones.lay("e-1", "acme", [dropped.upload.content_sha256])
        return decode(lease, path)

    if when == "waiting":
        tombstones.lay("e-1", "acme", [dropped.upload.content_sha256])
    else:
        world._decode = late  # type: ignore[method-assign]
    with world.worker() as worker:
        worker._parts = dataclasses.replace(worker._parts, erased=tombstones.dropped)
        worker._parts.settler._erased = tombstones.dropped
        worker.run_once()
    assert world.record(kept) is not None
    assert world.record(dropped) is None
    assert [row["jobs"] for row in world.warehouse.query("jobs_by_hour")] == [1]
    assert world.lanes[Lane.LOW].lease(9, 60) == []
    assert world.dead.lease(9, 60) == []
    assert world.leftovers() == []
    if when == "waiting":
        assert "erase me" not in world.journal.read_text()


# What is declared, held to what there is.  Whoever adds a place where data can be says here how it is erased.


def test_every_part_of_a_backend_is_declared() -> None:
    """Each field names the store that answers for it."""
    assert set(BACKEND_FIELDS) == {field.name for field in dataclasses.fields(Backend)}


def test_every_table_is_declared() -> None:
    """Each is erased by customer, and counted, or says why not; its columns exist."""
    assert set(TABLE_RULES) == set(TABLES)
    counted = (Path(__file__).parents[2] / "earmark" / "queries" / "rows_of_customer.sql").read_text()
    for name, rule in TABLE_RULES.items():
        assert {rule.job or "row_id", rule.object or "row_id"} <= set(TABLES[name].model_fields)
        assert (f"FROM {name}\n" in counted) is not bool(rule.exempt), name
        for column in filter(None, (rule.job, rule.object)):
            assert f", {column}, '|'" in counted
        ids = {"job_id", "object_id"} & set(TABLES[name].model_fields)
        assert ids <= {rule.job, rule.object}, f"{name} has ids that no erasure of a single content looks at"


def test_every_state_folder_and_file_is_declared(house: House) -> None:
    """After everything was done that leaves something, nothing lies where no store looks."""
    for info in house.backend.state.scan():
        first, _, rest = info.name.partition("/")
        folder = f"{first}/{rest.partition('/')[0]}" if first == "retention" else first
        assert folder in STATE_FOLDERS, info.name
    for path in house.data.iterdir():
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        assert name in DATA_FILES, path
    for path in (house.data / "objects").iterdir():
        assert path.name in BUCKETS, path
    stores = {store.name for store in house.stores}
    named = {*BACKEND_FIELDS.values(), *STATE_FOLDERS.values(), *DATA_FILES.values(), *BUCKETS.values()}
    explained = {name for name in named if name not in stores}
    assert explained == {
        "a name",
        "a path",
        "notices topic, or events",
        "counts",
        "events",
        "nothing of a customer",
        "nothing of its own",
        "the stores of STATE_FOLDERS",
        "the stores of buckets",
        "names of workers; about no customer",
        "addresses of processes; about no customer",
        "looks on their way into the audit log, under pseudonyms",
        "locks, and notes of content types under hashes of names; half-written files of dead writers are swept",
    }


def test_letters_of_the_erased_are_not_collected(house: House) -> None:
    """What is buried after the tombstone leaves no letter."""
    from runtime.dlq.desk import make_collector  # noqa: PLC0415

    house.erase()
    late = make_job("late", upload=make_upload("late", tenant=TENANT))
    lane = house.backend.lanes[Lane.LOW]
    lane.put([late])
    [lease] = lane.lease(1, 60)
    lane.bury(lease, make_failure())
    with Letters(house.backend.state) as letters:
        collected = make_collector(house.settings, house.backend, letters).run_once()
        assert (collected.taken, collected.buried) == (1, ())
        assert list(letters.ids()) == []
