"""Lane rules: which uploads are urgent, as data."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from earmark.domain import Upload
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.vocabulary import Lane, Origin, Tier

SHIPPED = Path(__file__).parent / "lane_rules.toml"


class LaneRule(Frozen):
    """One line of the table; a rule that names no origins or no tiers matches any."""

    lane: Lane
    origins: frozenset[Origin] = frozenset(Origin)
    tiers: frozenset[Tier] = frozenset(Tier)


class LaneRules(Frozen):
    """Rules in order."""

    rule: tuple[LaneRule, ...]


def load_rules(path: Path | None = None) -> tuple[LaneRule, ...]:
    """Read lane rules from a TOML file (default: the ones that ship).

    Raises:
        ConfigurationError: the file cannot be read or its last rule does not match every upload.
    """
    path = path or SHIPPED
    try:
        rules = LaneRules.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).rule
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        message = f"Cannot use the lane rules in {path}: {error}"
        raise ConfigurationError(message) from error
    if not rules or rules[-1].origins != frozenset(Origin) or rules[-1].tiers != frozenset(Tier):
        message = f"The last rule in {path} must match every upload: give it a lane and nothing else."
        raise ConfigurationError(message)
    return rules


def lane_of(upload: Upload, rules: Sequence[LaneRule]) -> Lane:
    """The lane of the first rule that matches."""
    return next(rule.lane for rule in rules if upload.origin in rule.origins and upload.tier in rule.tiers)
