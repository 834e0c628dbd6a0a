"""``ResultFormat``: how the results of a batch are written."""

from enum import StrEnum


class ResultFormat(StrEnum):
    """How results are written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """Of the stream."""
        return {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}.get(
            self, "application/vnd.apache.parquet"
        )
