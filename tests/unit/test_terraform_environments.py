"""What the environments hand on, and what the walk of docs/terraform.md sets."""

import re

import pytest
import yaml

from tests.terraform_files import ROOT, TERRAFORM, Block, blocks, document, local
from tests.terraform_values import calls


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_what_is_documented_can_be_set(environment: str) -> None:
    """Each variable that docs/terraform.md names for later is one of the environment's, and handed on."""
    page = (ROOT / "docs/terraform.md").read_text(encoding="utf-8")
    later = page[page.index("## Later") : page.index("## Destroying")]
    known = {each.name for each in blocks("variable") if each.folder == "modules/earmark"}
    named = {word for word in re.findall(r"`(\w+)(?: = [^`]*)?`", later) if word in known} - {"pools"}
    assert named >= {
        "lease_s",
        "metric_readers",
        "inventory_reports",
        "audit_locked",
        "log_days",
        "operators",
        "analysts",
    }
    if environment == "dev":
        named.remove("audit_locked")
    named |= {"pages", "tickets", "billing_account"}
    [module] = [each['"earmark"'] for each in document(TERRAFORM / "envs" / environment)["module"]]
    mine = {each.name for each in blocks("variable") if each.folder == f"envs/{environment}"}
    assert named <= mine
    assert all(f"var.{name}" in str(module[name]) for name in named)
    assert all(f"var.{name}" in str(document(TERRAFORM / "envs" / environment)) for name in mine)


FIXED = {
    "modules/monitoring": {"evaluation_interval_s"},
    "modules/network": {"name"},
    "modules/project": {"audited"},
}
"""Variables that have one value wherever Earmark runs, which only a change of the module changes."""


@pytest.mark.parametrize(("folder", "module"), [(each[0], each[2]) for each in calls()])
def test_no_choice_ends_half_way(folder: str, module: str) -> None:
    """What a module asks is handed to it: a variable that keeps its default for ever is a choice nobody has."""
    [given] = [each[3] for each in calls() if each[0] == folder and each[2] == module]
    asked = {each.name for each in blocks("variable") if each.folder == f"modules/{module}"}
    unset = asked - set(given) - FIXED.get(f"modules/{module}", set())
    if folder == "envs/dev":  # which can be thrown away, and whose pages are mails
        unset -= {"audit_locked", "protection_level", "page_channels"}
    if folder == "envs/prod":
        unset -= {"disposable"}
    assert not unset


@pytest.mark.parametrize("each", blocks("variable"), ids=lambda each: f"{each.folder}/{each.name}")
def test_no_choice_is_ignored(each: Block) -> None:
    """Something in the folder follows from each variable; that it is checked is not enough."""
    texts = (path.read_text(encoding="utf-8") for path in (TERRAFORM / each.folder).glob("*.tf"))
    said = "\n".join(re.sub(r"^variable .*?^}$", "", text, flags=re.MULTILINE | re.DOTALL) for text in texts)
    assert re.search(rf"\bvar\.{each.name}\b", said)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_whatever_is_told_is_told_to_the_end(environment: str) -> None:
    """Each output of the whole is one of the environment's, which is where `terraform output` looks."""
    told = {each.name for each in blocks("output") if each.folder == "modules/earmark"}
    mine = {each.name: each.body["value"] for each in blocks("output") if each.folder == f"envs/{environment}"}
    assert mine == {name: f"${{module.earmark.{name}}}" for name in told}


def test_pages_of_production_link_to_their_runbooks() -> None:
    """Somebody who is woken must not have to look for the page."""
    [url] = [each for each in blocks("variable") if (each.folder, each.name) == ("envs/prod", "documents_url")]
    assert "default" not in url.body
    assert "^https://" in str(url.inner("validation")[0]["condition"])


def test_the_walk_sets_what_cannot_be_left_out() -> None:
    """And signs in twice: Terraform's login is not that of gcloud."""
    page = (ROOT / "docs/terraform.md").read_text(encoding="utf-8")
    walk = page[page.index("## From nothing") : page.index("## Who may do what")]
    assert walk.index("gcloud auth login") < walk.index("gcloud auth application-default login")
    for folder in ("envs/dev", "envs/prod"):
        for each in blocks("variable"):
            if each.folder == folder and "default" not in each.body:
                assert re.search(rf"^{each.name}\b|`{each.name}`", walk, flags=re.MULTILINE), each.name


