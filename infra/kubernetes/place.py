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
PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f]*")
SHAPES: Final = {
    "EARMARK_GCP_PROJECT": (re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"), "a project's id"),
    "EARMARK_GCP_PREFIX": (
        re.compile(r"[a-z][a-z0-9-]{0,16}[a-z0-9]"),
        "a prefix: 2 to 18 small letters, digits, hyphens",
    ),
    "EARMARK_GCP_LOCATION": (REGION, "a region, as europe-west4"),
}
"""Settings that become names in the manifests, and what they are; as infra/terraform has them."""
REGISTRY: Final = re.compile(r"[a-z0-9.-]+(/[a-z0-9._-]+)+")
APPLY: Final = "Write it anew: terraform output -json regions, after an apply."
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
            message = f"{line!r} is not one of {', '.join(IMAGES)} and its digest.  Write it anew: push.sh REGISTRY"
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


def read_region(text: str, name: str | None) -> dict[str, Any]:
    """One region of what ``terraform output -json regions`` printed, with what is needed of it.

    Raises:
        ValueError: it is no such output, has no such region, or a value cannot be a name in the manifests.
    """
    regions = json.loads(text)
    if not isinstance(regions, dict) or name not in regions:
        there = ", ".join(sorted(regions)) if isinstance(regions, dict) else "none"
        message = f"there is no region {name!r}; there are {there}"
        raise ValueError(message)
    region: dict[str, Any] = regions[name]
    settings = region.get("settings") if isinstance(region, dict) else None
    if not isinstance(settings, dict) or not isinstance(region.get("service_accounts", {}), dict):
        message = f"region {name} has no settings.  {APPLY}"
        raise ValueError(message)  # noqa: TRY004  # what is wrong is a file
    if not region.get("address"):
        message = f"region {name} has no address of the API.  {APPLY}"
        raise ValueError(message)
    for key, (shape, what) in SHAPES.items():
        if not shape.fullmatch(str(settings.get(key, ""))):
            message = f"{key} of region {name} is {settings.get(key)!r}, and not {what}.  {APPLY}"
            raise ValueError(message)
    for key, value in {**settings, **region.get("service_accounts", {})}.items():
        if not PLAIN.fullmatch(f"{key}{value}"):
            message = f"{key} of region {name} has a line break or control character in it: {value!r}.  {APPLY}"
            raise ValueError(message)
    if not REGISTRY.fullmatch(str(region.get("registry", ""))):
        message = f"registry of region {name} is {region.get('registry')!r}, and no registry's name.  {APPLY}"
        raise ValueError(message)
    try:
        ipaddress.ip_address(region["address"])
    except ValueError:
        message = f"address of region {name} is {region['address']!r}, and no IP address.  {APPLY}"
        raise ValueError(message) from None
    return region


def main(arguments: list[str] | None = None) -> None:
    """Write the files of one environment; ends with status 2 where a file cannot be read or says what cannot be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", choices=sorted(each.name for each in (HERE / "overlays").iterdir()))
    parser.add_argument("regions", type=Path, nargs="?", help="what `terraform output -json regions` printed")
    parser.add_argument("region", nargs="?", help="one of them")
    parser.add_argument("digests", type=Path, nargs="?", help="what push.sh printed")
    parser.add_argument("--into", type=Path, help="another folder than the environment's")
    given = parser.parse_args(arguments)
    region: Mapping[str, Any] = NOWHERE
    digests: Mapping[str, str] = {}
    source = given.regions
    try:
        if given.regions is not None:
            region = read_region(given.regions.read_text(encoding="utf-8"), given.region)
        if given.digests is not None:
            source = given.digests
            digests = read_digests(given.digests.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        parser.error(f"{source}: no JSON, {error}.  {APPLY}")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{source}: cannot be read: {error}")
    except ValueError as error:
        parser.error(f"{source}: {error}")
    folder = given.into or HERE / "overlays" / given.environment / "place"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(component(region, digests), encoding="utf-8")


if __name__ == "__main__":
    main()
