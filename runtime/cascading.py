"""The second half of wiring: the fallback with its guards, and the confidences that were fitted."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.clock import utc_now
from earmark.domain import Prediction, Upload
from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event
from earmark.metadata import uncalibrated_fields
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane
from router.tenants import Tenants
from runtime.backend import Backend
from runtime.controller.failover_flag import FailoverFlag
from runtime.tenants.tenancy import open_tenants
from scaling.failover import HELP_SHARE
from workers import calibration
from workers.breaker import Breaker
from workers.cascade import CascadeRules, listed_fields
from workers.degradation import Degradation, LaneLimits
from workers.fallback import Fallback
from workers.models.catalogue import ModelSpec, check_packages, find_model, find_provider
from workers.second_opinion import SecondOpinion, regions_of
from workers.spend import Spend

if TYPE_CHECKING:
    from workers.models.openai_compatible import OpenAICompatible

_log = logging.getLogger(__name__)
Calibrate = Callable[[Prediction], Prediction]


def fallback_spec(settings: Settings) -> ModelSpec | None:
    """The fallback as a model of the catalogue; ``None`` = there is none.

    Raises:
        ConfigurationError: there is no such provider.
    """
    if not settings.fallback:
        return None
    return find_model("openai_compatible", settings.model_copy(update={"model_provider": settings.fallback}))


def calibrator(path: Path | None, spec: ModelSpec, *, prompt: bool = True) -> tuple[Calibrate, str]:
    """What gives a model's answers their confidences, and the id of what it was fitted as; without a file, nothing.

    Args:
        path: the artefact.
        spec: of the model it must have been made for.
        prompt: whether it must have been made with the same prompt; a fallback is asked about other fields each time.

    Raises:
        ConfigurationError: it cannot be read, or was made for another model.
    """
    if path is None:
        return lambda prediction: prediction, ""
    fitted = calibration.load(
        path,
        model=spec.name,
        model_version=spec.version,
        engine=spec.engine,
        prompt_version=spec.prompt_version if prompt else None,
    )

    def calibrate(prediction: Prediction) -> Prediction:
        metadata = fitted.apply(prediction.metadata)
        return replace(prediction, metadata=metadata, uncalibrated=uncalibrated_fields(metadata))

    return calibrate, fitted.id


def make_spend(settings: Settings, backend: Backend, clock: Clock) -> Spend:
    """What the fallback cost, and its caps."""
    tenants = open_tenants(settings, backend, clock)

    def tenant_usd(name: str) -> float:
        own = tenants.find(name).fallback_daily_usd
        return settings.fallback_tenant_daily_usd if own is None else own

    return Spend(backend.state, day_usd=settings.fallback_daily_usd, tenant_usd=tenant_usd, clock=clock)


def make_second_opinion(settings: Settings, backend: Backend, clock: Clock) -> SecondOpinion:
    """The fallback behind its guards; without one, nobody is ever asked.

    Raises:
        ConfigurationError: the provider, its key or its model does not exist, or a package is not installed.
    """
    rules = CascadeRules(
        threshold=settings.confidence_threshold,
        fields=listed_fields(settings.fallback_fields),
        prior=settings.fallback_prior,
    )
    spec = fallback_spec(settings)
    if spec is None:
        return SecondOpinion(rules)
    provider = find_provider(settings, settings.fallback)
    client = make_client(settings)
    try:
        client.check()
    except Unavailable as error:  # a provider that is down keeps no worker from starting: that is what breakers are for
        event(_log, "provider.unavailable", level=logging.WARNING, provider=client.name, error=str(error))
    calibrate, _ = calibrator(settings.fallback_calibration, spec, prompt=False)
    return SecondOpinion(
        rules,
        bound_to=bound_to(open_tenants(settings, backend, clock)),
        clock=clock,
        fallback=Fallback(
            provider=client,
            breaker=Breaker(client.name),
            spend=make_spend(settings, backend, clock),
            regions=frozenset(provider.regions),
            concurrency=provider.concurrency,
            version=spec.version,
            calibrate=calibrate,
        ),
    )


def bound_to(tenants: Tenants, *, sure: bool = False) -> Callable[[Upload], frozenset[str]]:
    """Where the data of an upload must stay: what the router noted, and what is known of its tenant now.

    A tenant that is bound after its uploads were queued is bound for them too, and so is one whose router had no file.
    While the register of tenants cannot be reached, what is in nobody's memory stays here; with ``sure`` that raises
    ``Unavailable`` instead, for whoever would reject the upload.
    """

    def regions(upload: Upload) -> frozenset[str]:
        try:
            own = tenants.find(upload.tenant).region
        except ConfigurationError:  # nobody knows, so it stays here
            own = "unknown"
        except Unavailable:
            if sure:
                raise
            own = "unknown"
        return regions_of(upload) | (frozenset() if own is None else frozenset({own}))

    return regions


def make_client(settings: Settings) -> "OpenAICompatible":
    """The client of the fallback's provider; raises ``ConfigurationError`` where there is none."""
    spec = fallback_spec(settings)
    assert spec is not None  # noqa: S101  # only called where there is a fallback
    check_packages(spec)
    from workers.models.openai_compatible import OpenAICompatible  # noqa: PLC0415  # takes a second to import

    return OpenAICompatible(find_provider(settings, settings.fallback))


def make_degradation(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Degradation:
    """When a lane waits so long that the fallback should help out, by itself or because the controller says so."""
    limits = {
        Lane.HIGH: LaneLimits(
            settings.degraded_high_s, settings.degraded_high_backlog, HELP_SHARE * settings.sla_high_s
        ),
        Lane.LOW: LaneLimits(settings.degraded_low_s, settings.degraded_low_backlog, HELP_SHARE * settings.sla_low_s),
    }
    flag = FailoverFlag(backend.state, clock)
    return Degradation(limits, lambda lane: backend.depths[lane]().waiting, helped=flag.lanes)
