"""``earmark calibrate``, ``threshold`` and ``review`` from their arguments to files and rows, model included."""

import json
import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from earmark.domain import Record
from earmark.errors import ConfigurationError, ModelUnavailable
from earmark.metadata import AudioMetadata, Rated
from earmark.settings import Settings
from earmark.vocabulary import Basis, ContentType, Genre
from runtime.analyzing.outputs import check_outputs
from runtime.calibration import gathering
from runtime.calibration.commands import register
from runtime.calibration.listening import Heard, open_listening
from runtime.calibration.review import named_review
from runtime.wiring import connect
from tests.audio_files import saved, tone, wav
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import make_lease
from workers import calibration
from workers.calibration import Identity

pytestmark = pytest.mark.usefixtures("few_draws")

APP = typer.Typer()
register(APP)


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of the test's own, and no settings of the person who runs it."""
    monkeypatch.setenv("EARMARK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EARMARK_ACTOR", "anna")
    monkeypatch.setattr("earmark.log.attach", lambda *_, **_kept: None)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str | Path) -> Result:
    """Run a command; errors that Earmark knows come out as they are."""
    result = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def labels(folder: Path, count: int = 300, **more: object) -> Path:
    """A file of judged answers of an over-confident model."""
    chance = np.random.default_rng(0)
    rows = [
        {"field": "content_type", "score": 1 - (1 - truth) ** 3, "right": bool(chance.random() < truth), **more}
        for truth in chance.beta(3, 2, count).tolist()
    ]
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels_become_an_artefact_and_a_picture(tmp_path: Path) -> None:
    """It is for the model that is set and says how well it holds; the same labels give the same but for its time."""
    result = run("calibrate", "--labels", labels(tmp_path), "--out", "c.json", "--svg", "c.svg")
    assert result.exit_code == 0
    assert "content_type (Platt)" in result.stdout
    assert "EARMARK_CALIBRATION=c.json" in result.stderr
    made = calibration.load(tmp_path / "c.json", model="listener", model_version="1", engine="", prompt_version="")
    assert made.labels.count == 300
    assert (tmp_path / "c.svg").read_text().startswith("<svg")
    again = json.loads(run("calibrate", "--labels", labels(tmp_path), "--json").stdout)
    assert again["report"] == made.model_dump(mode="json")["report"]
    assert calibration.load(Path(again["path"])).id == again["id"]


def test_bad_rows_are_told_and_counted(tmp_path: Path) -> None:
    """Exit status 3, a line each; without a good row, or without enough, 2 and nothing written."""
    path = labels(tmp_path)
    with path.open("a") as file:
        file.write('nonsense\n{"field": "key", "right": true, "model": "other"}\n')
    result = run("calibrate", "--labels", path, "--out", "c.json")
    assert result.exit_code == 3
    assert "labels.jsonl:301: not JSON" in result.stderr
    assert "1 answers are not of listener 1 and not used: 1 of other" in result.stderr
    (tmp_path / "few.jsonl").write_text('{"field": "key", "score": 0.5, "right": true}\n')
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    for name, reason in (("few", "enough labels"), ("bad", "no row that can be used"), ("gone", "Cannot read")):
        with pytest.raises(ConfigurationError, match=reason):
            run("calibrate", "--labels", f"{name}.jsonl", "--out", "no.json")
    assert not (tmp_path / "no.json").exists()


def test_whose_answers_they_are(tmp_path: Path) -> None:
    """A model that cannot run here is known from the rows; one that nobody knows is refused, and so are mixtures."""
    path = labels(tmp_path, model="far", model_version="7", engine="vllm", prompt_version="ab")
    run("calibrate", "--labels", path, "--model", "far", "--out", "c.json")
    assert calibration.load(tmp_path / "c.json").identity == Identity("far", "7", "vllm", "ab")
    with pytest.raises(ConfigurationError, match="no model 'farr'"):
        run("calibrate", "--labels", path, "--model", "farr")
    with path.open("a") as file:
        file.write('{"field": "key", "right": true, "model": "far", "engine": "transformers"}\n')
    with pytest.raises(ConfigurationError, match="--engine"):
        run("calibrate", "--labels", path, "--model", "far")
    assert run("calibrate", "--labels", path, "--model", "far", "--engine", "vllm").exit_code == 0


