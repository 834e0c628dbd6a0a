"""Parts of a page that commands write, between markers."""

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the markers ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Raises:
        ValueError: the page has no such markers.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    content = page.read_text(encoding="utf-8")
    if begin not in content or end not in content:
        message = f"{page} has no markers {begin} and {end}"
        raise ValueError(message)
    before, after = content.split(begin)[0], content.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
