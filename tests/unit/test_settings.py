"""Settings: where they come from, and what is refused."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from earmark.errors import ConfigurationError
from earmark.settings import YIELDING_NICE, Settings, load, shown
from runtime.settings_page import settings_page


def test_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    """Each value says where it came from."""
    file = tmp_path / "earmark.toml"
    file.write_text("lease_s = 20\nbatch_jobs = 3\n")
    effective = load({"EARMARK_CONFIG": str(file), "EARMARK_BATCH_JOBS": "5"})
    assert effective.settings.batch_jobs == 5
    assert effective.sources["batch_jobs"] == "environment EARMARK_BATCH_JOBS"
    assert effective.settings.lease_s == 20
    assert effective.sources["lease_s"] == f"file {file}"
    assert effective.sources["data"] == "default"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"EARMARK_BATCH_JOBS": "many"}, "environment EARMARK_BATCH_JOBS"),
        ({"EARMARK_LEASE_S": "0"}, "lease_s"),
        ({"EARMARK_NO_SUCH": "1"}, "EARMARK_NO_SUCH"),
        ({"EARMARK_POLL_S": "60", "EARMARK_LEASE_S": "30"}, "poll_s must be less than lease_s"),
        ({"EARMARK_BACKEND": "abacus"}, "backend"),
        ({"EARMARK_API_PROXIES": "10.0.0.1, proxy.example"}, "api_proxies"),
        ({"EARMARK_API_PROXIES": "*"}, "api_proxies"),
        ({"EARMARK_CONFIG": "/nowhere/earmark.toml"}, "/nowhere/earmark.toml"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], named: str) -> None:
    """A wrong value, pair, name or file is refused at start, by name."""
    with pytest.raises(ConfigurationError, match=named):
        load(environment)


def test_every_setting_is_described() -> None:
    """No setting without a description, and docs/settings.md lists every one with its default."""
    assert Path("docs/settings.md").read_text(encoding="utf-8") == settings_page(), "run make docs"
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_secret_is_not_shown() -> None:
    """``earmark config`` says that a key is set, and not what it is."""
    assert shown(SecretStr("sk-123")) == "********"
    assert (shown(SecretStr("")), shown(None), shown(3)) == ("", "", "3")


def test_who_yields_is_nice() -> None:
    """By default nobody gives way."""
    assert (load({}).settings.niceness, load({"EARMARK_YIELDING": "true"}).settings.niceness) == (0, YIELDING_NICE)
