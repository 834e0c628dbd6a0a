"""What only Google Cloud has of a customer: messages in Pub/Sub, which nobody can take out by what they hold."""

from datetime import timedelta
from typing import Final

from retention.stores import ErasableStore, ExemptStore

MESSAGES_KEPT: Final = timedelta(days=7)
"""Message retention of the subscriptions that ``earmark init`` makes, Pub/Sub's default
(cloud.google.com/pubsub/docs/subscription-properties)."""


def cloud_stores() -> list[ErasableStore]:
    """The stores to go through first."""
    return [
        ExemptStore(
            "queues",
            "jobs: addresses of uploads, failures so far",
            "messages cannot be taken out one by one; workers and collectors drop those of who was erased",
            MESSAGES_KEPT,
        ),
        ExemptStore(
            "events",
            "results and notices that were announced to subscribers",
            "what subscribers took is with them; what nobody took runs out",
            MESSAGES_KEPT,
        ),
    ]
