"""Google's services: those are switched on that something uses, and no others."""

import re
from functools import cache

import pytest

from tests.terraform_files import ROOT, local, resources

NEEDED_BY = {
    "artifactregistry": ("infra/terraform", r'"google_artifact_registry_'),
    "bigquery": ("infra/terraform", r'"google_bigquery_'),
    "bigquerystorage": ("runtime/gcp", r"bigquery_storage_v1|create_bqstorage_client"),
    "binaryauthorization": ("infra/terraform", r"binary_authorization \{"),
    "billingbudgets": ("infra/terraform", r'"google_billing_budget"'),
    "certificatemanager": ("infra/terraform", r'"google_certificate_manager_'),
    "cloudkms": ("infra/terraform", r'"google_kms_'),
    "cloudscheduler": ("infra/terraform", r'"google_cloud_scheduler_'),
    "compute": ("infra/terraform", r'"google_compute_'),
    "container": ("infra/terraform", r'"google_container_'),
    "containerfilesystem": ("infra/terraform", r"gcfs_config \{"),
    "containersecurity": ("infra/terraform", r"security_posture_config \{"),
    "dns": ("infra/terraform", r'cluster_dns +=\s*"CLOUD_DNS"'),
    "iam": ("infra/terraform", r'"google_service_account"'),
    "iamcredentials": ("runtime/gcp", r"generate_signed_url"),
    "logging": ("infra/terraform", r'"google_logging_'),
    "monitoring": ("infra/terraform", r'"google_monitoring_'),
    "pubsub": ("infra/terraform", r'"google_pubsub_'),
    "run": ("infra/terraform", r'"google_cloud_run_'),
    "secretmanager": ("infra/terraform", r'"google_secret_manager_'),
    "storage": ("infra/terraform", r'"google_storage_bucket"'),
    "storageinsights": ("infra/terraform", r'"google_storage_insights_'),
}
"""Why each of Google's services is switched on: where it is used, and how that looks."""

PREFIXES = sorted({found for _, said in NEEDED_BY.values() for found in re.findall(r'^"(google_\w+)', said)})


@cache
def written(folder: str) -> str:
    """All of it, Terraform or Python."""
    paths = (path for kind in ("*.tf", "*.py") for path in sorted((ROOT / folder).rglob(kind)))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if ".terraform" not in path.parts)


@pytest.mark.parametrize("service", NEEDED_BY)
def test_services_are_on_that_are_used(service: str) -> None:
    """What the modules make or the code calls; switched off, the first call fails."""
    folder, said = NEEDED_BY[service]
    assert re.search(said, written(folder)), f"nobody needs {service} any more"
    assert f"{service}.googleapis.com" in switched_on()


def test_no_service_is_on_for_nothing() -> None:
    """And each type of resource belongs to a service that is known here."""
    assert switched_on() == {f"{service}.googleapis.com" for service in NEEDED_BY}
    for each in resources():
        assert each.kind.startswith((*PREFIXES, "google_project_", "google_service_account", "google_storage_")), (
            each.where
        )


def switched_on() -> set[str]:
    """The services of the module project."""
    return set(re.findall(r'"([a-z.]+\.googleapis\.com)"', str(local("modules/project", "services"))))
