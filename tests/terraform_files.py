"""What ``infra/terraform`` says, for tests: its blocks, and the names that its resources get.

Nothing is evaluated as Terraform would: names are put together from literals, ``var.project_id``, ``var.prefix`` and
``each.key``, which is all that names here are made of.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[1]
TERRAFORM = ROOT / "infra/terraform"
MODULES = TERRAFORM / "modules"
_WORDS = re.compile(r'"([^"]*)"')
_OWN = frozenset({"__is_block__", "__comments__", "__inline_comments__"})


@dataclass(frozen=True, slots=True)
class Block:
    """A resource, a variable or an output."""

    folder: str
    """Below ``infra/terraform``: ``modules/lanes``."""
    kind: str
    """``google_pubsub_topic``, ``variable``."""
    name: str
    body: Mapping[str, Any]

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.folder}: {self.kind}.{self.name}"

    @property
    def comments(self) -> str:
        """What is written beside it, lines joined."""
        return " ".join(each["value"] for each in self.body.get("__comments__", []))

    def text(self, key: str) -> str | None:
        """A literal of it; ``None`` = it has no such argument."""
        value = self.body.get(key)
        return None if value is None else bare(value)

    def inner(self, key: str) -> list[Mapping[str, Any]]:
        """Its blocks of a kind, and those that it has in a ``dynamic`` one."""
        plain = list(self.body.get(key, []))
        for each in self.body.get("dynamic", []):
            plain += [content for label, one in each.items() if bare(label) == key for content in one["content"]]
        return plain


def bare(value: object) -> str:
    """A string without its quotes; an expression stays ``${…}``."""
    text = str(value)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


@cache
def folders() -> tuple[Path, ...]:
    """Those with Terraform files in them, without tests."""
    return tuple(sorted({path.parent for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts}))


@cache
def document(folder: Path) -> Mapping[str, list[Any]]:
    """All files of a folder as one, by kind of block."""
    merged: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            for kind, items in hcl2.load(file).items():
                merged.setdefault(kind, []).extend(items if isinstance(items, list) else [items])
    return merged


def resources(*kinds: str) -> list[Block]:
    """Resources of these types, or all."""
    return [
        Block(_name(folder), bare(kind), bare(name), body)
        for folder in folders()
        for item in document(folder).get("resource", [])
        for kind, named in _labelled(item)
        for name, body in _labelled(named)
        if not kinds or bare(kind) in kinds
    ]


def blocks(kind: str) -> list[Block]:
    """Variables or outputs of all folders."""
    return [
        Block(_name(folder), kind, bare(name), body)
        for folder in folders()
        for item in document(folder).get(kind, [])
        for name, body in _labelled(item)
    ]


def local(folder: str, name: str) -> Any:
    """A local value, strings without their quotes."""
    [found] = [item[name] for item in document(TERRAFORM / folder).get("locals", []) if name in item]
    return _plain(found)


def names_of(block: Block, *, project: str, prefix: str, key: str = "name") -> dict[str, str]:
    """The names that a resource gets, by the key it has among its like; one alone has the key of its own name."""
    text = block.text(key) or ""
    text = text.replace("${var.project_id}", project).replace("${var.prefix}", prefix)
    return {each: text.replace("${each.key}", each) for each in _keys(block) or [block.name]}


def _keys(block: Block) -> list[str]:
    each = str(block.body.get("for_each", ""))
    if not each.startswith("${local."):
        return []
    value = local(block.folder, each.removeprefix("${local.").removesuffix("}"))
    return list(value) if isinstance(value, Mapping) else _WORDS.findall(value)


def _labelled(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((label, value) for label, value in item.items() if label not in _OWN)


def _name(folder: Path) -> str:
    return folder.relative_to(TERRAFORM).as_posix()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {bare(key): _plain(inner) for key, inner in _labelled(value)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return bare(value) if isinstance(value, str) else value
