"""``parts_of``: what the controller looks at, from the adapters of a backend."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from earmark.errors import ConfigurationError, Unavailable
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.backend import Backend
from runtime.cascading import make_spend
from runtime.controller.controller import Figure, Part
from runtime.controller.disk import look_at_disk
from runtime.controller.scaling_look import ScalingLook
from runtime.controller.scaling_view import open_scaling
from runtime.dlq.waiting_letters import WaitingLetters
from runtime.metrics import of_controller as shown
from runtime.metrics.labels import KINDS, PART, known_kind
from runtime.queue_depths import DEAD, told_depth, with_letters
from runtime.retention.desk import open_desk
from runtime.retention.status import figures_of, health_of
from runtime.webhooks.outbox import Outbox

RETENTION_EVERY_S: Final = {"local": 60.0, "gcp": 300.0}
"""Seconds for which a look at retention stands, by backend: in BigQuery each look costs money."""
LETTERS_EVERY_S: Final = {"local": 0.0, "gcp": 60.0}
"""The same of the dead letters, whose bucket is listed each time."""
QUEUES_WITHIN_S: Final = 30.0
"""Cloud Monitoring may take twenty."""
RETENTION_WITHIN_S: Final = 60.0
LETTERS_WITHIN_S: Final = 60.0
"""The first look reads every letter."""
WEBHOOKS_EVERY_S: Final = {"local": 0.0, "gcp": 60.0}
"""The same of the webhooks' outbox, of which each endpoint's folder is listed."""
QUEUES, LETTERS, SPEND, RETENTION, SCALING, WEBHOOKS, DISK = PART.values


@contextmanager
def open_parts(
    settings: Settings, backend: Backend, clock: Clock, *, look: Callable[[str], None] | None = None
) -> Iterator[list[Part]]:
    """The parts; leaving the context ends their threads.

    Args:
        settings: of the process.
        backend: its adapters.
        clock: the present.
        look: for a look that writes nothing and asks for no workers: is told what the figures of scaling stand on.

    Raises:
        ConfigurationError: a file that the settings name cannot be used.
    """
    with ExitStack() as stack:
        letters = stack.enter_context(WaitingLetters(backend.state))
        spend = make_spend(settings, backend, clock)
        desired = (
            open_scaling(settings, backend, clock) if look is None else ScalingLook(settings, backend, clock, look)
        )

        def scaling() -> Iterator[Figure]:
            for lane, each in desired().items():
                yield Figure(shown.DESIRED_WORKERS, each.workers, (lane,))
                yield Figure(shown.FAILOVER, each.failover, (lane,))
                for metric, value in (
                    (shown.ARRIVALS, each.arrivals_per_s),
                    (shown.SERVICE_S, each.service_s),
                    (shown.QUEUE_AUDIO, each.waiting_audio_s),
                ):
                    if value is not None:
                        yield Figure(metric, value, (lane,))

        def spent() -> list[Figure]:
            today, cap = spend.today(), settings.fallback_daily_usd
            return [Figure(shown.SPENT, today), Figure(shown.SPEND_CAP, cap)]

        def retention() -> list[Figure]:
            desk = open_desk(settings, backend, clock, senders={})  # a new one each time, for a desk remembers
            return [Figure(metric, value) for metric, value in figures_of(health_of(desk))]

        name = settings.backend
        parts = [
            Part(QUEUES, lambda: list(_queues(backend)), within_s=QUEUES_WITHIN_S),
            Part(SPEND, spent),
            Part(SCALING, lambda: list(scaling())),
            Part(LETTERS, lambda: _letters(letters, backend, clock), LETTERS_EVERY_S[name], LETTERS_WITHIN_S),
            Part(RETENTION, retention, RETENTION_EVERY_S[name], RETENTION_WITHIN_S),
            Part(WEBHOOKS, lambda: _webhooks(Outbox(backend.state), clock), WEBHOOKS_EVERY_S[name]),
        ]
        if name == "local":  # elsewhere nothing lasts on a disk
            parts.append(Part(DISK, lambda: look_at_disk(settings.data)))
        yield parts


def _queues(backend: Backend) -> Iterator[Figure]:
    """Each queue; what it cannot tell has no figure, and how much waits in the dead one is told with the letters."""
    for queue in backend.depths:
        depth = told_depth(backend, queue)
        yield Figure(shown.QUEUE_LEASED, depth.leased, (queue,))
        if queue == DEAD:
            continue
        if depth.waiting is not None:
            yield Figure(shown.QUEUE_WAITING, depth.waiting, (queue,))
        if depth.oldest_age_s is not None:
            yield Figure(shown.QUEUE_OLDEST, depth.oldest_age_s, (queue,))


def _letters(letters: WaitingLetters, backend: Backend, clock: Clock) -> list[Figure]:
    """Those that wait for a person: how many of each class, and how old the oldest is; and the dead queue with them."""
    waiting = list(letters.look())
    by_kind = Counter(known_kind(letter.kind) for letter in waiting)
    ages_s = [(clock() - letter.buried_at).total_seconds() for letter in waiting]
    oldest_s = max([0.0, *ages_s])
    return [
        *(Figure(shown.DEAD_LETTERS, by_kind[kind], (kind,)) for kind in KINDS),
        Figure(shown.DEAD_LETTER_OLDEST, oldest_s),
        *_dead(backend, len(waiting), oldest_s),
    ]


def _dead(backend: Backend, letters: int, oldest_s: float) -> list[Figure]:
    """The dead queue as `earmark status` tells it; nothing where it cannot be seen, which the part of queues says."""
    try:
        depth = with_letters(told_depth(backend, DEAD), letters, oldest_s)
    except (Unavailable, ConfigurationError):
        return []
    return [
        Figure(shown.QUEUE_WAITING, depth.waiting or 0, (DEAD,)),
        Figure(shown.QUEUE_OLDEST, depth.oldest_age_s or 0.0, (DEAD,)),
    ]


def _webhooks(outbox: Outbox, clock: Clock) -> list[Figure]:
    """For how long the call that is longest due has not been made."""
    now = clock()
    due_at = outbox.oldest_due(now)
    return [Figure(shown.WEBHOOK_OLDEST, 0.0 if due_at is None else (now - due_at).total_seconds())]