def test_the_walk_records_what_alerts_read() -> None:
    """Before anybody could be told that it was forgotten; once for each cluster."""
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    walk = page[page.index("## Into the cluster") : page.index("## A new version")]
    assert "output -raw recording_rules" in walk
    assert re.search(r"recording_rules \| kubectl apply -f -", walk)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_pages_reach_somebody(environment: str) -> None:
    """Where they cannot be left out, or else whoever gets tickets."""
    [pages] = [each for each in blocks("variable") if (each.folder, each.name) == (f"envs/{environment}", "pages")]
    [module] = [each['"earmark"'] for each in document(TERRAFORM / "envs" / environment)["module"]]
    assert "default" not in pages.body or "var.tickets" in module["pages"]


def test_production_tells_somebody() -> None:
    """Neither list may be left out, and an empty one is refused: the budget and all tickets go to the second."""
    asked = {each.name: each for each in blocks("variable") if each.folder == "envs/prod"}
    for name, condition in {
        "pages": "${length(var.pages) + length(var.page_channels) > 0}",
        "tickets": "${length(var.tickets) > 0}",
    }.items():
        assert "default" not in asked[name].body
        assert asked[name].inner("validation")[0]["condition"] == condition


def test_what_scales_in_production_may_read_what_it_scales_by() -> None:
    """The overlay and Terraform name the same way; the other is a choice of both."""
    overlay = yaml.safe_load((ROOT / "infra/kubernetes/overlays/prod/kustomization.yaml").read_text(encoding="utf-8"))
    assert "../../components/scaling-hpa" in overlay["components"]
    [asked] = [each for each in blocks("variable") if (each.folder, each.name) == ("envs/prod", "metric_readers")]
    adapter = "custom-metrics/custom-metrics-stackdriver-adapter"
    assert [each.strip('"') for each in asked.body["default"]] == [adapter]
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    walk = page[page.index("## Into the cluster") : page.index("## A new version")]
    assert adapter in walk
    assert re.search(
        r"kubectl apply -f https://raw\.githubusercontent\.com/GoogleCloudPlatform/k8s-stackdriver/[0-9a-f]{40}/", walk
    )


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_there_is_a_budget(environment: str) -> None:
    """The walk names the account, production cannot do without, and a login is no project that budgets could count."""
    page = (ROOT / "docs/terraform.md").read_text(encoding="utf-8")
    assert re.search(r"<<END\n(?:.*\n)*billing_account = .*\n(?:.*\n)*END\n", page)
    folder = f"envs/{environment}"
    [account] = [each for each in blocks("variable") if (each.folder, each.name) == (folder, "billing_account")]
    assert "validation" in account.body
    assert ("default" in account.body) is (environment == "dev")
    [provider] = [each['"google"'] for each in document(TERRAFORM / folder)["provider"]]
    assert provider["user_project_override"] is True
    assert provider["billing_project"] == provider["project"] == "${var.project_id}"


def test_the_manifests_are_told_the_apis_address() -> None:
    """It is what Google's load balancers put last into X-Forwarded-For: infra/kubernetes/place.py."""
    [regions] = [each for each in blocks("output") if (each.folder, each.name) == ("modules/earmark", "regions")]
    assert re.search(r"address\W+module\.network\.apis\[region\]\.address", str(regions.body["value"]))


def test_pubsub_is_asked_in_its_region_everywhere() -> None:
    """Topics refuse what arrives in another one: from the manifests, from what runs by the clock, and by the docs."""
    settings = str(local("modules/region", "settings"))
    assert 'EARMARK_GCP_PUBSUB_ENDPOINT = "${var.region}-pubsub.googleapis.com:443"' in settings
    assert settings.index("ENDPOINT") < settings.index("var.settings"), "one that is chosen comes first"
    [told] = [each for each in blocks("output") if (each.folder, each.name) == ("modules/region", "settings")]
    assert told.body["value"] == "${local.settings}"
    [clock] = [body for _, _, module, body in calls() if module == "scheduler"]
    assert clock["environment"] == "${local.settings}"
