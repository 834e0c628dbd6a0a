"""Writes the example and the prices into ``docs/cost.md``: ``python -m runtime.cost.page``."""

import io
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from earmark.settings import Settings
from runtime.cost.assumed import Given
from runtime.cost.choice_output import print_text, unmeasured
from runtime.cost.comparing import Question, choose
from runtime.cost.prices import Price, load_prices
from runtime.looking import nothing_there

PAGE: Final = Path("docs/cost.md")
GIVEN: Final = {"--gpu": "l4", "--predict-s-per-audio-s": "0.02", "--audio-s-per-job": "60", "--fallback-share": "0.1"}
"""What the example is given, so that it is the same wherever it runs."""


def example() -> str:
    """A command and what it prints."""
    question = Question(
        machines=(GIVEN["--gpu"],),
        given=Given(
            audio_s_per_job=float(GIVEN["--audio-s-per-job"]),
            fallback_share=float(GIVEN["--fallback-share"]),
            predict_s_per_audio_s={GIVEN["--gpu"]: float(GIVEN["--predict-s-per-audio-s"])},
        ),
    )
    words = shlex.join(word for option in GIVEN.items() for word in option)
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as printed:
        settings = Settings(data=Path(folder) / "earmark-data")
        choice = choose(settings, None, question, _day())
        sys.stdout.write(unmeasured(choice, nothing_there(settings)).replace(str(settings.data), settings.data.name))
        print_text(choice)
    shown = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
    return f"```\n$ earmark cost break-even {words}\n{shown}\n```"


def _day() -> datetime:
    """A day on which no price that ships is old, so that the page does not change with the day it is written."""
    dates = [machine.usd_per_hour.as_of for machine in load_prices().machines.values()]
    return datetime.combine(max(dates), time(), UTC)


def price_table() -> str:
    """The prices that ship."""
    prices = load_prices()
    found: dict[str, Price] = {}
    for name, machine in prices.machines.items():
        found[f"`{name}`, {machine.type}, an hour"] = machine.usd_per_hour
        if machine.spot_usd_per_hour is not None:
            found[f"`{name}`, the same, spot"] = machine.spot_usd_per_hour
    for name, storage in prices.storage.items():
        found[f"storage, {name}, a GiB and month"] = storage.usd_per_gb_month
    found["Pub/Sub, a TiB put or given"] = prices.queue.usd_per_tib
    found["BigQuery, a GiB kept for a month"] = prices.warehouse.usd_per_gb_month
    found["BigQuery, a TiB read"] = prices.warehouse.usd_per_tib_read
    rows = (f"| {what} | {price.usd:g} | {price.as_of} | {price.source} |\n" for what, price in found.items())
    return f"| what | dollars | looked up | where |\n| --- | --- | --- | --- |\n{''.join(rows)}".rstrip()


PARTS: Final[Mapping[str, Callable[[], str]]] = {"example": example, "prices": price_table}


def written(page: str) -> str:
    """The page with its parts as they are now."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = f"{begin}\n{make()}\n{end}"
        page = pattern.sub(lambda _, text=text: text, page)  # type: ignore[misc]  # bound now, not when called
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
