"""The ports' docstrings are the contract: here is held that every clause of them is quoted by a test."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from earmark.ports import ObjectStore, Queue, Warehouse

SUITES: dict[str, type] = {"test_queue.py": Queue, "test_object_store.py": ObjectStore, "test_warehouse.py": Warehouse}


def words(text: str) -> str:
    """Text without marks, case and line ends, to be compared."""
    return " ".join(re.findall(r"[\w`/.<>_-]+", text.lower().replace("``", ""))).replace(" .", "")


def clauses(port: type) -> list[str]:
    """The promises of a port: what stands between full stops and semicolons in its docstrings."""
    methods = [value for name, value in vars(port).items() if inspect.isfunction(value) and not name.startswith("_")]
    texts = [inspect.getdoc(part) or "" for part in (port, *methods)]
    return [clause for text in texts for clause in re.split(r"[.;](?=\s|$)", text) if words(clause)]


def quotes(suite: Path) -> list[str]:
    """What the tests of a suite quote, longest first."""
    tree = ast.parse(suite.read_text(encoding="utf-8"))
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    found = {words(quote) for test in tests for quote in re.findall(r'"([^"]+)"', ast.get_docstring(test) or "")}
    return sorted(found - {""}, key=len, reverse=True)


def unquoted(clause: str, quoted: list[str]) -> str:
    """What is left of a clause without the quotes."""
    rest = words(clause)
    for quote in quoted:
        rest = rest.replace(quote, "")
    return rest.strip()


@pytest.mark.parametrize("suite", SUITES)
def test_every_promise_is_quoted(suite: str) -> None:
    """A clause without a test fails here, so that no promise is added without one."""
    quoted = quotes(Path(__file__).with_name(suite))
    assert [clause for clause in clauses(SUITES[suite]) if unquoted(clause, quoted)] == []
