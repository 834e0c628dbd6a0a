"""Manifests in three forms: what each line says, what is wrong with it, and reading on from any line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import InputFault, InputRejected
from router.batches.entry import MAX_LINE_BYTES, Entry
from router.batches.form import ManifestForm, form_of
from router.batches.manifest import START, LineCount, entries_of


def read(manifest: bytes, media_type: str = "") -> list[Entry]:
    """All entries, the manifest in pieces of three bytes."""
    chunks = [manifest[at : at + 3] for at in range(0, len(manifest), 3)]
    return [entry for _, entry in entries_of(chunks, form_of(manifest, media_type)) if entry is not None]


def told(manifest: bytes) -> list[tuple[int, str | None, str | None]]:
    """Number, address and the customer's name of each entry; the fault in place of an address."""
    return [(each.number, each.fault.fault if each.fault else each.address, each.reference) for each in read(manifest)]


def test_lines_of_json() -> None:
    """Objects with uri or upload, and texts; what else they have is passed over."""
    manifest = (
        b'{"uri": "uploads/acme/1.wav", "id": "one", "title": "x"}\n"uploads/acme/2.wav"\r\n\n  \n'
        b'{"upload": "0f6a", "id": 7}\n{"upload": "upload:0f6b", "uri": null}'
    )
    assert told(manifest) == [
        (1, "uploads/acme/1.wav", "one"),
        (2, "uploads/acme/2.wav", None),
        (5, "upload:0f6a", "7"),
        (6, "upload:0f6b", None),
    ]


@pytest.mark.parametrize(
    "head", [b"uri,id\n", b"\xef\xbb\xbfURI;Id\r\n", b'"id"\t"uri"\n', b"\n\nuri,id\n", b"id,title,uri\n"]
)
def test_csv_with_a_header(head: bytes) -> None:
    """Delimiters, case, quotes, a byte order mark and the order of columns are those of spreadsheets."""
    delimiter = next(each for each in ",;\t" if each.encode() in head)
    lines = head.count(b"\n")
    cells = {"uri": '"uploads/acme/a, b.wav"', "id": "one", "title": "x"}
    columns = [name.strip('"').lower() for name in head.removeprefix(b"\xef\xbb\xbf").decode().strip().split(delimiter)]
    row = delimiter.join(cells[name] for name in columns).encode()
    assert told(head + row + b"\r\n") == [(lines + 1, "uploads/acme/a, b.wav", "one")]


def test_plain_addresses() -> None:
    """One a line; a quote or a comma in it is part of it."""
    assert told(b'uploads/acme/1.wav\nuploads/acme/a, "b".wav\n') == [
        (1, "uploads/acme/1.wav", None),
        (2, 'uploads/acme/a, "b".wav', None),
    ]


def test_a_list_may_begin_with_a_number() -> None:
    """Whatever the first line is, if it is no JSON and no header, it is an address."""
    assert told(b"17\nuploads/acme/1.wav\n")[1] == (2, "uploads/acme/1.wav", None)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"{not json", "no JSON"),
        (b"17", "neither an object nor a text"),
        (b'["uploads/acme/1.wav"]', "neither an object nor a text"),
        (b"{}", "none of uri, upload, path"),
        (b'{"uri": 7}', "must be a text"),
        (b'{"uri": "uploads/acme/1.wav", "id": ["x"]}', "must be a text"),
        (b'{"uri": "x", "id": "' + b"x" * 201 + b'"}', "more than 200"),
        (b'{"uri": "\xff"}', "not UTF-8"),
        (b'{"uri": "' + b"x" * MAX_LINE_BYTES + b'"}', "over 8192 bytes"),
        (b"[" * 5000, "no JSON"),
    ],
)
def test_bad_lines_end_nothing(line: bytes, word: str) -> None:
    """Each is an entry with its number and a fault, and the lines around it are what they were."""
    good = b'{"uri": "uploads/acme/1.wav"}\n'
    first, bad, last = read(good + line + b"\n" + good)
    assert (first.number, last.number) == (1, 3)
    assert first.address == last.address == "uploads/acme/1.wav"
    assert bad.fault is not None
    assert bad.fault.fault is InputFault.MALFORMED_LINE
    assert "Line 2" in bad.fault.message
    assert word in bad.fault.message


