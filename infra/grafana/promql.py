"""Expressions over the metrics of the catalogue, so that no name in a dashboard is typed twice."""

from typing import Final

from runtime.metrics.metric import Kind, Metric

STEP: Final = "$__rate_interval"
"""Grafana's window: at least four scrapes, at least a point of the picture."""
LATELY: Final = "5m"
"""The window of what is told of this moment; that of the alerts."""
LANE: Final = 'lane=~"$lane"'
"""The lanes that the reader chose."""


def series(metric: Metric, where: str = "", part: str = "") -> str:
    """A metric's series: ``earmark_x_bucket{lane="high"}``; ``part`` is the histogram's."""
    name = f"{metric.name}_{part}" if metric.kind is Kind.HISTOGRAM else metric.name
    return f"{name}{{{where}}}" if where else name


def summed(inner: str, by: str = "") -> str:
    """The sum over all processes, by labels."""
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def rate(metric: Metric, by: str = "", where: str = "", *, over: str = STEP, part: str = "count") -> str:
    """How much a counter grows a second, over all processes."""
    return summed(f"rate({series(metric, where, part)}[{over}])", by)


def a_minute(metric: Metric, by: str = "", where: str = "", *, over: str = STEP, part: str = "count") -> str:
    """The same a minute, which people can picture."""
    return f"60 * {rate(metric, by, where, over=over, part=part)}"


def share(part: str, whole: str) -> str:
    """A part of a whole; nothing where there was nothing."""
    return f"{part} / ({whole} > 0)"


def quantile(level: float, metric: Metric, by: str = "", where: str = "", *, over: str = STEP) -> str:
    """An estimate from a histogram's buckets; nothing where there was nothing, of which the quantile is no number."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({level}, {rate(metric, labels, where, over=over, part='bucket')}) >= 0"


def mean(metric: Metric, by: str = "", where: str = "", *, over: str = STEP) -> str:
    """The mean of what a histogram saw."""
    seen = rate(metric, by, where, over=over)
    return share(rate(metric, by, where, over=over, part="sum"), seen)


def filling(metric: Metric, where: str = "") -> str:
    """How a histogram's buckets fill, for a heatmap."""
    return f"sum by (le) (increase({series(metric, where, 'bucket')}[{STEP}]))"


def highest(metric: Metric, by: str = "", where: str = "") -> str:
    """The greatest value of a gauge that several processes show alike."""
    return f"max by ({by}) ({series(metric, where)})" if by else f"max({series(metric, where)})"


def age(metric: Metric, by: str = "") -> str:
    """Seconds since a moment that a gauge tells, of the process that is the furthest behind."""
    return f"time() - min by ({by}) ({series(metric)})" if by else f"time() - min({series(metric)})"


def of_lanes(metric: Metric, lanes: str) -> str:
    """A metric of queues by ``lane``, so that it can stand beside those that have lanes.

    Args:
        metric: the controller's; each controller shows the same.
        lanes: a pattern of names of lanes, or Grafana's variable of that kind.
    """
    named = f'label_replace({metric.name}{{queue=~"{lanes}"}}, "lane", "$1", "queue", "(.+)")'
    return f"max by (lane) ({named})"
