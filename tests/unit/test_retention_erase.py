"""What ``earmark retention erase`` and ``readmit`` refuse before anything happens."""

from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.retention.erase import erase_all, readmit_one
from runtime.retention.output import scope_of
from runtime.wiring import connect


@pytest.mark.parametrize("out", ["/proc/x", "/proc/no/folder/x", "/dev/null/x", f"{'n' * 250}"])
def test_a_receipt_that_cannot_be_written(tmp_path: Path, out: str) -> None:
    """Is told before a single thing is erased."""
    data = tmp_path / "data"
    with pytest.raises(ConfigurationError, match="--out"):
        erase_all(Settings(data=data), "", "acme", "why", tmp_path / out, reapply=False, execute=True, as_json=False)
    assert not data.exists()


def test_a_receipt_is_written_beside_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders are made; an older file gives way to it whole."""
    out = tmp_path / "new" / "receipt.txt"
    settings = Settings(data=tmp_path / "data")
    connect(settings)
    for _ in range(2):
        assert erase_all(settings, "", "acme", "why", out, reapply=False, execute=False, as_json=False) == 0
        assert out.read_text() == capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["receipt.txt"]


@pytest.mark.parametrize("tenant", ["../", "A" * 5000, "a b", "\x1b[31m"])
def test_a_name_that_nobody_can_have(tmp_path: Path, tenant: str) -> None:
    """In a short sentence of ours, to whichever command."""
    settings = Settings(data=tmp_path / "data")
    with pytest.raises(ConfigurationError, match="is no tenant name") as held:
        scope_of(connect(settings), "", "", tenant)
    with pytest.raises(ConfigurationError, match="is no tenant name") as readmitted:
        readmit_one(settings, "", tenant, "why", as_json=False)
    assert str(held.value) == str(readmitted.value)
    assert len(str(held.value)) < 200
    assert "\x1b" not in str(held.value)
