"""One analysis as a CSV file (RFC 4180): a header and a line, with the columns that results of batches have too."""

import csv
import io
from typing import Final

from earmark.domain import Record
from runtime.exports.columns import COLUMNS, as_text, row_of

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"


def csv_file(record: Record) -> str:
    """The whole file."""
    stream = io.StringIO(newline="")
    lines = csv.writer(stream)
    lines.writerow(COLUMNS)
    lines.writerow(as_text(cell) for cell in row_of(record).values())
    return stream.getvalue()