@pytest.mark.parametrize("line", [b'"uploads/acme/1.wav', b'"a"b,c', b",,"])
def test_bad_lines_of_csv(line: bytes) -> None:
    """A quote that is not closed takes no other line with it."""
    _, bad, last = read(b"uri,id\nuploads/acme/1.wav,a\n" + line + b"\nuploads/acme/2.wav,b\n")
    assert bad.fault is not None
    assert (bad.number, last.number, last.address) == (3, 4, "uploads/acme/2.wav")


@pytest.mark.parametrize(
    ("manifest", "media_type", "fault"),
    [
        (b"", "", InputFault.EMPTY),
        (b"\n \r\n", "text/csv", InputFault.EMPTY),
        ("uri\n".encode("utf-16"), "", InputFault.UNSUPPORTED),
        (b"RIFF\0\0\0\0WAVE", "", InputFault.UNSUPPORTED),
        (b'[{"uri": "x"}]', "application/json", InputFault.UNSUPPORTED),
        (b"address,name\nuploads/acme/1.wav,x\n", "text/csv", InputFault.UNSUPPORTED),
    ],
)
def test_what_is_no_manifest(manifest: bytes, media_type: str, fault: InputFault) -> None:
    """It is refused at once, with a remedy."""
    with pytest.raises(InputRejected) as caught:
        form_of(manifest, media_type)
    assert caught.value.fault is fault
    assert caught.value.remedy


@given(st.lists(st.binary(max_size=40)), st.sampled_from([b"", b"uri,id\n", b'{"uri": "a"}\n']), st.integers(1, 50))
def test_any_bytes_can_be_read(lines: list[bytes], head: bytes, size: int) -> None:
    """Nothing raises, numbers only grow, and every line is counted, whatever the pieces it comes in."""
    manifest = head + b"\n".join(lines)
    try:
        form = form_of(manifest)
    except InputRejected:
        form = ManifestForm(kind="jsonl")
    chunks = [manifest[at : at + size] for at in range(0, len(manifest), size)]
    whole = list(entries_of([manifest], form))
    pieces = list(entries_of(chunks, form))
    assert [(cursor, entry and (entry.number, entry.source)) for cursor, entry in whole] == [
        (cursor, entry and (entry.number, entry.source)) for cursor, entry in pieces
    ]
    assert [cursor.line for cursor, _ in whole] == list(range(1, len(whole) + 1))
    assert not manifest or whole[-1][0].byte == len(manifest)


@given(st.lists(st.sampled_from([b'{"uri": "a"}', b"", b"bad", b'"x"', b"\xff"]), min_size=1, max_size=20), st.data())
def test_reading_goes_on_anywhere(lines: list[bytes], data: st.DataObject) -> None:
    """From the end of any line the rest is what it was."""
    manifest, form = b"\n".join(lines), ManifestForm(kind="jsonl")
    whole = [(cursor, entry and entry.source) for cursor, entry in entries_of([manifest], form)]
    if not whole:
        return
    at = data.draw(st.integers(0, len(whole) - 1))
    start = START if at == 0 else whole[at - 1][0]
    assert [(cursor, entry and entry.source) for cursor, entry in entries_of([manifest], form, start)] == whole[at:]


def test_lines_are_counted_while_they_come() -> None:
    """One more than may be is refused, and a header is none."""
    count = LineCount(2)
    count.add(b"uri\na\nb")
    count.add(b"\n")
    with pytest.raises(InputRejected) as caught:
        count.add(b"c\n")
    assert caught.value.fault is InputFault.TOO_LARGE


def test_a_long_line_takes_no_memory() -> None:
    """Of a line of many MiB only its beginning is held."""
    import tracemalloc  # noqa: PLC0415  # slows down what else is in this process

    chunk = b"x" * (1 << 20)
    tracemalloc.start()
    [(cursor, entry)] = list(entries_of((chunk for _ in range(64)), ManifestForm(kind="jsonl")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entry is not None
    assert entry.fault is not None
    assert cursor.byte == 64 << 20
    assert peak < 8 << 20


def test_json_with_odd_text() -> None:
    """What JSON can say and no name can hold stays an address that nothing lies at."""
    [entry] = read(json.dumps({"uri": "uploads/acme/\ud800", "id": "\ud800"}).encode() + b"\n")
    assert entry.fault is None
