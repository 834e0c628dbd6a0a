"""Writes the dashboards: ``python -m infra.grafana``, as ``make docs`` does.

For others than those that are committed: ``python -m infra.grafana --docs https://wiki.example.com/earmark FOLDER``.
"""

import argparse
from pathlib import Path

from infra.grafana.boards import BOARDS
from infra.grafana.building import grafana_json

FOLDER = Path(__file__).parent / "dashboards"


def main(folder: Path = FOLDER, docs: str = "docs") -> None:
    """Write one file for each dashboard.

    Args:
        folder: where to; made if need be.
        docs: address of the folder ``docs`` as readers of the dashboards reach it, without a slash at its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        (folder / f"{board.uid}.json").write_text(grafana_json(board, docs), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m infra.grafana", description="Write Grafana's dashboards.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where to; without it, where they lie")
    parser.add_argument("--docs", default="docs", help="address of docs/, where links to runbooks begin")
    given = parser.parse_args()
    main(given.folder, given.docs)
