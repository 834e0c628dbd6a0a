"""What the environments hand on, and what the walk of docs/terraform.md sets."""

import re

import pytest

from tests.terraform_files import ROOT, TERRAFORM, blocks, document


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


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_pages_reach_somebody(environment: str) -> None:
    """Where they cannot be left out, or else whoever gets tickets."""
    [pages] = [each for each in blocks("variable") if (each.folder, each.name) == (f"envs/{environment}", "pages")]
    [module] = [each['"earmark"'] for each in document(TERRAFORM / "envs" / environment)["module"]]
    assert "default" not in pages.body or "var.tickets" in module["pages"]


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
