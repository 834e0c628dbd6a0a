"""Addresses that customers write: only what is their own, in whatever disguise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.address import Address
from earmark.errors import InputFault, InputRejected
from router.addresses import resolve, resolve_prefix, shown
from router.tenant import Tenant

ACME = Tenant(name="acme", sources=("gs://acme-music/masters/", "gs://acme-talk/"))
BUCKET = "prefix-uploads"


@pytest.mark.parametrize(
    ("address", "bucket", "name", "generation"),
    [
        ("uploads/acme/song.wav", "uploads", "acme/song.wav", None),
        ("uploads/acme/50% #1.wav", "uploads", "acme/50% #1.wav", None),
        ("uploads/acme/%2e%2e/x", "uploads", "acme/%2e%2e/x", None),
        (f"gs://{BUCKET}/acme/a%23b#12", "uploads", "acme/a#b", 12),
        ("gs://acme-music/masters/1.flac", "acme-music", "masters/1.flac", None),
        ("gs://acme-talk/any/thing", "acme-talk", "any/thing", None),
        ("upload:0f6a1d3c", "uploads", "acme/direct/0f6a1d3c", None),
    ],
)
def test_own_audio(address: str, bucket: str, name: str, generation: int | None) -> None:
    """Each form leads to one object."""
    assert resolve(address, ACME, upload_bucket=BUCKET) == Address(bucket, name, generation)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "song.wav",
        "uploads",
        "uploads/",
        "uploads/acme",
        "uploads/acme/",
        "uploads/acme-2/song.wav",
        "uploads/other/song.wav",
        "uploads/acme/../other/song.wav",
        f"gs://{BUCKET}/acme/%2e%2e/other/song.wav",
        f"gs://{BUCKET}/other/song.wav",
        "gs://acme-music/masters-2/1.flac",
        "gs://acme-music/other/1.flac",
        "gs://other-bucket/acme/1.flac",
        "gs://acme-talk/",
        "gs://",
        "upload:",
        "upload:../x",
        "upload:a/b",
        "results/acme/x.json",
        "file:///etc/passwd",
        "/etc/passwd",
        "http://metadata.google.internal/",
        "uploads/acme/a\x00b",
        "uploads/acme/\ud800",
        "uploads/acme/" + "x" * 5000,
    ],
)
def test_all_else_is_refused_alike(address: str) -> None:
    """What is another's, what is malformed and what leads out are not told from what does not exist."""
    with pytest.raises(InputRejected) as caught:
        resolve(address, ACME, upload_bucket=BUCKET)
    assert caught.value.fault is InputFault.NOT_FOUND
    assert "prefix" not in caught.value.message.replace(address, "")
    assert caught.value.message.isprintable()


@given(st.text(max_size=60), st.sampled_from(["", "uploads/", "uploads/acme", "gs://", f"gs://{BUCKET}/", "upload:"]))
def test_nothing_leads_to_others(text: str, start: str) -> None:
    """Whatever is written, the object is the customer's, or there is none."""
    try:
        found = resolve(start + text, ACME, upload_bucket=BUCKET)
    except InputRejected:
        return
    owned = {"uploads": "acme/", "acme-music": "masters/", "acme-talk": ""}
    assert found.name.startswith(owned[found.bucket])
    assert ".." not in found.name.split("/")


@pytest.mark.parametrize(
    ("prefix", "bucket", "name"),
    [
        ("uploads/acme", "uploads", "acme/"),
        ("uploads/acme/", "uploads", "acme/"),
        ("uploads/acme/albums/19", "uploads", "acme/albums/19"),
        (f"gs://{BUCKET}/acme", "uploads", "acme/"),
        ("gs://acme-music/masters", "acme-music", "masters/"),
        ("gs://acme-talk/", "acme-talk", ""),
    ],
)
def test_own_prefixes(prefix: str, bucket: str, name: str) -> None:
    """A folder is meant whether or not its slash is written."""
    assert resolve_prefix(prefix, ACME, upload_bucket=BUCKET) == Address(bucket, name, None)


@pytest.mark.parametrize(
    "prefix", ["", "uploads/", "uploads/ac", "uploads/acme-2", "gs://acme-music/mast", "gs://acme-music/", "upload:x",
               "uploads/acme/../other/", "uploads/acme//", "gs://acme-talk/#1"]
)  # fmt: skip
def test_prefixes_of_others(prefix: str) -> None:
    """A prefix that begins like the customer's name lists nobody else's objects."""
    with pytest.raises(InputRejected):
        resolve_prefix(prefix, ACME, upload_bucket=BUCKET)


def test_shown_is_printable_and_short() -> None:
    """Control characters are written out, and what is long is cut."""
    assert shown("a\n\x1b[31m") == "a\\n\\x1b[31m"
    assert len(shown("x" * 10_000)) == 200
