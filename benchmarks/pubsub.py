"""The queue on Pub/Sub beside a bare loop on the same emulator, with both stores beside their bare writes; hoarding.

``python -m benchmarks.pubsub [--quick] [--only queue,stores,hoarding]``.  The three parts are explained in
``pubsub_queue.py``, ``pubsub_stores.py`` and ``pubsub_hoarding.py``.  Contestants take turns in every round, and ratios
are medians over the rounds, each round against itself, so that a machine whose speed drifts does not decide.
"""

import argparse
import json
import logging
import warnings
from pathlib import Path

from benchmarks.pubsub_hoarding import measure_hoarding
from benchmarks.pubsub_queue import measure_queue
from benchmarks.pubsub_stores import measure_stores

PARTS = {"queue": measure_queue, "stores": measure_stores, "hoarding": measure_hoarding}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="a smoke run of one short round each")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore", "The return_immediately flag")  # on purpose: see runtime/gcp/pubsub_queue.py
    figures: dict[str, float] = {}
    for name in options.only.split(","):
        figures |= PARTS[name](quick=options.quick)
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
