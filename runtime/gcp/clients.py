"""Google's clients, made late: after the process has started, since gRPC does not survive a fork."""

import os
from functools import cached_property

import google.auth
import google.auth.credentials
import google.cloud.storage
import grpc
from google.api_core.client_options import ClientOptions
from google.cloud import bigquery
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from runtime.gcp.vendor_errors import translated

PUBSUB_EMULATOR = "PUBSUB_EMULATOR_HOST"
STORAGE_EMULATOR = "STORAGE_EMULATOR_HOST"
BIGQUERY_EMULATOR = "BIGQUERY_EMULATOR_HOST"
"""The variables that Google's own tools read; set, they lead there instead of to the cloud."""


class Clients:
    """One client of each kind for a project, each made on first use.

    Making one raises ``ConfigurationError`` where this process has no credentials, and ``Unavailable`` where these
    cannot be fetched.
    """

    def __init__(self, project: str, location: str, pubsub_endpoint: str = "") -> None:
        """Connect to nothing yet.

        Args:
            project: whose resources are used.
            location: of the dataset.
            pubsub_endpoint: host and port that Pub/Sub is asked at; empty = the global one.  An emulator goes first.
        """
        self.project = project
        self.location = location
        self._pubsub = ClientOptions(api_endpoint=pubsub_endpoint or None)
        self._owner = os.getpid()

    @cached_property
    def publisher(self) -> PublisherClient:
        """Pub/Sub, to publish and to make topics.  Batches are ours, so this is the client without threads."""
        self._check()
        host = os.environ.get(PUBSUB_EMULATOR)
        with translated("Pub/Sub"):
            if host:
                return PublisherClient(transport=PublisherGrpcTransport(channel=_channel(host)))
            return PublisherClient(client_options=self._pubsub)

    @cached_property
    def subscriber(self) -> SubscriberClient:
        """Pub/Sub, to pull and to make subscriptions."""
        self._check()
        host = os.environ.get(PUBSUB_EMULATOR)
        with translated("Pub/Sub"):
            if host:
                return SubscriberClient(transport=SubscriberGrpcTransport(channel=_channel(host)))
            return SubscriberClient(client_options=self._pubsub)

    @cached_property
    def storage(self) -> google.cloud.storage.Client:
        """Cloud Storage."""
        self._check()
        with translated("Cloud Storage"):
            return google.cloud.storage.Client(project=self.project, credentials=_credentials(STORAGE_EMULATOR))

    @cached_property
    def bigquery(self) -> bigquery.Client:
        """BigQuery."""
        self._check()
        with translated("BigQuery"):
            return bigquery.Client(
                project=self.project, location=self.location, credentials=_credentials(BIGQUERY_EMULATOR)
            )

    def _check(self) -> None:
        if os.getpid() != self._owner:
            message = "Clients of Google Cloud must be made in the process that uses them"
            raise RuntimeError(message)


def _channel(host: str) -> grpc.Channel:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_reconnect_backoff_ms", 5_000)]
    return grpc.insecure_channel(host, options=options)


def _credentials(variable: str) -> google.auth.credentials.Credentials | None:
    return google.auth.credentials.AnonymousCredentials() if os.environ.get(variable) else None  # type: ignore[no-untyped-call]
