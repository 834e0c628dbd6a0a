"""``IdempotencyKey``: the header under which a request that is sent twice counts once."""

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same request under the same key within 24 hours has the answer of the first.",
    ),
]
