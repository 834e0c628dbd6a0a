"""Writes ``overlays/ENV/place/``: project, names, accounts and images, as Terraform and the registry say them.

    terraform -chdir=infra/terraform/envs/prod output -json regions > regions.json
    infra/docker/push.sh REGISTRY > digests.txt                  # a line an image: NAME sha256:DIGEST
    python infra/kubernetes/place.py prod regions.json us-central1 digests.txt

The files are meant to be committed: they are what a change of version is, and a rollback is the commit before.
"""  # noqa: INP001  # a tool beside the manifests, no package

import argparse
import ipaddress
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
NOWHERE: Final = {
    "settings": {
        "EARMARK_GCP_PROJECT": "example-project",
        "EARMARK_GCP_PREFIX": "earmark",
        "EARMARK_GCP_LOCATION": "us-central1",
    },
    "registry": "us-central1-docker.pkg.dev/example-project/earmark",
}
"""What is committed here: names that nobody has, so that nothing is applied by mistake."""
PROXIES: Final = "EARMARK_API_PROXIES"
LOCATION: Final = "EARMARK_GCP_LOCATION"
ENDPOINT: Final = "EARMARK_GCP_PUBSUB_ENDPOINT"
REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+")
NO_DIGEST: Final = "sha256:" + "0" * 64
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
IMAGES: Final = ("api", "router", "controller", "retention", "worker", "worker-gpu", "vllm")
ACCOUNTS: Final = ("api", "router", "controller", "worker-high", "worker-low", "retention", "dlq")
SECRETS: Final = {
    "providers": {"OPENAI_API_KEY": "openai-api-key"},
    "retention": {"EARMARK_SMTP_PASSWORD": "smtp-password"},  # names, no values
}


def patches(region: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is different from the base in each object that names the project or the prefix."""
    settings = region["settings"]
    project, prefix = settings["EARMARK_GCP_PROJECT"], settings["EARMARK_GCP_PREFIX"]
    emails = region.get("service_accounts", {})
    found = [
        _patch(
            "ServiceAccount",
            name,
            "/metadata/annotations/iam.gke.io~1gcp-service-account",
            emails.get(name, f"{prefix}-{name}@{project}.iam.gserviceaccount.com"),
        )
        for name in ACCOUNTS
    ]
    found += [
        _patch("SecretProviderClass", name, "/spec/parameters/secrets", _versions(project, prefix, files))
        for name, files in SECRETS.items()
    ]
    found += [
        _patch("Gateway", "api", "/metadata/annotations/networking.gke.io~1certmap", f"{prefix}-api"),
        _patch("Gateway", "api", "/spec/addresses/0/value", f"{prefix}-api"),
    ]
    address = f"https://monitoring.googleapis.com/v1/projects/{project}/location/global/prometheus"
    for lane in ("high", "low"):
        path = "/spec/metrics/0/external/metric/selector/matchLabels/resource.labels.namespace"
        found.append(_patch("HorizontalPodAutoscaler", f"worker-{lane}", path, prefix))
        query = f'max(earmark_desired_workers{{lane="{lane}",namespace="{prefix}"}})'
        for key, value in (("serverAddress", address), ("query", query)):
            found.append(_patch("ScaledObject", f"worker-{lane}", f"/spec/triggers/0/metadata/{key}", value))
    return found


def _patch(kind: str, name: str, path: str, value: str) -> dict[str, Any]:
    operation = [{"op": "replace", "path": path, "value": value}]
    return {"target": {"kind": kind, "name": name}, "patch": yaml.safe_dump(operation, sort_keys=False)}


def _versions(project: str, prefix: str, files: Mapping[str, str]) -> str:
    versions = [
        {"resourceName": f"projects/{project}/secrets/{prefix}-{secret}/versions/latest", "path": file}
        for file, secret in files.items()
    ]
    return yaml.safe_dump(versions, sort_keys=False)


def images(registry: str, digests: Mapping[str, str]) -> list[dict[str, str]]:
    """Each image by its digest."""
    return [
        {"name": f"earmark-{name}", "newName": f"{registry}/{name}", "digest": digests.get(name, NO_DIGEST)}
        for name in IMAGES
    ]


def read_digests(text: str) -> dict[str, str]:
    """Digests by image, from lines ``NAME DIGEST``.

    Raises:
        ValueError: a line says neither.
    """
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, digest = line.partition(" ")
        if name not in IMAGES or not DIGEST.fullmatch(digest.strip()):
            message = f"{line!r} is not one of {', '.join(IMAGES)} and its digest"
            raise ValueError(message)
        found[name] = digest.strip()
    return found


def placed_settings(region: Mapping[str, Any]) -> dict[str, str]:
    """The region's settings, its own address of Pub/Sub, and its API's address among the proxies that are believed.

    Topics refuse requests that arrive in another region, and the global address takes them to the nearest one.

    Google's load balancers send ``X-Forwarded-For: CLIENT,ADDRESS`` with their own public address last.  Unless that
    is believed too, the API takes it for everybody's, and one caller's wrong keys lock out all others.
    """
    settings = dict(region["settings"])
    if REGION.fullmatch(settings.get(LOCATION, "")):
        settings.setdefault(ENDPOINT, f"{settings[LOCATION]}-pubsub.googleapis.com:443")
    if address := region.get("address"):
        settings[PROXIES] = f"{settings.get(PROXIES) or _proxies_of_base()},{ipaddress.ip_address(address)}"
    return settings


def _proxies_of_base() -> str:
    lines = (HERE / "base" / "settings.env").read_text(encoding="utf-8").splitlines()
    [found] = [line.partition("=")[2] for line in lines if line.startswith(f"{PROXIES}=")]
    return found


def component(region: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """The text of ``kustomization.yaml``."""
    settings = placed_settings(region)
    made = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "namespace": settings["EARMARK_GCP_PREFIX"],
        "configMapGenerator": [
            {"name": "settings", "behavior": "merge", "literals": [f"{key}={value}" for key, value in settings.items()]}
        ],
        "patches": patches(region),
        "images": images(region["registry"], digests),
    }
    head = "# Written by infra/kubernetes/place.py; zeros stand for images that nobody has pushed yet.\n"
    return head + yaml.safe_dump(made, sort_keys=False, width=120)


def main(arguments: list[str] | None = None) -> None:
    """Write the files of one environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=sorted(each.name for each in (HERE / "overlays").iterdir()))
    parser.add_argument("regions", type=Path, nargs="?", help="what `terraform output -json regions` printed")
    parser.add_argument("region", nargs="?", help="one of them")
    parser.add_argument("digests", type=Path, nargs="?", help="what push.sh printed")
    parser.add_argument("--into", type=Path, help="another folder than the environment's")
    given = parser.parse_args(arguments)
    region: Mapping[str, Any] = NOWHERE
    if given.regions is not None:
        regions = json.loads(given.regions.read_text(encoding="utf-8"))
        if given.region not in regions:
            parser.error(f"there is no region {given.region!r}; there are {', '.join(sorted(regions))}")
        region = regions[given.region]
        if not region.get("address"):
            parser.error(f"{given.regions} names no address of the API: apply Terraform, and write the file anew")
    digests = read_digests(given.digests.read_text(encoding="utf-8")) if given.digests is not None else {}
    folder = given.into or HERE / "overlays" / given.environment / "place"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(component(region, digests), encoding="utf-8")


if __name__ == "__main__":
    main()
