"""The OpenAPI page: the committed one is what the service gives, and a client can be made from it alone."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from runtime.api.openapi_page import PAGE, openapi_page


def test_the_committed_page_is_fresh() -> None:
    """What ``make docs`` writes."""
    assert PAGE.read_text(encoding="utf-8") == openapi_page(), "run make docs"


def test_nothing_is_referred_to_that_is_not_there() -> None:
    """Every reference leads somewhere on the page."""
    text = PAGE.read_text(encoding="utf-8")
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = json.loads(text)
        for segment in reference.split("/"):
            assert segment in found, reference
            found = found[segment]


def test_every_operation_says_what_it_is_and_how_it_fails() -> None:
    """A name, a summary, a description, problems as problem details, and a key wherever one is asked for."""
    page = json.loads(PAGE.read_text(encoding="utf-8"))
    names = []
    for path, operations in page["paths"].items():
        for operation in operations.values():
            names.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["description"], path
            for status, answer in operation["responses"].items():
                if status >= "400" and path.startswith("/v1/"):
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
            if path.startswith("/v1/") and not path.endswith("/content"):
                assert operation["security"] == [{"HTTPBearer": []}], path
    assert len(set(names)) == len(names)


def parts(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object of the page, examples and what is in them apart."""
    if isinstance(document, dict):
        yield path, document
        for name, value in document.items():
            if name not in {"example", "examples", "default"} or "properties" in path[-1:]:
                yield from parts(value, (*path, name))
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from parts(value, (*path, str(number)))


def resolved(page: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """What an object refers to, or itself."""
    found: Any = part
    while "$ref" in found:
        reference, found = found["$ref"], page
        for segment in reference.removeprefix("#/").split("/"):
            found = found[segment]
    whole: dict[str, Any] = found
    return whole


def examples(page: dict[str, Any], part: dict[str, Any]) -> list[Any]:
    """The examples of a body, a header or a schema, those of its schema among them."""
    named = part.get("examples", {})
    found = [resolved(page, each)["value"] for each in named.values()] if isinstance(named, dict) else list(named)
    found += [part["example"]] if "example" in part else []
    return found or (examples(page, resolved(page, part["schema"])) if "schema" in part else [])


def test_every_example_fits_its_schema() -> None:
    """Of models and their fields, bodies, headers and problems."""
    page = json.loads(PAGE.read_text(encoding="utf-8"))
    checked = 0
    for path, part in parts(page):
        is_schema = path[:2] == ("components", "schemas") and "properties" not in path[-1:]
        if is_schema or "schema" in part:
            schema = {**part.get("schema", part), "components": page["components"]}
            for example in examples(page, part):
                faults = list(jsonschema_rs.Draft202012Validator(schema).iter_errors(example))
                assert not faults, (path, faults[0].message)
                checked += 1
    assert checked > 200


def test_nulls_of_examples_are_there() -> None:
    """Which FastAPI drops."""
    schemas = json.loads(PAGE.read_text(encoding="utf-8"))["components"]["schemas"]
    assert schemas["AnalysisState"]["example"]["analysis"] is None
    assert schemas["WebhookWithSecret"]["example"]["disabled_at"] is None


def test_every_body_has_an_example() -> None:
    """What is sent, and what is answered but for sound and Parquet and the figures for Prometheus."""
    page = json.loads(PAGE.read_text(encoding="utf-8"))
    for path, operations in page["paths"].items():
        for operation in operations.values():
            taken = operation.get("requestBody", {}).get("content", {})
            assert all(examples(page, body) for body in taken.values()), (path, list(taken))
            for status, answer in operation["responses"].items():
                for kind, body in answer.get("content", {}).items():
                    without = kind.startswith("audio/") or kind.endswith("parquet") or path == "/metrics"
                    assert without or examples(page, body), (path, status, kind)


def test_headers_that_lead_on_are_described() -> None:
    """Where what was made is, and what tells whether it has changed."""
    page = json.loads(PAGE.read_text(encoding="utf-8"))
    found = {
        (operation["operationId"], status): set(answer.get("headers", {}))
        for operations in page["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
    }
    for made in (
        ("create_analysis", "202"),
        ("create_upload", "201"),
        ("create_batch", "202"),
        ("create_webhook", "201"),
    ):
        assert "Location" in found[made], made
    for told in (("create_analysis", "200"), ("get_analysis", "200"), ("get_analysis", "304")):
        assert {"ETag", "Cache-Control", "Preference-Applied"} <= found[told], told
    assert "Preference-Applied" in found["create_analysis", "202"]
    for file in ("export_analysis", "get_batch_results"):
        assert "Content-Disposition" in found[file, "200"], file


def test_headers_of_limits_are_described() -> None:
    """On every answer after a key was taken, and when to come again."""
    page = json.loads(PAGE.read_text(encoding="utf-8"))
    for path, operations in page["paths"].items():
        for operation in operations.values() if path.startswith("/v1/") else ():
            for status, answer in operation["responses"].items():
                headers = {name: resolved(page, each) for name, each in answer.get("headers", {}).items()}
                assert all(each["description"] and each["schema"] for each in headers.values()), (path, status)
                if status in {"429", "503"}:
                    assert "Retry-After" in headers, (path, status)
                if status == "429" or (operation["security"] and status not in {"401", "403"}):
                    assert {"RateLimit", "RateLimit-Policy"} <= set(headers), (path, status)
