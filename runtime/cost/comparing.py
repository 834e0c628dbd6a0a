"""``Choice``: machines of one's own beside a provider, put together from rows, prices and what was given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from earmark.errors import ConfigurationError
from earmark.ports import Warehouse
from earmark.settings import Settings
from runtime.cost.around import Around, around
from runtime.cost.assumed import Assumed, Figure, Given, assume
from runtime.cost.break_even import Comparison, Fleet, Point, Turn, table
from runtime.cost.measured import Measured, measure
from runtime.cost.prices import Price, PriceList, doubts, load_prices
from workers.models.catalogue import find_provider
from workers.models.provider import Provider
from workers.models.windows import WINDOW_S

VOLUMES: Final = (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
"""Jobs a day that are shown when none are asked for."""
WINDOW: Final = timedelta(days=30)
"""Of rows that are looked into when no other is asked for."""
DAY_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    machines: Sequence[str] = ()
    """Names of the price list; none = those on which enough was heard."""
    provider: str = ""
    """Empty = the fallback that is set, or ``openai``."""
    model: str = ""
    """Empty = the primary that is set."""
    volumes: Sequence[float] = ()
    utilisation: float = 0.6
    least: int = 1
    whole: bool = False
    spot: bool = False
    since: datetime | None = None
    until: datetime | None = None
    tenant: str = ""
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True)
class Beside:
    """One kind of machine beside the provider."""

    machine: str
    predict_s_per_audio_s: Figure
    usd_per_hour: Figure
    comparison: Comparison
    turn: Turn | None
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer."""

    provider: Provider
    question: Question
    assumed: Assumed
    machines: Sequence[Beside]
    measured: Measured | None
    """``None`` = nothing had to be."""
    around: Around | None
    """What both pay for jobs besides; ``None`` = nobody knows how large they are."""
    warnings: Sequence[str]
    api_jobs_per_day: float | None
    """That one process may ask the provider about, by its limit on tokens, sound alone; ``None`` = no limit."""


class Rows:
    """Rows that are looked into when something is to be measured, and once."""

    def __init__(self, look: Callable[[], Measured]) -> None:
        """Take what looks."""
        self._look = look
        self.found: Measured | None = None
        """``None`` = nothing had to be measured so far."""

    def __call__(self) -> Measured:
        """What was found."""
        if self.found is None:
            self.found = self._look()
        return self.found


def choose(settings: Settings, warehouse: Warehouse | None, question: Question, now: datetime) -> Choice:
    """Answer a question.

    Args:
        settings: which name the primary, the fallback and files of prices and providers.
        warehouse: whose rows tell what is not given; ``None`` = there are no rows.
        question: what is asked.
        now: end of the window of rows where the question names none, and the day by which prices are old.

    Raises:
        ConfigurationError: there is no such machine, provider or price, or too few rows to tell.
        Unavailable: the warehouse cannot be reached.
    """
    prices = load_prices(settings.prices)
    provider = find_provider(settings, question.provider or settings.fallback or "openai")
    until = question.until or now
    rows = Rows(
        lambda: measure(
            warehouse,
            prices,
            model=question.model or settings.model,
            windows=provider.audio_windows,
            since=question.since or until - WINDOW,
            until=until,
            tenant=question.tenant,
        )
    )
    given = question.given
    for name in question.machines if given.usd_per_hour is None else ():
        _price(prices, name, question)  # an unknown one is told of before anything is measured
    names = list(dict.fromkeys([*question.machines, *given.predict_s_per_audio_s])) or rows().machines_heard()
    priced = {name: _price(prices, name, question) for name in names}
    assumed = assume(given, provider, rows)
    speeds = {name: _speed(name, given, rows) for name in names}
    own = rows.found.jobs_per_day if rows.found is not None else None
    volumes = [*(question.volumes or VOLUMES), *([] if own is None else [own])]
    dates: dict[str, tuple[date | None, float]] = {
        name: (price.as_of, price.usd) for name, price in priced.items() if given.usd_per_hour is None
    }
    if given.api_usd_per_job is None:
        dates[provider.name] = (provider.prices.as_of, assumed.api_usd_per_job.value)
    return Choice(
        provider,
        question,
        assumed,
        [_beside(name, speeds[name], priced[name], question, assumed, volumes) for name in names],
        rows.found,
        around(prices, rows.found.size_bytes / rows.found.answers) if rows.found and rows.found.answers else None,
        [*doubts(dates, now.date()), *_deaf(provider, given, rows.found)],
        _most_per_day(provider, assumed),
    )


def _price(prices: PriceList, name: str, question: Question) -> Price:
    if question.given.usd_per_hour is not None:
        return Price(usd=question.given.usd_per_hour, as_of=date.min, source="given")
    machine = prices.machine(name)
    if not question.spot:
        return machine.usd_per_hour
    if machine.spot_usd_per_hour is None:
        message = f"There is no spot price of {name}.  Add [machines.{name}.spot_usd_per_hour] to your file of prices."
        raise ConfigurationError(message)
    return machine.spot_usd_per_hour


def _speed(name: str, given: Given, rows: Rows) -> Figure:
    if name in given.predict_s_per_audio_s:
        return Figure(given.predict_s_per_audio_s[name], "given")
    measured = rows()
    value = measured.predict_s_per_audio_s(name)
    jobs = sum(each.jobs for each in measured.heard if each.machine == name)
    hardware = ", ".join(each.hardware for each in measured.heard if each.machine == name)
    return Figure(value, f"mean of {jobs} warm jobs on {hardware}")


def _beside(
    name: str, speed: Figure, price: Price, question: Question, assumed: Assumed, volumes: Sequence[float]
) -> Beside:
    comparison = Comparison(
        Fleet(
            price.usd,
            speed.value * assumed.audio_s_per_job.value,
            question.utilisation,
            least=question.least,
            whole=question.whole,
        ),
        fallback_usd_per_job=assumed.fallback_usd,
        api_usd_per_job=assumed.api_usd_per_job.value,
    )
    turn = comparison.turn()
    turns = [] if turn is None else [each for each in (turn.first, turn.for_good) if each > 0]
    source = price.source if question.given.usd_per_hour is not None else f"{price.source}; looked up {price.as_of}"
    return Beside(name, speed, Figure(price.usd, source), comparison, turn, table(comparison, [*volumes, *turns]))


def _deaf(provider: Provider, given: Given, measured: Measured | None) -> list[str]:
    """Whether the provider would hear less than the machines do."""
    most_s = provider.audio_windows * WINDOW_S
    if given.audio_s_per_job is not None:
        share = min(1.0, most_s / given.audio_s_per_job)
    else:
        share = measured.provider_audio_s / measured.audio_s if measured is not None else 1.0
    if share >= 1:
        return []
    heard = f"{provider.name} hears {most_s:g} s of a recording at most, {share:.0%} of the audio"
    return [f"{heard}; the machines hear all of it."]


def _most_per_day(provider: Provider, assumed: Assumed) -> float | None:
    """Jobs a day that one process may ask the provider about, by its limit on tokens, sound alone."""
    tokens = min(assumed.audio_s_per_job.value, provider.audio_windows * WINDOW_S) * provider.tokens_per_audio_s
    return provider.tokens_per_minute * DAY_MINUTES / tokens if provider.tokens_per_minute and tokens else None
