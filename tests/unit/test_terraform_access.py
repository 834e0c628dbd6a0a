"""Who may do what on Google Cloud, grant by grant: the second of two books, held against Terraform's."""

import pytest

from tests.terraform_files import resources
from tests.terraform_grants import Grant, agents, grants
from tests.terraform_values import arguments, value

LANES = "subscription high, subscription low, subscription dead"
WORKER = {
    "roles/bigquery.jobUser": "project",
    "roles/monitoring.viewer": "project",
    "roles/pubsub.viewer": LANES,
    "roles/secretmanager.secretAccessor": "secret openai-api-key",
    "roles/storage.objectCreator": "bucket audit",
    "roles/storage.objectUser": "bucket results, bucket state, bucket temporary",
    "roles/storage.objectViewer": "bucket archive, bucket audit, bucket uploads",
    "row_writer": "dataset",
}
ERASER = {
    "roles/bigquery.jobUser": "project",
    "roles/storage.objectCreator": "bucket audit",
    "roles/storage.objectUser": "bucket archive, bucket results, bucket state, bucket temporary, bucket uploads",
    "roles/storage.objectViewer": "bucket audit",
    "row_writer": "dataset",
}
EVALUATOR = {"roles/monitoring.metricWriter": "project", "roles/monitoring.viewer": "project"}
ENCRYPT = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
COMPONENTS = {
    "api": {
        **ERASER,
        "roles/iam.serviceAccountTokenCreator": "account api",
        "roles/monitoring.viewer": "project",
        "roles/pubsub.publisher": "topic high, topic low",
        "roles/pubsub.viewer": LANES,
    },
    "router": {
        "object_dater": "bucket uploads",
        "roles/bigquery.jobUser": "project",
        "roles/pubsub.publisher": "topic high, topic low",
        "roles/pubsub.subscriber": "subscription uploads",
        "roles/pubsub.viewer": LANES,
        "roles/storage.objectCreator": "bucket audit",
        "roles/storage.objectUser": "bucket state, bucket temporary",
        "roles/storage.objectViewer": "bucket audit, bucket results",
        "row_writer": "dataset",
    },
    "worker-high": {
        **WORKER,
        "roles/pubsub.publisher": "topic high, topic low, topic dead, topic results",
        "roles/pubsub.subscriber": "subscription high, subscription dead",
    },
    "worker-low": {
        **WORKER,
        "roles/pubsub.publisher": "topic low, topic dead, topic results",
        "roles/pubsub.subscriber": "subscription low, subscription dead",
    },
    "controller": {
        "roles/bigquery.dataViewer": "dataset",
        "roles/bigquery.jobUser": "project",
        "roles/monitoring.viewer": "project",
        "roles/pubsub.viewer": LANES,
        "roles/storage.objectUser": "bucket state",
    },
    "retention": {
        **ERASER,
        "roles/pubsub.publisher": "topic notices",
        "roles/secretmanager.secretAccessor": "secret smtp-password",
    },
    "dlq": {
        **WORKER,
        "roles/pubsub.publisher": "topic high, topic low, topic results",
        "roles/pubsub.subscriber": "subscription dead",
    },
}
"""Of ours, each with an account of its own: which role, on what."""

OTHERS = {
    "agent artifacts": {ENCRYPT: "key artifacts"},
    "agent cluster": {ENCRYPT: "key cluster"},
    "agent disks": {ENCRYPT: "key disks"},
    "agent logs": {ENCRYPT: "key logs"},
    # Without both of these Pub/Sub forwards no dead letters, and tells nobody.
    "agent messages": {
        ENCRYPT: "key messages",
        "roles/pubsub.publisher": "topic dead",
        "roles/pubsub.subscriber": "subscription high, subscription low",
    },
    "agent objects": {ENCRYPT: "key objects", "roles/pubsub.publisher": "topic uploads"},
    "agent reports_agent": {
        "roles/storage.insightsCollectorService": "bucket uploads",
        "roles/storage.objectCreator": "bucket temporary",
    },
    "agent rows": {ENCRYPT: "key rows"},
    "agent runs": {ENCRYPT: "key runs"},
    "agent secrets": {ENCRYPT: "key secrets"},
    "analysts": {"roles/bigquery.dataViewer": "dataset"},
    "nodes": {
        "roles/artifactregistry.reader": "images",
        "roles/container.defaultNodeServiceAccount": "project",
        "roles/monitoring.viewer": "project",
    },
    # Into the pod `operator`, too: what they may do in a cluster, Kubernetes says.
    "operators": {"cluster_visitor": "project", "roles/iam.serviceAccountTokenCreator": "account dlq"},
    # Managed Prometheus, which records what alerts about budgets read: by GKE's version it is one or the other.
    "pod gmp-system/collector": EVALUATOR,
    "pod gmp-system/rule-evaluator": EVALUATOR,
    "pod metric_readers.0/metric_readers.1": {"roles/monitoring.viewer": "project"},
    "scheduler": {"roles/run.invoker": "job reconcile"},
    # Only in the namespace that is the region's, and only under its own name.
    **{f"pod PREFIX/{name}": {"roles/iam.workloadIdentityUser": f"account {name}"} for name in COMPONENTS},
}
"""Google's own accounts, people, and the pods behind the components."""

AGENTS = {
    "google_artifact_registry_repository": "gcp-sa-artifactregistry.iam.gserviceaccount.com",
    "google_bigquery_dataset": "google_bigquery_default_service_account",
    "google_bigquery_table": "google_bigquery_default_service_account",
    "google_cloud_run_v2_job": "serverless-robot-prod.iam.gserviceaccount.com",
    "google_container_cluster": "container-engine-robot.iam.gserviceaccount.com",
    "google_container_node_pool": "compute-system.iam.gserviceaccount.com",
    "google_logging_project_bucket_config": "google_logging_project_cmek_settings",
    "google_pubsub_topic": "gcp-sa-pubsub.iam.gserviceaccount.com",
    "google_secret_manager_secret": "gcp-sa-secretmanager.iam.gserviceaccount.com",
    "google_storage_bucket": "google_storage_project_service_account",
}
"""As whom each service of Google's encrypts: the account's domain, or what Terraform asks for it."""


def expected() -> set[Grant]:
    """The tables, line by line."""
    return {
        Grant(who, role, on)
        for who, roles in {**COMPONENTS, **OTHERS}.items()
        for role, places in roles.items()
        for on in places.split(", ")
    }


def test_everybody_may_what_they_need_and_no_more() -> None:
    """Terraform grants what the table says, all of it and nothing beside, and nothing twice."""
    made = list(grants())
    assert set(made) - expected() == set(), "granted, and not in the table"
    assert expected() - set(made) == set(), "in the table, and not granted"
    assert len(made) == len(set(made))


@pytest.mark.parametrize("kind", AGENTS)
def test_whoever_encrypts_may_use_the_key(kind: str) -> None:
    """The key that a resource names is granted to the account that its service encrypts as, or nothing can be made."""
    names = ("kms_key_name", "default_kms_key_name", "encryption_key", "key_name", "boot_disk_kms_key")
    made = [(each, key) for each in resources(kind) for key in arguments(each.body, *names)]
    assert made
    for each, said in made:
        key = str(value(each.folder, said)).removeprefix('${module.keys.keys["').removesuffix('"]}')
        assert agents().get(key) == AGENTS[kind], f"{each.where}: {key}"


def test_every_key_has_somebody() -> None:
    """No key is made that nothing is encrypted with."""
    assert set(agents().values()) == set(AGENTS.values())
