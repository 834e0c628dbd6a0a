"""``shown``: a number with its unit, as Grafana writes it, about."""

import math
from typing import Final

_TIMES: Final = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_SIZES: Final = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_COUNTS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))

_STEPS: Final = {"s": _TIMES, "bytes": _SIZES}


def shown(value: object, unit: str) -> str:
    """Words for a value.

    Args:
        value: a number, a text, or ``None``.
        unit: Grafana's name of it.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "none"
    if isinstance(value, str):
        return value[:19].replace("T", " ") if unit == "dateTimeAsIso" else value
    number = float(value)  # type: ignore[arg-type]  # a number, then
    if unit == "s" and 0 < abs(number) < 1:
        return f"{_few(1000 * number)} ms"
    if unit == "percentunit":
        return f"{_few(100 * number)} %"
    if unit == "currencyUSD":
        return f"${_few(number)}"
    return _scaled(number, _STEPS.get(unit, _COUNTS))


def scale_of(top: float, unit: str) -> float:
    """What a step of an axis up to ``top`` is a round number of, as a minute; 1 = the unit itself."""
    sizes = [size for size, _ in _STEPS.get(unit, ()) if top >= size]
    return sizes[0] if sizes else 1.0


def _scaled(number: float, steps: tuple[tuple[float, str], ...]) -> str:
    for size, name in steps:
        if abs(number) >= size:
            return f"{_few(number / size)} {name}"
    return _few(number)


def _few(number: float) -> str:
    """Three digits that mean something, and never an exponent."""
    if number == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:.{min(places, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
