"""A customer's region: everything is in it, and so is what writes down who asked and who read."""

import pytest

from tests.terraform_files import Block, local, resources
from tests.terraform_values import arguments, value

PLACES = ("location", "region", "allowed_persistence_regions")
PLACED = [each for each in resources() if list(arguments(each.body, *PLACES))]


def ids(block: Block) -> str:
    """A case's name."""
    return f"{block.folder}/{block.kind}.{block.name}"


@pytest.mark.parametrize("each", PLACED, ids=ids)
def test_everything_is_in_the_region_it_is_made_for(each: Block) -> None:
    """Keys, queues, buckets, rows, secrets, logs, images, machines: none names a place of its own."""
    for said in arguments(each.body, *PLACES):
        assert value(each.folder, said) in ("${each.key}", ["${each.key}"]), said
    if each.folder == "modules/network":
        assert each.body["for_each"] == "${var.regions}"


def test_what_can_be_placed_is_placed() -> None:
    """The resources that hold something are among them; those of these types have no place, or their parent's."""
    kinds = {each.kind for each in PLACED}
    for held in ("storage_bucket", "bigquery_dataset", "pubsub_topic", "kms_key_ring", "secret_manager_secret"):
        assert f"google_{held}" in kinds
    assert {"google_container_cluster", "google_logging_project_bucket_config"} <= kinds


def filters() -> str:
    """What is taken out of the project's log and into the region's."""
    said = str(local("modules/region", "log_filter")) + str(local("modules/region", "log_resources"))
    return said.replace('\\"', '"')


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (
            "k8s_container",
            'resource.labels.namespace_name="${var.prefix}" AND resource.labels.location="${var.region}"',
        ),
        ("cloud_run_job", 'resource.labels.location="${var.region}"'),
        ("http_load_balancer", 'resource.labels.url_map_name=~"^gkegw1-[a-z0-9]+-${var.prefix}-api-"'),
        ("http_load_balancer", 'httpRequest.requestUrl:"://${var.host}/"'),
    ],
    ids=["pods", "jobs", "requests by the Gateway", "requests by the host"],
)
def test_log_lines_with_customers_names_stay_in_their_region(kind: str, ours: str) -> None:
    """What our processes write and what the load balancer does, of this region and of no other."""
    assert f'(resource.type="{kind}" AND {ours})' in filters()


def test_who_read_what_stays_in_its_region() -> None:
    """Data Access logs have names of customers' files, and queries: by place, by bucket, and by dataset."""
    assert 'log_id("cloudaudit.googleapis.com/data_access") AND (${local.log_resources})' in filters()
    for part in ("resource.labels.location=", "values(module.buckets.names)", "${module.warehouse.dataset}"):
        assert part in str(local("modules/region", "log_resources"))
    [sink] = resources("google_logging_project_sink")
    [exclusion] = resources("google_logging_project_exclusion")
    assert sink.body["filter"] == exclusion.body["filter"] == "${local.log_filter}"
    assert "google_logging_project_bucket_config.main.id" in str(sink.body["destination"])
