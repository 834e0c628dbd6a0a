"""The OpenAPI page: the committed one is what the service gives, and a client can be made from it alone."""

import json
import re
from typing import Any

from runtime.openapi_page import PAGE, openapi_page


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
