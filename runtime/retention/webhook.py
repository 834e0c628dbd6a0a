"""``Webhook``: posts notices to a customer's server, signed as the Standard Webhooks specification says."""

import hashlib
import json
from http import HTTPStatus
from urllib.parse import urlsplit

from earmark.errors import Unavailable
from earmark.ports import Clock
from retention.notice import Bounced, Contact, Notice
from retention.wording import EVENT_TYPE, Wording
from runtime.posting import Posting
from runtime.webhooks.standard_webhooks import signed_headers


class Webhook:
    """A ``Send``: one call of one customer's webhook; called again, ``webhook-id`` and body are the same."""

    def __init__(self, wording: Wording, clock: Clock, posting: Posting | None = None) -> None:
        """Take what puts notices in words, the time that signatures bear, and what posts."""
        self._wording, self._clock, self._posting = wording, clock, posting or Posting()

    def __call__(self, notice: Notice, contact: Contact) -> None:
        """Post a notice; an answer of 2xx accepts it.

        Raises:
            Unavailable: the server cannot be reached in time, or answers anything else; redirects are not followed.
            Bounced: it answers 410: the endpoint is gone for good.
            ConfigurationError: the address or the secret is none, or the address leads inside.
        """
        body = self.body(notice)
        status = self._posting.post(contact.address, body, self.headers(notice, contact, body))
        _judge(urlsplit(contact.address).hostname or "", status)

    def body(self, notice: Notice) -> bytes:
        """What is posted: type, time stamp and data of the event; always the same for a notice."""
        event = {"type": EVENT_TYPE, "timestamp": notice.made_at.isoformat(), "data": self._wording.payload(notice)}
        return json.dumps(event, separators=(",", ":"), sort_keys=True).encode()

    def headers(self, notice: Notice, contact: Contact, body: bytes) -> dict[str, str]:
        """Headers of a call made now, signed.

        Raises:
            ConfigurationError: the secret is none.
        """
        identity = f"msg_{hashlib.sha256(notice.id.encode()).hexdigest()[:32]}"
        return signed_headers(identity, self._clock(), body, [contact.secret])


def _judge(host: str, status: int) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.GONE:
        message = f"{host} answers 410: the webhook is gone"
        raise Bounced(message, "Ask the customer for a webhook that works.")
    is_moved = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    message = f"{host} answers {status}{'; redirects are not followed' if is_moved else ''}"
    raise Unavailable(message)
