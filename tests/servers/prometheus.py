"""``PrometheusServer``: a real Prometheus on a free port, which finds what to scrape as one in production does.

The program is Debian's: on the path, or in ``.tools`` where ``make .tools/promtool`` puts it.
"""

import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.servers import free_port, missing

ROOT = Path(__file__).parents[2]
OURS = ROOT / "infra" / "prometheus"
USUAL = "http://127.0.0.1:8080"
"""Where that configuration expects the API."""
START_S = 30.0
STEP_S = 1.0


def prometheus_program() -> Path:
    """Where it is; skips the test where it is nowhere."""
    found = shutil.which("prometheus") or shutil.which("prometheus", path=str(ROOT / ".tools"))
    if found is None:
        missing("Prometheus", "Run `make .tools/promtool`, or install the package prometheus.")
    return Path(found)


class PrometheusServer:
    """One that scrapes what an address lists."""

    def __init__(self, program: Path, folder: Path, api: str, *, scrape_s: float = STEP_S) -> None:
        """Start it with our own configuration and rules, quicker; it is not ready yet.

        Args:
            program: to run.
            folder: for its configuration and its data, which it makes.
            api: address of the API, which lists the targets.
            scrape_s: seconds between two scrapes, two looks at that list, and two looks at the rules.
        """
        folder.mkdir(parents=True, exist_ok=True)
        every = f"{scrape_s:g}s"
        ours = yaml.safe_load((OURS / "prometheus.yml").read_text(encoding="utf-8"))
        ours["global"] = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
        ours["rule_files"] = [str(OURS / name) for name in ours["rule_files"]]
        del ours["alerting"]
        [found_there] = ours["scrape_configs"][0]["http_sd_configs"]
        found_there.update(url=found_there["url"].replace(USUAL, api), refresh_interval=every)
        configuration = folder / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(ours), encoding="utf-8")
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--query.lookback-delta=30s",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._client = httpx.Client(base_url=self.address, timeout=10)

    def wait_ready(self) -> None:
        """Wait until it answers, with a bound."""
        ends = time.monotonic() + START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > ends:
                message = f"Prometheus is not ready; its log: {Path(self._log.name).read_text()[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.1)

    def range(self, expr: str, start: float, end: float, step_s: float = STEP_S) -> list[dict[str, Any]]:
        """What ``query_range`` answers: a ``metric`` and ``values`` for each series.

        Raises:
            ValueError: Prometheus refuses the expression; its words.
        """
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:g}"}
        return self._result("/api/v1/query_range", asked)

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its ``health``: ``ok``, ``unknown`` until it was looked at, or ``err`` with ``lastError``."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _result(self, path: str, asked: dict[str, str]) -> list[dict[str, Any]]:
        answer = self._client.post(path, data=asked).json()
        if answer["status"] != "success":
            message = f"{asked['query']}: {answer.get('error')}"
            raise ValueError(message)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def _ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self._client.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
