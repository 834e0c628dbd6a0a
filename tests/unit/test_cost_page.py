"""``docs/cost.md`` says what the commands say."""

from pathlib import Path

from runtime.cost.page import PAGE, PARTS, written

HERE = Path(__file__).parents[2] / PAGE


def test_the_page_is_fresh() -> None:
    """What a command decides is as it decides it now; `make docs` writes it."""
    page = HERE.read_text(encoding="utf-8")
    assert written(page) == page, "run: python -m runtime.cost.page"
    assert all(f"<!-- {name} begins -->\n```" in page or f"<!-- {name} begins -->\n|" in page for name in PARTS)
