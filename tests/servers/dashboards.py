"""Draws the pictures of ``docs/dashboards.md``: ``python -m tests.servers.dashboards``.

Runs everything on this machine under load for some minutes, asks a real Prometheus and the warehouse what the panels
ask, and draws what they answer.  The pictures are not Grafana's.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.grafana.board import Panel, Prometheus, Warehouse
from infra.grafana.boards import BOARDS
from infra.grafana.drawing.answer import Answer, series_of, series_of_rows
from infra.grafana.drawing.page import page
from runtime.local.warehouse import LocalWarehouse
from tests.panels import local_query
from tests.servers import told_in_one_line
from tests.servers.watched import EXPERIMENT, VERSION, Watched, damaged, examples, sound, until, watched

FOLDER = Path(__file__).parents[2] / "docs" / "dashboards"
LOAD_S = 240.0
WINDOW, STEP_S = "30s", 4.0
LANES = "high|low"


def main() -> None:
    """Run, ask and draw."""
    with told_in_one_line(), tempfile.TemporaryDirectory(prefix="earmark-dashboards-") as folder:
        batch = {name: content for name, content in examples().items() if not name.startswith("s")}
        with watched(Path(folder), batch) as system:
            _say(f"Everything is up; {LOAD_S:g} s of load.")
            _load(system)
            _draw(system, Path(folder))


def _load(system: Watched) -> None:
    """Waves of short sounds, batches, examples and what is no audio; one upload is sent twice."""
    began, waves = time.monotonic(), 0
    files = list(examples().items())
    while time.monotonic() - began < LOAD_S:
        waves += 1
        pause_s = 6.0 if waves % 8 < 5 else 0.5  # three waves of eight come close upon each other
        system.send_some(2)
        system.send(sound(1), "audio/wav")
        if waves % 5 == 0:
            name, content = files[waves % len(files)]
            system.send(content, f"audio/{name.rpartition('.')[2]}")
        if waves % 12 == 0:
            system.submit(
                {f"{n}.wav": sound(10_000 * waves + n) for n in range(20)} | {"no.wav": damaged(10_000 + waves)}
            )
        threading.Event().wait(pause_s)
    until(lambda: not system.command.busy(), 120)


def _draw(system: Watched, folder: Path) -> None:
    data = Path(system.command.environment["EARMARK_DATA"])
    warehouse = LocalWarehouse(next(data.rglob("warehouse.sqlite")), queries=folder)
    start, end = system.began, time.time()

    def answer(panel: Panel) -> Answer:
        series, rows = [], []
        for query in panel.queries:
            if isinstance(query, Prometheus):
                expr = query.expr.replace("$__rate_interval", WINDOW).replace("$lane", LANES)
                series += series_of(query.legend, system.prometheus.range(expr, start, end, STEP_S))
            else:
                found = _rows(warehouse, folder, query)
                series += series_of_rows(found) if query.over_time else []
                rows += [] if query.over_time else found
        return Answer(tuple(series), tuple(rows))

    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        path = FOLDER / f"{board.uid}.svg"
        path.write_text(
            page(board, answer, start, end, {"experiment": EXPERIMENT, "version": str(VERSION)}), encoding="utf-8"
        )
        _say(f"{path.name}: {path.stat().st_size // 1024} KiB")
    warehouse.close()


def _rows(warehouse: LocalWarehouse, folder: Path, query: Warehouse) -> list[Mapping[str, object]]:
    text = local_query(query.sql)
    (folder / "panel.sql").write_text(text, encoding="utf-8")
    now = datetime.now(UTC)
    day = timedelta(days=1)
    chosen = {"since": now - day, "until": now + day, "experiment": EXPERIMENT, "version": VERSION}
    return list(warehouse.query("panel", {name: value for name, value in chosen.items() if f"@{name} " in text}))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
