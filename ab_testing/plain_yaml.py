"""YAML as people write it by hand: no anchors, aliases, merge keys or tags, and each key once.

Aliases let two kilobytes stand for more than any machine holds, and the last of two equal keys would win silently.
All of it is refused while the text is read, before anything is built of it.
"""

from typing import Any, Final

import yaml

DEPTH_MAX: Final = 20
_TEXT: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"


class NotPlain(ValueError):
    """It is YAML that we do not take; the message says where, what and what to write instead."""


def load(content: bytes) -> object:
    """What a document says, in time that grows with its length and nothing else.

    Raises:
        NotPlain: it has an anchor, alias, merge key or tag, a key twice, or lists in lists in lists.
        yaml.YAMLError: it is no YAML.
        ValueError: it has a number or a date that there is not.
    """
    try:
        return yaml.load(content, _PlainLoader)  # noqa: S506  # it is a SafeLoader
    except (ArithmeticError, LookupError) as error:
        message = f"a number or date in it is none: {error}"
        raise ValueError(message) from error


class _PlainLoader(yaml.SafeLoader):
    """Refuses what is not plain when it comes to it."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # yaml's stubs
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            message = f"line {line}: the alias *{event.anchor}; write out what it stands for"
            raise NotPlain(message)
        if event.anchor is not None:
            message = f"line {line}: the anchor &{event.anchor}; leave it out"
            raise NotPlain(message)
        if event.tag is not None:
            message = f"line {line}: the tag {event.tag}; leave it out"
            raise NotPlain(message)
        if self.depth >= DEPTH_MAX:
            message = f"line {line}: {DEPTH_MAX} lists or mappings in each other; no experiment needs so many"
            raise NotPlain(message)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                message = f"line {line}: the merge key <<; write out what it stands for"
                raise NotPlain(message)
            if key.tag != _TEXT:
                message = f"line {line}: a key that is no text; if it is meant as text, write it in quotes"
                raise NotPlain(message)
            if key.value in seen:
                message = f"line {line}: the key {key.value} stands there twice; keep one"
                raise NotPlain(message)
            seen.add(key.value)
        return node
