"""The page for people, and ``HEAD``."""

import base64
import hashlib
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runtime.api.reference_page import HEADERS, reference_page
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API over empty stores."""
    with ApiWorld(tmp_path) as world:
        yield world


class Elements(HTMLParser):
    """The elements of a page, with what they lead to, and the names in it."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.kinds: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        self.kinds.add(tag)
        self.open += [] if tag == "meta" else [tag]
        for name, value in attrs:
            self.attributes.add(name)
            self.addresses |= {value or ""} if name in {"href", "src", "action"} else set()
            self.names |= {value or ""} if name == "id" else set()

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        assert self.open.pop() == tag


def test_the_page_for_people_needs_nothing_else(api: ApiWorld) -> None:
    """No script, nothing from elsewhere, and a policy that has browsers refuse both; every operation is on it."""
    answer = api.anybody().get("/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    page = Elements(answer.text)
    assert page.open == []
    assert not page.kinds & {"script", "link", "img", "iframe", "form", "object"}
    assert page.attributes <= {"lang", "charset", "name", "content", "href", "id"}
    leads = page.addresses - {"/openapi.json"}
    assert {each.removeprefix("#") for each in leads} <= page.names
    assert all(each.startswith("#") for each in leads)
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    for operations in api.app.openapi()["paths"].values():
        for operation in operations.values():
            assert operation["operationId"] in page.names
    assert "RateLimit-Policy" in answer.text
    assert "too_many_requests" in answer.text
    assert api.anybody().get("/redoc").status_code == 404


def test_what_is_told_is_text(api: ApiWorld) -> None:
    """Nothing on the page becomes an element."""
    page = json.loads(json.dumps(api.app.openapi()))
    page["info"]["description"] = "<script>alert(1)</script> and `<b>`"
    told = reference_page(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; and <code>&lt;b&gt;</code>" in told
    assert "script" not in Elements(told).kinds


def test_the_policy_is_of_the_style_that_is_sent(api: ApiWorld) -> None:
    """Or the page would have none."""
    style = api.anybody().get("/docs").text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in HEADERS["Content-Security-Policy"]


def test_head_is_get_without_content(api: ApiWorld) -> None:
    """The same status and headers; it is counted as what it is."""
    acme = api.client("acme")
    sent = acme.post("/v1/analyses", content=wav(), headers={"Content-Type": "audio/wav"}).json()
    end(api)
    upload = acme.post("/v1/uploads", json={"size_bytes": 100, "content_type": "audio/wav"}).json()
    own = f"/v1/analyses/{sent['id']}"
    paths = ["/healthz", "/openapi.json", "/docs", own, f"{own}/export", "/v1/analyses", f"/v1/uploads/{upload['id']}"]
    for path in [*paths, "/v1/batches"]:
        head, get = acme.head(path), acme.get(path)
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
    assert acme.head(own).headers["ETag"]
    assert acme.head(f"/v1/analyses/{'0' * 32}").status_code == 404
    assert api.anybody().head(own).status_code == 401
    figures = acme.get("/metrics").text
    assert 'method="HEAD",route="/v1/analyses/{analysis_id}",status_class="2xx"' in figures


def test_streams_have_no_head(api: ApiWorld) -> None:
    """``Allow`` says what there is."""
    acme = api.client("acme")
    for path in (f"/v1/analyses/{'0' * 32}/events", f"/v1/batches/{'0' * 32}/results"):
        answer = acme.head(path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET"), path
    answer = acme.head(f"/v1/analyses/{'0' * 32}/export?format=id3")
    assert answer.status_code == 405
