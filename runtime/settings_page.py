"""Writes ``docs/settings.md`` from ``earmark/settings.py``: ``python -m runtime.settings_page``."""

from pathlib import Path

from earmark.settings import Settings

HEAD = """# Settings

Every setting is an environment variable, or the same name in lower case without `EARMARK_` in a TOML file named
by `EARMARK_CONFIG` (default `earmark.toml` where it exists).  The environment wins.  `earmark config` prints the
effective values and where each came from; a wrong value or an unknown name is refused at start.

| variable | default | meaning |
| --- | --- | --- |
"""


def settings_page() -> str:
    """The page as Markdown."""
    defaults = {
        name: "unset" if field.default is None else field.default for name, field in Settings.model_fields.items()
    }
    fields = sorted(Settings.model_fields.items(), key=lambda item: item[0] not in Settings.__annotations__)
    rows = (
        f"| `EARMARK_{name.upper()}` | `{defaults[name]}` | {field.description} |\n" for name, field in fields
    )  # those of how it is watched come last
    return HEAD + "".join(rows)


if __name__ == "__main__":
    Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")