def test_rows_of_several_models_are_told_apart(tmp_path: Path) -> None:
    """An artefact is for what its own rows say; the others are one line, and no fault."""
    path = labels(tmp_path, model="qwen2_audio", model_version="7b", engine="tf", prompt_version="p1")
    rows = path.read_text()
    mine = labels(tmp_path, model="listener", model_version="1").read_text()
    path.write_text(mine + rows)
    result = run("calibrate", "--labels", path, "--out", "c.json")
    assert result.exit_code == 0
    assert result.stderr.count("300 of qwen2_audio 7b on tf, prompt p1") == 1
    assert calibration.load(tmp_path / "c.json").identity == Identity("listener", "1")
    run("calibrate", "--labels", path, "--model", "qwen2_audio", "--out", "q.json")
    assert calibration.load(tmp_path / "q.json").identity == Identity("qwen2_audio", "7b", "tf", "p1")


def test_an_artefact_says_whose_scores_it_is_for(tmp_path: Path) -> None:
    """Where neither rows nor options nor the model say it, nothing is written."""
    path = labels(tmp_path)
    with pytest.raises(ConfigurationError, match="--model-version, --engine, --prompt-version"):
        run("calibrate", "--labels", path, "--model", "qwen2_audio", "--out", "q.json")
    assert not (tmp_path / "q.json").exists()
    named = ("--model-version", "7b", "--engine", "tf", "--prompt-version", "p")
    run("calibrate", "--labels", path, "--model", "qwen2_audio", "--out", "q.json", *named)
    assert calibration.load(tmp_path / "q.json").identity == Identity("qwen2_audio", "7b", "tf", "p")
    with pytest.raises(ConfigurationError, match="control characters"):
        run("calibrate", "--labels", path, "--model", "qwen2_audio", "--engine", "\x1b[31m")


def test_nothing_that_is_read_is_written_over(tmp_path: Path) -> None:
    """Nor another output, by whatever name; what was there stays as it was."""
    path = labels(tmp_path)
    (tmp_path / "soft").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "folder").mkdir()
    run("calibrate", "--labels", path, "--out", "c.json")
    held = path.read_bytes(), Path("c.json").read_bytes()
    fit = ("calibrate", "--labels", path)
    for arguments in (
        *((*fit, option, name) for option in ("--out", "--svg") for name in (path, "soft", "hard", "folder/../soft")),
        (*fit, "--out", "new", "--svg", "./new"),
        ("threshold", "--artefact", "c.json", "--error-rate", "0.3", "--svg", "c.json"),
        ("threshold", "--labels", path, "--error-rate", "0.3", "--svg", "soft"),
    ):
        with pytest.raises(ConfigurationError, match="the same file as"):
            run(*arguments)
    assert (path.read_bytes(), Path("c.json").read_bytes()) == held
    assert not Path("new").exists()
    with pytest.raises(ConfigurationError, match=r"no calibration.  Name a file") as refusal:
        run("threshold", "--artefact", path, "--error-rate", "0.3")
    assert "--out" not in str(refusal.value)


def test_a_recording_that_is_listened_to_is_not_written_over(tmp_path: Path) -> None:
    """The recordings that a file of labels names are read as well."""
    with pytest.raises(ConfigurationError, match="the same file as what is read"):
        check_outputs({"--svg": tmp_path / "x" / ".." / "a.wav"}, [tmp_path / "b.wav", tmp_path / "a.wav"])


