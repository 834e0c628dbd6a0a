"""What the commands of ``earmark webhook`` do."""

import sys
from typing import Any, Final

from earmark.actor import actor_name
from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime import exit_status
from runtime.dlq.desk import say
from runtime.retention.output import print_json, print_table
from runtime.tenants.tenancy import open_tenants
from runtime.webhooks.delivering import DELIVERED, moment_of
from runtime.webhooks.desk import WebhookDesk
from runtime.webhooks.endpoint import WebhookEndpoint
from runtime.webhooks.parts import make_desk
from runtime.webhooks.webhook_event import CHOICES, EventType
from runtime.wiring import connect, connect_existing

_SHOWN: Final = ("event", "event_type", "subject", "attempt", "status", "outcome", "detail", "took_s")


def add_webhook(settings: Settings, url: str, tenant: str, events: str, *, each_of_batches: bool) -> None:
    """Have a server called, and print its secret."""
    backend = connect(settings)
    chosen = [_event(each.strip()) for each in events.split(",") if each.strip()]
    if not chosen:
        message = f"Say about which events: {', '.join(sorted(CHOICES))}."
        raise ConfigurationError(message)
    customer = open_tenants(settings, backend).find(tenant).name
    made = make_desk(settings, backend).add(
        customer, url, events=chosen, each_of_batches=each_of_batches, actor=actor_name(settings.actor)
    )
    say(f"{made.id} is called about {', '.join(made.events)}.  What its calls are signed with is shown this once:")
    _print_secret(made)


def list_webhooks(settings: Settings, tenant: str, *, as_json: bool) -> None:
    """Print the webhooks of a customer, or of all."""
    register = make_desk(settings, connect_existing(settings)).endpoints
    found = register.all(tenant) if tenant else list(register.everybodys())
    if as_json:
        print_json([_fields(each) for each in found])
        return
    rows: list[list[object]] = [
        [each.id, each.tenant, each.url, ", ".join(each.events), each.disabled_why or "called", each.made_at]
        for each in found
    ]
    if rows:
        print_table(["webhook", "customer", "address", "events", "state", "since"], rows)
    say(f"{len(found)} webhooks.")


def list_calls(settings: Settings, identity: str, most: int, *, as_json: bool) -> None:
    """Print what came of the calls of a webhook."""
    desk = make_desk(settings, connect_existing(settings))
    endpoint = _found(desk, identity)
    rows = desk.deliveries(endpoint.tenant, endpoint.id, most=most)
    if as_json:
        print_json([{"at": moment_of(row).isoformat(), **{name: row[name] for name in _SHOWN}} for row in rows])
        return
    if rows:
        print_table(["at", *_SHOWN], [[row["at_second"], *(row[name] for name in _SHOWN)] for row in rows])
    say(f"{len(rows)} calls.")


def call_once(settings: Settings, identity: str, *, as_json: bool) -> int:
    """Call a webhook, and print what came of it; returns the exit status."""
    desk = make_desk(settings, connect_existing(settings))
    row = desk.test(_found(desk, identity))
    if as_json:
        print_json(row.model_dump(mode="json", include={"event", "status", "outcome", "detail", "took_s"}))
    else:
        say(f"{row.outcome} in {row.took_s:.2f} s{f': {row.detail}' if row.detail else ''}")
    return 0 if row.outcome == DELIVERED else exit_status.SOME_NOT_DONE


def tell_again(settings: Settings, identity: str, event: str) -> None:
    """Have an event told once more."""
    desk = make_desk(settings, connect_existing(settings))
    endpoint = _found(desk, identity)
    if not endpoint.enabled:
        message = (
            f"{endpoint.id} is not called any more: {endpoint.disabled_why}.  `earmark webhook enable` changes it."
        )
        raise ConfigurationError(message)
    if desk.replay(endpoint, event, actor_name(settings.actor)) is None:
        message = (
            f"{endpoint.id} cannot be told {event!r}: no call was about it, or what it was about is gone or has "
            f"changed.  `earmark webhook list {endpoint.id}` lists the calls."
        )
        raise ConfigurationError(message)
    say(
        f"{event} is told once more as soon as the router sees it, which makes the calls: `earmark route` or "
        "`earmark up`."
    )


def change_secret(settings: Settings, identity: str) -> None:
    """Give a webhook a new secret, and print it."""
    desk = make_desk(settings, connect_existing(settings))
    changed = desk.rotate(_found(desk, identity), actor_name(settings.actor))
    if changed is None:
        raise _unknown(identity)
    say("For 24 hours calls are signed with the secret before as well.  The new one is shown this once:")
    _print_secret(changed)


def enable_again(settings: Settings, identity: str) -> None:
    """Have a webhook called again."""
    desk = make_desk(settings, connect_existing(settings))
    if desk.enable(_found(desk, identity), actor_name(settings.actor)) is None:
        raise _unknown(identity)
    say(f"{identity} is called again.")


def remove_webhook(settings: Settings, identity: str) -> None:
    """Have a webhook called no more."""
    desk = make_desk(settings, connect_existing(settings))
    desk.remove(_found(desk, identity), actor_name(settings.actor))
    say(f"{identity} is called no more.")


def _event(name: str) -> EventType:
    if name not in set(CHOICES):
        message = f"{name!r} is no event that a webhook can choose.  There are: {', '.join(sorted(CHOICES))}."
        raise ConfigurationError(message)
    return EventType(name)


def _found(desk: WebhookDesk, identity: str) -> WebhookEndpoint:
    found = next((each for each in desk.endpoints.everybodys() if each.id == identity), None)
    if found is None:
        raise _unknown(identity)
    return found


def _unknown(identity: str) -> ConfigurationError:
    return ConfigurationError(f"There is no webhook {identity!r}.  `earmark webhook list` lists them.")


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """All but the secrets."""
    return endpoint.model_dump(mode="json", exclude={"secrets"})


def _print_secret(endpoint: WebhookEndpoint) -> None:
    sys.stdout.write(endpoint.secrets[0].value.get_secret_value() + "\n")
