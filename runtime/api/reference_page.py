"""``reference_page``: the OpenAPI page for people, as plain HTML.

It has no script and loads nothing, from anywhere, so that it works on a machine without a net, and nothing foreign runs
where customers' keys are used.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #222; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f3f3f3; }
pre { padding: .5rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .25rem .5rem; text-align: left; vertical-align: top; }
section { border-top: 2px solid #bbb; margin-top: 2rem; }
summary { cursor: pointer; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b; } code, pre { background: #2a2a2a; } a { color: #8ab4f8; }
}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""With which the page is to be sent: a browser then runs and loads nothing, whatever came into the page."""
_CODE: Final = re.compile(r"`([^`]+)`")


def reference_page(page: Mapping[str, Any]) -> str:
    """The page as HTML: every operation with its parameters, bodies and answers, and every model.

    Args:
        page: an OpenAPI 3.1 document.
    """
    return "\n".join(_lines(page))


def _lines(page: Mapping[str, Any]) -> Iterator[str]:
    about, operations = page["info"], list(_operations(page))
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(about["title"])}</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
    yield f"<h1>{escape(about['title'])} {escape(about['version'])}</h1>{_text(about['description'])}"
    yield "<p>Send your key as <code>Authorization: Bearer …</code>."
    yield 'For programs: <a href="/openapi.json">OpenAPI</a>.</p><nav><ul>'
    for path, method, operation in operations:
        name = f"<code>{method} {escape(path)}</code>"
        yield f'<li><a href="#{escape(operation["operationId"])}">{name}</a> {_inline(operation["summary"])}</li>'
    yield "</ul></nav>"
    for path, method, operation in operations:
        yield f'<section id="{escape(operation["operationId"])}"><h2>{_inline(operation["summary"])}</h2>'
        yield f"<p><code>{method} {escape(path)}</code></p>{_text(operation['description'])}"
        yield from _parameters(page, operation)
        yield from _contents(page, "Body", operation.get("requestBody", {}))
        yield from _answers(page, operation)
        yield "</section>"
    yield "<h2>Models</h2>"
    for name, schema in page["components"]["schemas"].items():
        yield f'<section id="model-{escape(name)}"><h3>{escape(name)}</h3>{_text(schema.get("description", ""))}'
        yield _fields(schema)
        yield "</section>"
    yield "</body></html>"


def _operations(page: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            yield path, method.upper(), operation


def _parameters(page: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for each in operation.get("parameters", ()):
        told = _found(page, each)
        must = ", required" if told.get("required") else ""
        name = f"<code>{escape(told['name'])}</code> <small>{escape(told['in'])}{must}</small>"
        rows.append((name, _kind(told["schema"]), _inline(told.get("description", ""))))
    yield _table(("Parameter", "Type", ""), rows)


def _answers(page: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    yield "<h3>Answers</h3>"
    for status, answer in operation["responses"].items():
        yield f"<details><summary><b>{escape(status)}</b> {_inline(answer.get('description', ''))}</summary>"
        headers = [(name, _found(page, each)) for name, each in answer.get("headers", {}).items()]
        rows = [(f"<code>{escape(name)}</code>", _inline(each.get("description", ""))) for name, each in headers]
        yield _table(("Header", ""), rows)
        yield from _contents(page, "", answer)
        yield "</details>"


def _contents(page: Mapping[str, Any], title: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What is sent or answered, in each media type."""
    if title and body:
        yield f"<h3>{title}</h3>"
    for kind, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        yield f"<p><code>{escape(kind)}</code> {_kind(schema)}</p>{_fields(schema)}"
        for example in _examples(page, content):
            text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
            yield f"<pre>{escape(text)}</pre>"


def _examples(page: Mapping[str, Any], content: Mapping[str, Any]) -> list[Any]:
    if "example" in content:
        return [content["example"]]
    named = content.get("examples", {})
    if isinstance(named, dict) and named:
        return [_found(page, each)["value"] for each in named.values()]
    schema = _found(page, content.get("schema", {}))
    return [schema["example"]] if "example" in schema else []


def _fields(schema: Mapping[str, Any]) -> str:
    """The fields of an object, or the values of a closed set of words."""
    if "enum" in schema and "properties" not in schema:
        return f"<p>{', '.join(f'<code>{escape(str(each))}</code>' for each in schema['enum'])}</p>"
    rows = [
        (f"<code>{escape(name)}</code>", _kind(each), _inline(each.get("description", "")))
        for name, each in schema.get("properties", {}).items()
    ]
    return _table(("Field", "Type", ""), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in short."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#model-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or schema.get("const") or ""))


def _found(page: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a part refers to, or itself."""
    found: Any = part
    while "$ref" in found:
        reference, found = found["$ref"], page
        for segment in reference.removeprefix("#/").split("/"):
            found = found[segment]
    return found  # type: ignore[no-any-return]


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _text(text: str) -> str:
    return "".join(f"<p>{_inline(each)}</p>" for each in re.split(r"\n\s*\n", text) if each.strip())


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
