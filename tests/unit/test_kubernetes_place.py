"""Where the manifests are put: what Terraform and the registry say becomes what the cluster gets."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from uvicorn.middleware.proxy_headers import _TrustedHosts

from earmark.settings import load
from tests.kubernetes import FOLDER, KUBECTL, env_file, name_of, of_kind, pods, render, settings_of

DIGEST = "sha256:" + "ab" * 32
REGIONS = {
    "europe-west4": {
        "settings": {
            "EARMARK_BACKEND": "gcp",
            "EARMARK_GCP_PROJECT": "acme-audio",
            "EARMARK_GCP_PREFIX": "earmark-eu",
            "EARMARK_GCP_LOCATION": "europe-west4",
            "EARMARK_LEASE_S": "40",
        },
        "service_accounts": {"api": "earmark-eu-api@acme-audio.iam.gserviceaccount.com"},
        "registry": "europe-west4-docker.pkg.dev/acme-audio/earmark-eu",
        "address": "203.0.113.7",
    }
}


@pytest.fixture(scope="module")
def place() -> ModuleType:
    """The script, which is in no package."""
    spec = importlib.util.spec_from_file_location("place", FOLDER / "place.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_what_is_committed_is_of_the_scripts_making(place: ModuleType, tmp_path: Path, environment: str) -> None:
    """Whatever project it names: the same objects are changed, and the same images named."""
    place.main([environment, "--into", str(tmp_path)])
    shapes = []
    for folder in (tmp_path, FOLDER / "overlays" / environment / "place"):
        made = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        shapes.append(([each["target"] for each in made["patches"]], [each["name"] for each in made["images"]]))
    assert shapes[0] == shapes[1]


def test_nothing_of_the_placeholder_is_left(place: ModuleType, tmp_path: Path) -> None:
    """Project, prefix, accounts, images and figures of one region, in every object and with every component."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    folder = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, folder)
    (tmp_path / "regions.json").write_text(json.dumps(REGIONS), encoding="utf-8")
    (tmp_path / "digests.txt").write_text("".join(f"{name} {DIGEST}\n" for name in place.IMAGES), encoding="utf-8")
    overlay = folder / "overlays" / "prod"
    into = ["--into", str(overlay / "place")]
    place.main(["prod", str(tmp_path / "regions.json"), "europe-west4", str(tmp_path / "digests.txt"), *into])
    made = yaml.safe_load((overlay / "kustomization.yaml").read_text(encoding="utf-8"))
    more = [f"../../components/{name}" for name in ("secret-manager", "secret-manager-mail", "scaling-keda", "vllm")]
    made["components"] = [*more, *(each for each in made["components"] if "scaling" not in each and "gpu" not in each)]
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    operators = overlay / "operators.yaml"
    named = operators.read_text(encoding="utf-8").replace("subjects: []", "subjects:").replace("  # - {", "  - {")
    operators.write_text(named, encoding="utf-8")
    objects = render(overlay)
    text = yaml.safe_dump(list(objects))
    assert "example-project" not in text
    assert "0" * 64 not in text
    assert {each["metadata"].get("namespace") for each in objects} == {None, "earmark-eu"}
    assert [each["metadata"]["name"] for each in of_kind(objects, "Namespace")] == ["earmark-eu"]
    for each, spec in pods(objects):
        [container] = spec["containers"]
        assert container["image"].startswith("europe-west4-docker.pkg.dev/acme-audio/earmark-eu/"), name_of(each)
        assert container["image"].endswith(f"@{DIGEST}"), name_of(each)
        if container["name"] == "earmark":
            settings = settings_of(objects, container)
            assert settings.items() >= REGIONS["europe-west4"]["settings"].items()  # type: ignore[attr-defined]
    accounts = {
        each["metadata"]["name"]: each["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        for each in of_kind(objects, "ServiceAccount")
        if "annotations" in each["metadata"]
    }
    assert accounts == {name: f"earmark-eu-{name}@acme-audio.iam.gserviceaccount.com" for name in place.ACCOUNTS}
    for each in of_kind(objects, "ScaledObject"):
        query = each["spec"]["triggers"][0]["metadata"]["query"]
        assert 'namespace="earmark-eu"' in query
    assert {each["metadata"]["name"]: each["spec"]["minReplicaCount"] for each in of_kind(objects, "ScaledObject")} == {
        "worker-high": 2,
        "worker-low": 0,
    }
    [binding] = of_kind(objects, "RoleBinding")
    assert [(each["kind"], each["name"]) for each in binding["subjects"]] == [("User", "ann@example.com")]


def test_the_load_balancers_own_address_is_believed(place: ModuleType) -> None:
    """Google sends ``CLIENT,ADDRESS``; who is asked for a key is the client, and each is counted alone."""
    settings = place.placed_settings(REGIONS["europe-west4"])
    of_base = env_file(FOLDER / "base" / "settings.env")["EARMARK_API_PROXIES"]
    assert settings["EARMARK_API_PROXIES"] == f"{of_base},203.0.113.7"
    believed = _TrustedHosts(load(settings).settings.api_proxies.split(","))
    assert believed.get_trusted_client_address("198.51.100.9, 203.0.113.7")[0] == "198.51.100.9"
    assert believed.get_trusted_client_address("10.9.9.9, 198.51.100.9, 203.0.113.7")[0] == "198.51.100.9", "forged"


def test_pubsub_is_asked_in_the_region(place: ModuleType) -> None:
    """Topics refuse what arrives elsewhere; where the place is no region, or somebody has chosen, nothing is added."""
    settings = place.placed_settings(REGIONS["europe-west4"])
    assert settings["EARMARK_GCP_PUBSUB_ENDPOINT"] == "europe-west4-pubsub.googleapis.com:443"
    assert load(settings).settings.gcp_pubsub_endpoint == "europe-west4-pubsub.googleapis.com:443"
    assert place.placed_settings({"settings": {"EARMARK_GCP_LOCATION": "EU"}}) == {"EARMARK_GCP_LOCATION": "EU"}
    chosen = {"EARMARK_GCP_LOCATION": "us-east1", "EARMARK_GCP_PUBSUB_ENDPOINT": "pubsub.internal:443"}
    assert place.placed_settings({"settings": chosen}) == chosen


def test_proxies_of_the_environment_stay(place: ModuleType) -> None:
    """Those that Terraform was given, as for a CDN before the load balancer."""
    region = {"settings": {"EARMARK_API_PROXIES": "192.0.2.0/24"}, "address": "203.0.113.7"}
    assert place.placed_settings(region) == {"EARMARK_API_PROXIES": "192.0.2.0/24,203.0.113.7"}


def test_a_region_without_the_apis_address_is_refused(place: ModuleType, tmp_path: Path) -> None:
    """As a file from before Terraform told of it: all callers would be one."""
    old = {name: value for name, value in REGIONS["europe-west4"].items() if name != "address"}
    (tmp_path / "regions.json").write_text(json.dumps({"europe-west4": old}), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        place.main(["prod", str(tmp_path / "regions.json"), "europe-west4", "--into", str(tmp_path)])
    assert ended.value.code == 2
    assert not (tmp_path / "kustomization.yaml").exists()


def test_an_unknown_region_is_refused(place: ModuleType, tmp_path: Path) -> None:
    """With the ones there are."""
    (tmp_path / "regions.json").write_text(json.dumps(REGIONS), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        place.main(["prod", str(tmp_path / "regions.json"), "mars-north1", "--into", str(tmp_path)])
    assert ended.value.code == 2


@pytest.mark.parametrize("line", ["api latest", f"apis {DIGEST}", f"api {DIGEST}0", "api"])
def test_what_is_no_digest_is_refused(place: ModuleType, line: str) -> None:
    """Neither a tag nor an image that nobody has."""
    with pytest.raises(ValueError, match="digest"):
        place.read_digests(line)


def changed(**settings: str) -> str:
    """The regions, with other settings of the one there is."""
    region = REGIONS["europe-west4"]
    return json.dumps({"europe-west4": region | {"settings": {**region["settings"], **settings}}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("regions", "digests", "said"),
    [
        ('{"europe-west4": ', "", "no JSON"),
        ("[]", "", "there are none"),
        ('{"europe-west4": []}', "", "has no settings"),
        (json.dumps({"europe-west4": REGIONS["europe-west4"] | {"address": "203.0.113"}}), "", "no IP address"),
        (json.dumps({"europe-west4": REGIONS["europe-west4"] | {"registry": "a b"}}), "", "no registry's name"),
        (changed(EARMARK_GCP_PREFIX="Bad_Prefix\nx: y"), "", "EARMARK_GCP_PREFIX"),
        (changed(EARMARK_GCP_PREFIX="e"), "", "EARMARK_GCP_PREFIX"),
        (changed(EARMARK_GCP_PROJECT="acme_audio"), "", "EARMARK_GCP_PROJECT"),
        (changed(EARMARK_GCP_LOCATION="EU"), "", "EARMARK_GCP_LOCATION"),
        (changed(EARMARK_MODEL="a\nEARMARK_BACKEND=local"), "", "line break"),
        (json.dumps(REGIONS), "api latest", "push.sh"),
        (json.dumps(REGIONS), None, "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    place: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], regions: str, digests: str | None, said: str
) -> None:
    """With the file's name and what to do, status 2, and nothing written."""
    (tmp_path / "regions.json").write_text(regions, encoding="utf-8")
    if digests is not None:
        (tmp_path / "digests.txt").write_text(digests, encoding="utf-8")
    files = [str(tmp_path / "regions.json"), "europe-west4", str(tmp_path / "digests.txt")]
    with pytest.raises(SystemExit) as ended:
        place.main(["prod", *files, "--into", str(tmp_path / "made")])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert str(tmp_path / ("digests.txt" if digests != "" else "regions.json")) in told
    assert not (tmp_path / "made").exists()
