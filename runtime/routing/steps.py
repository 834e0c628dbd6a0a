"""``open_steps``: what a router does beside routing uploads: it feeds and follows batches, and calls webhooks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.backend import Backend
from runtime.routing.loop import Step
from runtime.webhooks.parts import make_announcing, make_courier
from runtime.wiring import make_feeding, make_following

FEED_S: Final = 0.5
FOLLOW_S: Final = {"local": 2.0, "gcp": 30.0}
"""Seconds between looks at batches that were fed, by backend: in BigQuery each look costs money."""
CALL_S: Final = 0.25


@contextmanager
def open_steps(
    settings: Settings, backend: Backend, clock: Clock = utc_now, called: Callable[[str], None] = lambda _: None
) -> Iterator[list[Step]]:
    """The steps, each for a thread of its own; leaving the context ends their threads.

    ``called`` hears what came of each call of a customer's server.
    """
    with ExitStack() as stack:
        announcing = make_announcing(settings, backend, clock)
        feeding = make_feeding(settings, backend, clock, files=True)
        stack.callback(feeding.close)
        following = make_following(settings, backend, announcing.batch_ended, clock, files=True)
        stack.callback(following.close)
        courier = make_courier(settings, backend, clock, called)
        stack.callback(courier.close)
        yield [
            Step("batches.feed", feeding.run_once, FEED_S),
            Step("batches.follow", following.follow_once, FOLLOW_S[settings.backend]),
            Step("webhooks.call", courier.run_once, CALL_S),
        ]
