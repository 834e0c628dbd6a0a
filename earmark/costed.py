"""``Costed``: a frozen value that may have cost money."""

from typing import Any

from pydantic import NonNegativeFloat, SerializerFunctionWrapHandler, model_serializer

from earmark.metadata import Frozen


class Costed(Frozen):
    """What may have cost something; a cost of nothing is left out where it is written down.

    So code from before there was a cost, which refuses fields that it does not know, reads all that cost nothing.
    """

    cost_usd: NonNegativeFloat = 0.0
    """What it cost, in dollars."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = whole(self)
        if not self.cost_usd:
            fields.pop("cost_usd", None)
        return fields