@pytest.mark.parametrize("option", ["--out", "--svg"])
def test_only_regular_files_are_replaced(tmp_path: Path, option: str) -> None:
    """Devices, pipes and folders are refused; a link is followed and stays one; folders are made."""
    path = labels(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("/dev/null", "pipe", ".", "loop", "labels.jsonl/x", ""):
        with pytest.raises(ConfigurationError, match="Cannot write"):
            run("calibrate", "--labels", path, option, name)
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to("far/target")
    run("calibrate", "--labels", path, option, "link")
    assert (tmp_path / "link").is_symlink()
    assert [each.name for each in (tmp_path / "far").iterdir()] == ["target"]


def test_answers_told_again_count_once(tmp_path: Path) -> None:
    """The last verdict about a value of a recording counts; copies of unnamed rows are told."""
    rows = [
        {"field": "genres", "score": n / 80, "right": n % 3 > 0, "recording": str(n), "value": "pop"} for n in range(60)
    ]
    rows += [{**rows[1], "right": False}, {**rows[2], "value": "jazz"}, rows[4]]
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    result = run("calibrate", "--labels", path, "--out", "c.json")
    assert "2 answers are told again, 1 of them with another verdict" in result.stderr
    assert calibration.load(tmp_path / "c.json").labels.count == 61
    once = labels(tmp_path, 600).read_text()
    path.write_text(once * 2)
    result = run("calibrate", "--labels", path, "--out", "c.json")
    assert "600 of 1200 rows without `recording`" in result.stderr
    assert "(Platt)" in result.stdout


def test_control_characters_reach_no_terminal_and_no_picture(tmp_path: Path) -> None:
    """Whatever labels call their model."""
    path = labels(tmp_path, model="far", model_version="7\x1b]0;x\x07", engine="v\x00\ufffe")
    with path.open("a") as file:
        file.write(json.dumps({"field": "key", "right": True, "model": "\x1b[2J"}) + "\n")
    result = run("calibrate", "--labels", path, "--model", "far", "--out", "c.json", "--svg", "c.svg")
    assert "1 of \\x1b[2J" in result.stderr
    wish = run("threshold", "--artefact", "c.json", "--error-rate", "0.3", "--svg", "t.svg")
    for text in (result.stdout, result.stderr, wish.stdout, *(Path(name).read_text() for name in ("c.svg", "t.svg"))):
        assert all(line.isprintable() for line in text.splitlines())
        assert "\\x1b]0;x" in text


def test_a_fit_that_does_harm_is_told(tmp_path: Path) -> None:
    """On standard error too, before the artefact is put to use."""
    chance = np.random.default_rng(0)
    rows = [
        {"field": "key", "score": truth, "right": bool(chance.random() < truth)} for truth in chance.random(40).tolist()
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert "Warning: key is no better for it" in run("calibrate", "--labels", path).stderr


def test_the_same_labels_are_the_same_version(tmp_path: Path) -> None:
    """Fitted again at another time, or judged otherwise, the curves have the id that they had."""
    path = labels(tmp_path)
    first, again = (json.loads(run("calibrate", "--labels", path, "--json").stdout) for _ in range(2))
    assert first["id"] == again["id"]
    assert first["fitted_at"] != again["fitted_at"]
    assert first["sha256"] != again["sha256"]


@pytest.mark.parametrize("arguments", [[], ["--labels", "x", "--from-reviews"]], ids=["nothing", "both"])
def test_labels_come_from_one_place(arguments: list[str]) -> None:
    """A file or the reviews."""
    with pytest.raises(ConfigurationError, match="--labels FILE, or --from-reviews"):
        run("calibrate", *arguments)


def test_a_threshold_is_found(tmp_path: Path) -> None:
    """From the artefact and from the labels the same; what cannot be met is told with exit status 3."""
    path = labels(tmp_path, 600)
    run("calibrate", "--labels", path, "--out", "c.json")
    wish = ("--error-rate", "0.3", "--json")
    found = json.loads(run("threshold", "--artefact", "c.json", *wish, "--svg", "t.svg").stdout)
    assert found["point"]["risk"]["value"] <= 0.3
    assert json.loads(run("threshold", "--labels", path, *wish).stdout)["threshold"] == found["threshold"]
    assert (tmp_path / "t.svg").read_text().startswith("<svg")
    impossible = run("threshold", "--artefact", "c.json", "--error-rate", "0.001")
    assert impossible.exit_code == 3
    assert "cannot be met" in impossible.stdout
    spent = run("threshold", "--artefact", "c.json", "--budget-usd", "6", "--usd-per-answer", "0.1")
    assert "pay for 60 of 600 answers" in spent.stdout
    with pytest.raises(ConfigurationError, match="no calibrated field 'key'"):
        run("threshold", "--artefact", "c.json", "--error-rate", "0.1", "--field", "key")
    with pytest.raises(ConfigurationError, match="--artefact FILE"):
        run("threshold", "--error-rate", "0.1")


def record(folder: Path, number: int, **provenance: object) -> Record:
    """A stored record with answers of the scripted model."""
    metadata = {
        "content_type": Rated(value=ContentType.MUSIC, score=0.6),
        "genres": [Rated(value=Genre.JAZZ, score=0.7), Rated(value=Genre.POP, score=0.2)],
        "tempo_bpm": Rated(value=120.0, confidence=0.9, score=0.8, basis=Basis.CALIBRATED),
        "vocals": Rated(value="present", confidence=0.7),
        "description": Rated(value="Music.", confidence=0.6, basis=Basis.DERIVED),
        "language": Rated(value="en", confidence=1.0, basis=Basis.MEASURED),
    }
    world = World(folder)
    analysis = done(make_lease(f"sound {number}"), world).outcome.analysis  # type: ignore[union-attr]
    made = analysis.provenance.model_copy(update={"model": "listener", "model_version": "1", **provenance})
    stored = Record.model_validate(
        {
            "job_id": analysis.job_id,
            "tenant": "acme",
            "status": "done",
            "analysis": analysis.model_copy(
                update={"metadata": AudioMetadata.model_validate(metadata), "provenance": made}
            ),
            "enqueued_at": world.clock(),
            "settled_at": world.clock(),
        }
    )
    results = connect(Settings(data=folder / "data")).results
    results.write(stored.name, stored.model_dump_json().encode(), content_type="application/json")
    return stored


def reviews(folder: Path) -> list[dict[str, object]]:
    """What the warehouse tells of reviews."""
    return connect(Settings(data=folder / "data")).warehouse.query("reviewed_answers")


def test_a_review_is_kept_once(tmp_path: Path) -> None:
    """With score, confidence and model of the answer; judged again, the last verdict counts."""
    job = record(tmp_path, 1).job_id
    for verdict in ("--right", "--right", "--wrong"):
        assert run("review", job, "--field", "tempo_bpm", verdict, "--tenant", "acme").exit_code == 0
    run("review", job, "--field", "genres", "--entry", "jazz", "--right", "--tenant", "acme")
    assert reviews(tmp_path) == [
        {"job_id": job, "field": field, "score": score, "confidence": confidence, "is_right": right,
         "model": "listener", "model_version": "1", "engine": "", "prompt_version": ""}
        for field, score, confidence, right in (("genres", 0.7, None, 1), ("tempo_bpm", 0.8, 0.9, 0))
    ]  # fmt: skip


def test_the_truth_alone_says_whether_an_answer_is_right(tmp_path: Path) -> None:
    """By the rules of judging; where it does not tell, the person must."""
    job = record(tmp_path, 1).job_id
    for field, value in (("tempo_bpm", "121"), ("content_type", "speech"), ("vocals", "female")):
        run("review", job, "--field", field, "--value", value, "--tenant", "acme")
    run("review", job, "--field", "genres", "--entry", "pop", "--value", "Jazz; blues", "--tenant", "acme")
    verdicts = {str(row["field"]): row["is_right"] for row in reviews(tmp_path)}
    assert verdicts == {"tempo_bpm": 1, "content_type": 0, "vocals": 1, "genres": 0}


REFUSED = {
    "no record": (["--field", "key", "--right", "--tenant", "other"], "no record"),
    "no such field": (["--field", "tune", "--right"], "no field 'tune'"),
    "no field": (["--right"], "Say which --field"),
    "no answer": (["--field", "key", "--right"], "no answer for key"),
    "no verdict": (["--field", "content_type"], "--right or --wrong"),
    "bad truth": (["--field", "tempo_bpm", "--value", "fast"], "tempo_bpm: "),
    "which entry": (["--field", "genres", "--right"], "jazz, pop"),
    "no such entry": (["--field", "genres", "--entry", "rock", "--right"], "not among"),
    "contradiction": (["--field", "content_type", "--right", "--value", "speech"], "cannot be right"),
    "agreement": (["--field", "tempo_bpm", "--wrong", "--value", "121"], "cannot be wrong"),
    "entry of one": (["--field", "content_type", "--entry", "music", "--right"], "leave --entry out"),
    "composed": (["--field", "description", "--right"], "follows from other fields"),
    "measured": (["--field", "language", "--right"], "was measured"),
    "a file as well": (["--from", "x"], "Name a job"),
}


@pytest.mark.parametrize(("arguments", "reason"), REFUSED.values(), ids=REFUSED)
def test_reviews_of_nothing_are_refused(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """In one line that says what there is, and no row is written."""
    job = record(tmp_path, 1).job_id
    with pytest.raises(ConfigurationError, match=reason):
        run("review", job, *(["--tenant", "acme"] if "--tenant" not in arguments else []), *arguments)
    assert reviews(tmp_path) == []


@pytest.mark.parametrize(("job", "tenant"), [("abc", "acme"), ("../" * 8, "acme"), ("0" * 32, "../up"), ("", "acme")])
def test_hostile_ids_are_refused(job: str, tenant: str) -> None:
    """They never become names of objects."""
    with pytest.raises(ConfigurationError):
        named_review(job, field="key", tenant=tenant)


def test_a_file_of_reviews_is_kept_row_by_row(tmp_path: Path) -> None:
    """Bad rows are told with their line; exit status 3."""
    jobs = [record(tmp_path, number).job_id for number in range(3)]
    rows = [{"job_id": job, "field": "content_type", "right": True, "tenant": "acme", "reviewer": "bo"} for job in jobs]
    path = tmp_path / "reviews.jsonl"
    path.write_text("\n".join([*map(json.dumps, rows), "x", '{"job_id": 1}', ""]))
    result = run("review", "--from", path)
    assert result.exit_code == 3
    assert "reviews.jsonl:4: " in result.stderr
    assert "3 reviews kept, 2 rows not" in result.stderr
    assert len(reviews(tmp_path)) == 3
    path.write_text("x\n")
    with pytest.raises(ConfigurationError, match="no review"):
        run("review", "--from", path)


def test_a_file_of_reviews_is_read_as_labels_are(tmp_path: Path) -> None:
    """A regular file, with a byte order mark or without; nothing twice in a row, and verdicts are no texts."""
    job = record(tmp_path, 1).job_id
    good = json.dumps({"job_id": job, "field": "content_type", "right": True, "tenant": "acme"})
    path = tmp_path / "reviews.jsonl"
    path.write_text("\ufeff" + "\n".join([good, good[:-1] + ', "right": false}', good.replace("true", '"yes"')]))
    result = run("review", "--from", path)
    assert result.exit_code == 3
    assert "reviews.jsonl:2: a name stands twice" in result.stderr
    assert "reviews.jsonl:3: right: " in result.stderr
    assert [row["is_right"] for row in reviews(tmp_path)] == [1]
    for name in ("/dev/zero", "."):
        with pytest.raises(ConfigurationError, match="no regular file"):
            run("review", "--from", name)


def test_answers_of_the_fallback_are_reviewed_as_its_own(tmp_path: Path) -> None:
    """So that they do not spoil the primary's calibration; its version is in the pipeline's name."""
    job = record(
        tmp_path, 1, pipeline="1+listener-1+fallback-1.openai.gpt.ab+calibration-12", fallback_fields=("vocals",)
    ).job_id
    for field in ("vocals", "content_type"):
        run("review", job, "--field", field, "--right", "--tenant", "acme")
    found = {row["field"]: (row["model"], row["model_version"]) for row in reviews(tmp_path)}
    assert found == {"vocals": ("openai_compatible", "1.openai.gpt.ab"), "content_type": ("listener", "1")}


def test_reviews_are_fitted(tmp_path: Path) -> None:
    """Those of the model that is set; without any, it says how to make some."""
    connect(Settings(data=tmp_path / "data"))
    with pytest.raises(ConfigurationError, match="earmark review"):
        run("calibrate", "--from-reviews")
    rows = []
    for number in range(40):
        job = record(tmp_path, number, model_version="1" if number < 35 else "0").job_id
        rows.append({"job_id": job, "field": "content_type", "right": number % 4 > 0, "tenant": "acme"})
    path = tmp_path / "reviews.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    run("review", "--from", path)
    result = run("calibrate", "--from-reviews", "--out", "c.json")
    assert "5 reviews are of another version" in result.stderr
    made = calibration.load(tmp_path / "c.json", model="listener", model_version="1")
    assert (made.labels.source, made.labels.count, made.labels.recordings) == ("reviews", 35, 35)


def test_recordings_of_known_truth_are_listened_to(tmp_path: Path) -> None:
    """By the model in its process; files that cannot be heard cost their rows only."""
    for name in ("a", "b"):
        saved(tmp_path / f"{name}.wav", wav(tone(0.5, 16_000)))
    rows = [{"path": f"{name}.wav", "content_type": kind} for name, kind in (("a", "sound"), ("b", "music"))]
    rows += [{"path": "gone.wav", "content_type": "music"}, {"path": "truth.jsonl", "content_type": "music"}]
    path = tmp_path / "truth.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with open_listening(Settings(), "tests.listening_models:faulty", {}, tmp_path / "scratch") as predict:
        gathered = gathering.gather_file(
            path, asked=Identity("far"), spec=Identity("far"), listening=lambda: nullcontext(predict)
        )
    assert [(label.field, label.right, label.confidence) for label in gathered.labels] == [
        ("content_type", True, 0.9),
        ("content_type", False, 0.9),
    ]
    assert gathered.skipped == 2


def heard(
    folder: Path, words: list[str], factory: str = "tests.listening_models:faulty", **limits: object
) -> list[Heard]:
    """What comes of files, some of which the model cannot stand."""
    paths = [folder / f"{index} {word}.wav" for index, word in enumerate(words)]
    for path, word in zip(paths, words, strict=True):
        saved(path, wav(tone(seconds(word), 16_000)))
    with open_listening(Settings.model_validate(limits), factory, {}, folder / "scratch") as predict:
        return list(predict(paths))


def seconds(word: str) -> float:
    """The faulty model goes by the length of a clip."""
    return {"fine": 0.5, "crash": 1.0, "none": 1.5}[word]


def test_one_file_harms_no_other(tmp_path: Path) -> None:
    """A crash and an answer that is none are the answers about their files; order is kept; nothing is left behind."""
    words = ["fine", "crash", "fine", "none", "fine"]
    found = heard(tmp_path, words, batch_jobs=3, decoders=2)
    assert [each.path.stem.split()[1] for each in found] == words
    kinds = [type(each.answer).__name__ for each in found]
    assert kinds == ["Prediction", "ModelCrashed", "Prediction", "NoAnswer", "Prediction"]
    assert [each.audio_s for each in found] == pytest.approx([seconds(word) for word in words], abs=0.01)
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_model_that_does_not_load_ends_it(tmp_path: Path) -> None:
    """There is nothing to listen with."""
    with pytest.raises(ModelUnavailable):
        heard(tmp_path, ["fine"], "tests.models:missing")
