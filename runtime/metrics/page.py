"""Writes ``docs/metrics.md`` from the catalogue: ``python -m runtime.metrics.page``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runtime.metrics.bounded import MOST
from runtime.metrics.catalogue import METRICS
from runtime.metrics.exposition import SAMPLE_S
from runtime.metrics.metric import Label, Metric, Server
from runtime.metrics.worker_metrics import SAMPLED

PAGE: Final = Path("docs/metrics.md")
HEAD: Final = f"""# Metrics

Written from the catalogue in `runtime/metrics/` by `make docs`; code, alerts and dashboards take the names from there.

- **Where.** Each process that lasts serves its own figures at `/metrics`, in Prometheus' text format: API, router,
  worker and controller at `EARMARK_METRICS_HOST` and `EARMARK_METRICS_PORT`, the API at its own port too.  Where no
  port is set it is any that is free, of which `/metrics/targets` and the log's `metrics.served` tell; 0 = none.  A
  worker that is started by hand beside `earmark up` is found like the others.  `retention` serves none: the controller
  tells how it stands.
- **How Prometheus finds them.** `GET /metrics/targets` of the API lists the processes on its data folder, in the form
  of `http_sd_configs`, with the label `role`.  None of these addresses asks for a key: no proxy should let them out.
- **No customer.** No label names a customer, a job or a file; these are in the log and in the warehouse.
- **From the start.** Counters and histograms whose labels are known are there with 0 before anything happens, those by
  model and arm for the models that are set and the arms of the experiments that run.  A gauge is there once
  somebody has looked, and away as long as nobody can see: write alerts with `absent()` beside them.
- **Jobs are counted once**, when their queue knows that they ended, from the row that the warehouse gets of them
  (`jobs`), which the log line `job.settled` is made of too.  Shadows of experiments are not counted.
- **No scrape waits** for a store, a GPU or a queue.  What no event tells of is looked at every {SAMPLE_S:g} s in the
  background: {", ".join(f"`{metric.name}`" for metric in SAMPLED)}.  What the controller shows is looked at every
  `EARMARK_CONTROLLER_EVERY_S` seconds, less often where a look costs money.
- **Labels without a list** (`model`, `arm`) have {MOST} values at most in the life of a process; what is counted under
  one stays.  One that was only foreseen leaves its place to one that counts, and those that find none are `other`.
- **Commands of a terminal** (`earmark submit`, `earmark analyze`) are scraped by nobody: what they route is in the rows
  of the jobs (`origin` of `jobs`), and `origin="command"` of `earmark_uploads_routed_total` stays 0.

"""
_HEADINGS: Final = {
    Server.WORKER: "## Workers\n\n",
    Server.ROUTER: "## Router\n\nThe first two are served by the API too, which routes what it takes: add them up.\n\n",
    Server.CONTROLLER: "## Controller\n\n`earmark controller`; `earmark controller --once` prints all of them.  Where "
    "several run, each tells the same: take the greatest, not the sum.\n\n",
    Server.API: "## API\n\nRoutes are templates, as `/v1/analyses/{analysis_id}`; what fits none is `unmatched`.\n\n",
}


def metrics_page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(server) for server in _HEADINGS) + _labels()


def _section(server: Server) -> str:
    mine = [metric for metric in METRICS if metric.served_by is server]
    rows = "".join(
        f"| `{metric.name}` | {metric.kind} | {metric.unit} | {_named(metric)} | {_told(metric)} |\n" for metric in mine
    )
    return f"{_HEADINGS[server]}| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n{rows}\n"


def _named(metric: Metric) -> str:
    return ", ".join(f"`{label.name}`" for label in metric.labels)


def _told(metric: Metric) -> str:
    if not metric.buckets:
        return metric.meaning
    return f"{metric.meaning}  Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."


def _labels() -> str:
    rows = "".join(
        f"| `{label.name}` | {label.meaning} | {', '.join(f'`{value}`' for value in label.values)} |\n"
        for label in _distinct(label for metric in METRICS for label in metric.labels)
    )
    return f"## Labels\n\n| label | meaning | values |\n| --- | --- | --- |\n{rows}"


def _distinct(labels: Iterable[Label]) -> list[Label]:
    return sorted(set(labels), key=lambda label: (label.name, label.meaning))


if __name__ == "__main__":
    PAGE.write_text(metrics_page(), encoding="utf-8")
