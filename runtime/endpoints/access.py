"""``AccessLog``: every look at a customer's data, in the audit log."""


class AccessLog:
    """Writes down who looked at what, before it is shown."""

    def record(self, *, tenant: str, key_id: str, action: str, target: str, detail: str = "") -> None:
        """Make an entry durable; several threads share one write.

        Args:
            tenant: whose data.
            key_id: with which key.
            action: as ``analysis.read``, ``analysis.exported``, ``batch.read``.
            target: id of what was looked at.
            detail: counts, no names.

        Raises:
            Unavailable: it cannot be written; nothing may be shown.
        """
        raise NotImplementedError
