"""The connections of a client of Cloud Storage."""

import os
from typing import Any, Final

from google.cloud import storage
from requests.adapters import HTTPAdapter

CONNECTIONS: Final = 64
"""Kept open to Cloud Storage for the threads of a process; further ones are closed after use."""
_NO_BUCKET_METADATA: Final = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


def session_of(client: storage.Client) -> Any:
    """The client's session, with a connection for each thread and the environment read once.

    Left alone it keeps ten connections, and looks for proxies in the environment at every request, which takes a
    seventh of the processor time of a small write.  And the client asks for the bucket's metadata in threads of its
    own, for traces that nobody takes, again after each object that is not found.
    """
    os.environ.setdefault(_NO_BUCKET_METADATA, "true")
    session = client._http  # noqa: SLF001  # the one way to its pool, named by its maintainers for this
    endpoint = str(client.api_endpoint)
    if session.trust_env:
        found = session.merge_environment_settings(endpoint, {}, None, None, None)
        session.proxies, session.verify, session.cert = dict(found["proxies"]), found["verify"], found["cert"]
        if not getattr(session, "is_mtls", False):  # then its own adapter holds the certificate
            session.mount(endpoint, HTTPAdapter(pool_maxsize=CONNECTIONS))
        session.trust_env = False
    return session
