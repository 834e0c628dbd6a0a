"""Cloud Storage under the contract suite: fake-gcs-server, one for the whole run, with a bucket for each case.

The server enforces the preconditions of creates and overwrites, not of deletes: there the adapter looks first, and
``test_gcs_store.py`` holds that the precondition is sent.  It forgets holds; ``test_gcs_holds.py`` has those.
"""

import atexit
import uuid
from functools import cache

import google.cloud.storage
from google.auth.credentials import AnonymousCredentials

from runtime.gcp.object_store import GcsObjectStore
from tests.clock import ManualClock
from tests.contracts.conftest import StoreCase
from tests.servers.storage import StorageServer


@cache
def server() -> StorageServer:
    """One server for the whole run."""
    started = StorageServer()
    started.start()
    atexit.register(started.stop)
    return started


def client_of(url: str) -> google.cloud.storage.Client:
    """Google's client, led to a server."""
    return google.cloud.storage.Client(
        project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
    )


def new_bucket(client: google.cloud.storage.Client) -> str:
    """The name of a bucket that nobody else uses."""
    name = f"bucket-{uuid.uuid4().hex[:20]}"
    client.create_bucket(name, retry=None)
    return name


def new_case() -> StoreCase:
    """An empty bucket; the server is stopped to break it, and the next case gets another one."""
    url = server().url
    bucket = new_bucket(client_of(url))

    def break_it() -> None:
        server().stop()
        server.cache_clear()

    return StoreCase(
        lambda: GcsObjectStore(client_of(url), bucket),
        ManualClock(),
        break_it,
        long_segments=True,
        nests=True,
        dates_by_clock=False,
        holds=False,
    )
