"""``Limiting``: how much a customer may ask for, and what is left of it."""

from router.tenants import Tenant


class Limiting:
    """Requests, seconds of audio, and jobs at the same time."""

    def admit(self, tenant: Tenant) -> dict[str, str]:
        """Count a request; gives the ``RateLimit`` headers of its answer.

        Raises:
            Problem: 429 with ``Retry-After``.
        """
        raise NotImplementedError

    def admit_job(self, tenant: Tenant) -> None:
        """Before audio is taken: whether the customer has seconds of audio and jobs at the same time left.

        Raises:
            Problem: 429 with ``Retry-After``.
        """
        raise NotImplementedError
