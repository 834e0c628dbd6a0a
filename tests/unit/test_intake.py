"""Files become uploads, or a clear refusal."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected
from earmark.vocabulary import Origin, Tier
from router.intake import display, upload_file
from router.tenants import Tenant

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def upload(path: Path, limit: int = 1 << 20, tenant: Tenant | None = None) -> Upload:
    """Take a file in."""
    return upload_file(path, tenant or Tenant(name="acme"), Origin.COMMAND, max_input_bytes=limit, received_at=NOW)


def fault(path: Path, **options: object) -> InputRejected:
    """The refusal of a file."""
    with pytest.raises(InputRejected) as caught:
        upload(path, **options)  # type: ignore[arg-type]
    assert caught.value.remedy
    return caught.value


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    """The hash is that of the content, whatever the name."""
    (tmp_path / "a").write_bytes(b"sound")
    taken = upload(tmp_path / "a")
    assert taken.content_sha256 == hashlib.sha256(b"sound").hexdigest()
    assert taken.size_bytes == 5


@pytest.mark.parametrize(
    "name", [b"plain.wav", b"two\nlines \x1b[31m.wav", b"caf\xe9 %20#?.wav", "日本 語.wav".encode()]
)
def test_any_name_leads_back_to_the_file(tmp_path: Path, name: bytes) -> None:
    """A name with newlines, escapes or bytes that are not UTF-8 survives in the address and is printable in text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(b"sound")
    address = urlsplit(upload(path).uri)
    assert os.fsdecode(unquote_to_bytes(address.path)) == str(path)
    assert display(path).isprintable()
    display(path).encode("utf-8")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Nothing there, a broken link, a link to itself, a folder, a pipe: each is told apart, and nothing hangs."""
    assert fault(tmp_path / "gone").fault is InputFault.NOT_FOUND
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    assert "link" in fault(tmp_path / "broken").message
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "itself" in fault(tmp_path / "loop").message
    assert fault(tmp_path).fault is InputFault.NOT_A_FILE
    os.mkfifo(tmp_path / "pipe")
    assert fault(tmp_path / "pipe").fault is InputFault.NOT_A_FILE
    assert fault(tmp_path / ("x" * 300)).fault is InputFault.NOT_FOUND


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_refused(tmp_path: Path) -> None:
    """A file we may not read says so."""
    (tmp_path / "secret").write_bytes(b"sound")
    (tmp_path / "secret").chmod(0)
    assert fault(tmp_path / "secret").fault is InputFault.UNREADABLE


def test_limits_hold(tmp_path: Path) -> None:
    """The smaller of the system's and the tenant's limit counts, exactly."""
    (tmp_path / "a").write_bytes(b"12345")
    assert upload(tmp_path / "a", limit=5)
    assert fault(tmp_path / "a", limit=4).fault is InputFault.TOO_LARGE
    assert fault(tmp_path / "a", tenant=Tenant(name="small", max_input_bytes=4)).fault is InputFault.TOO_LARGE


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size is looked at before and while reading, so that a file being written ends at the limit too."""
    (tmp_path / "a").write_bytes(b"12345")
    monkeypatch.setattr("router.intake._check_regular", lambda *_: None)  # as if it had been smaller then
    refused = fault(tmp_path / "a", limit=4)
    assert refused.fault is InputFault.TOO_LARGE
    assert "grew" in refused.message


def test_an_upload_carries_its_tenants_terms(tmp_path: Path) -> None:
    """Tier and region decide later about lane, price and place."""
    (tmp_path / "a").write_bytes(b"sound")
    taken = upload(tmp_path / "a", tenant=Tenant(name="acme", tier=Tier.ENTERPRISE, region="europe-west1"))
    assert (taken.tenant, taken.tier, taken.region) == ("acme", Tier.ENTERPRISE, "europe-west1")
