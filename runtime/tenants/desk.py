"""What the commands of ``earmark tenant`` do: look, write it down in the audit log, change."""

import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from earmark.actor import actor_name
from earmark.audit import AuditEntry, AuditTrail
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Tier
from router.access_scopes import AccessScope
from router.keys import ApiKey, Keys, is_key_id, read_key
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from router.tiers import load_tiers
from runtime.dlq.desk import say
from runtime.retention.output import print_json, print_table, shown
from runtime.tenants.tenancy import open_tenants
from runtime.wiring import connect, connect_existing

_SHAPES: Final = {
    "name": "a name is 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit",
    "region": "a region is a word, as europe-west1",
    "notice_email": "--notice-email is one address, as archive@acme.example",
    "sources": "a --source is a folder with a slash at its end, as gs://acme-music/2026/",
}
LIMITS: Final = ("requests_per_minute", "audio_s_per_day", "concurrent_jobs", "max_input_bytes", "max_duration_s")
"""Fields of a customer that limit it."""


class _Desk:
    """The parts that these commands work with."""

    def __init__(self, settings: Settings, clock: Clock = utc_now, *, existing: bool = False) -> None:
        self.settings, self._clock = settings, clock
        backend = (connect_existing if existing else connect)(settings, clock)
        self.register, self.keys = TenantRegister(backend.state), Keys(backend.state, clock)
        self.tenants = open_tenants(settings, backend, clock)
        self._audit = AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state)

    def known(self, name: str) -> Tenant:
        """A customer who is in the file or was added; raises ``ConfigurationError`` where there is none."""
        found = self.tenants.find(name)
        if not self.tenants.in_file(name) and self.register.find(name) is None:
            message = f"There is no customer {name}.  Add it first: `earmark tenant add {name} --tier …`."
            raise ConfigurationError(message)
        return found

    def registered(self, name: str) -> Tenant:
        """A customer who was added by command; those of the file are changed there."""
        self.tenants.find(name)
        if self.tenants.in_file(name):
            message = f"{name} is in {self.settings.tenants}, which goes before the register: change it there."
            raise ConfigurationError(message)
        return self.known(name)

    def order(self, action: str, tenant: str, target: str, *, before: str = "", after: str = "") -> None:
        """Write down what is about to be done."""
        entry = AuditEntry(
            at=self._clock(),
            actor=actor_name(self.settings.actor),
            action=action,
            target=target,
            tenant=tenant,
            before=before,
            after=after,
        )
        self._audit([entry])


def add_tenant(
    settings: Settings,
    name: str,
    tier: Tier,
    *,
    region: str | None = None,
    notice_email: str | None = None,
    sources: Sequence[str] | None = None,
) -> None:
    """Add a customer; the same again changes nothing.

    Raises:
        ConfigurationError: something is malformed, or there is a customer of that name that has something else.
    """
    fields = {"region": region, "notice_email": notice_email, "sources": sources}
    tenant = _changed({"name": name, "tier": tier}, fields)
    desk = _Desk(settings)
    if desk.tenants.in_file(name):
        message = f"{name} is in {settings.tenants} already, which goes before the register: change it there."
        raise ConfigurationError(message)
    if desk.register.find(name) is None:
        desk.order("tenant.add", name, name, after=_told(tenant))
    added = desk.register.add(tenant)
    what = f"{name}, {tier}" + (f", its data stays in {tenant.region}" if tenant.region else "")
    say(f"Added: {what}.  `earmark tenant key {name}` makes a key." if added else f"There already, just so: {what}.")


def change_tenant(
    settings: Settings,
    name: str,
    tier: Tier | None,
    *,
    region: str | None = None,
    notice_email: str | None = None,
    sources: Sequence[str] | None = None,
) -> None:
    """Change what is given of a customer.

    Raises:
        ConfigurationError: there is none of that name in the register, nothing was given, or something is malformed.
    """
    fields = {"tier": tier, "region": region, "notice_email": notice_email, "sources": sources}
    if all(value is None for value in fields.values()):
        message = (
            "Say what to change: --tier, --region, --notice-email or --source.  `earmark tenant limit` has limits."
        )
        raise ConfigurationError(message)
    changed = _change(_Desk(settings, existing=True), name, fields)
    say(f"Changed: {name} is {changed.tier}{f', its data stays in {changed.region}' if changed.region else ''}.")


def limit_tenant(settings: Settings, name: str, own: Mapping[str, float | None], *, clear: bool, as_json: bool) -> None:
    """Give a customer limits of its own, and print those that hold.

    Raises:
        ConfigurationError: there is no such customer, or it is one of the file and something is to change.
    """
    desk = _Desk(settings, existing=True)
    given = {field: value for field, value in own.items() if value is not None}
    if given or clear:
        tenant = _change(desk, name, {**(dict.fromkeys(LIMITS, "") if clear else {}), **given})
    else:
        tenant = desk.known(name)
    limits = load_tiers(settings.tier_limits)[tenant.tier].of(tenant)
    hold = {
        **limits.model_dump(),
        "max_input_bytes": min(settings.max_input_bytes, tenant.max_input_bytes or settings.max_input_bytes),
        "max_duration_s": min(settings.max_duration_s, tenant.max_duration_s or settings.max_duration_s),
    }
    if as_json:
        print_json({"name": name, "tier": tenant.tier, **hold})
        return
    rows = [[field, "any" if hold[field] is None else hold[field], _whose(tenant, field)] for field in LIMITS]
    print_table(["limit", "value", "from"], rows)


def make_key(settings: Settings, name: str, scopes: str, expires_days: float | None) -> None:
    """Make a key, and print it as the last line of standard output.

    Raises:
        ConfigurationError: there is no such customer or scope, or the customer has two active keys.
    """
    desk = _Desk(settings)
    desk.known(name)
    wanted = _scopes(scopes)
    desk.keys.demand_room(name)
    new = desk.keys.draft(name, wanted, None if expires_days is None else timedelta(days=expires_days))
    desk.order("tenant.key", name, new.key.id, after=",".join(sorted(wanted)))
    desk.keys.add(new)
    ends = f"until {shown(new.key.expires_at)} UTC" if new.key.expires_at else "until it is revoked"
    say(f"The key {new.key.id} of {name}, for {', '.join(sorted(wanted))}, {ends}.  It is shown this once:")
    sys.stdout.write(new.text.get_secret_value() + "\n")
    sys.stdout.flush()


def list_keys(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print the keys of a customer, the newest last."""
    desk = _Desk(settings, existing=True)
    desk.known(name)
    found = desk.keys.of(name)
    if as_json:
        rows = [{**each.model_dump(exclude={"sha256"}), "state": each.state(utc_now())} for each in found]
        print_json([{**row, "scopes": sorted(row["scopes"])} for row in rows])
        return
    columns = ["key", "state", "for", "made", "last used", "ends"]
    print_table(columns, [_key_row(each) for each in found])


def revoke_key(settings: Settings, which: str) -> None:
    """End a key, by its id or itself.

    Raises:
        ConfigurationError: there is no such key.
    """
    desk = _Desk(settings, existing=True)
    read = read_key(which)
    key_id = which if read is None else read[0]
    found = desk.keys.find(key_id)
    if found is None:
        what = f"key {key_id}" if is_key_id(key_id) else "such key: name its id, or all of it"
        message = f"There is no {what}.  `earmark tenant keys NAME` lists those of a customer."
        raise ConfigurationError(message)
    state = found.state(utc_now())
    if state == "revoked":
        say(f"The key {key_id} of {found.tenant} was revoked already, at {shown(found.revoked_at)} UTC.")
        return
    desk.order("tenant.revoke", found.tenant, key_id, before=state, after="revoked")
    desk.keys.revoke(key_id)
    say(f"Revoked: the key {key_id} of {found.tenant}.  Whoever remembers it forgets it within a minute.")


def list_all(settings: Settings, *, as_json: bool) -> None:
    """Print all customers that are known by name."""
    desk = _Desk(settings, existing=settings.tenants is None)
    found = [desk.tenants.find(name) for name in sorted(desk.tenants.tiers)]
    rows = [
        {
            "name": each.name,
            "tier": each.tier.value,
            "region": each.region,
            "keys": sum(key.state(utc_now()) == "active" for key in desk.keys.of(each.name)),
            "own_limits": {field: value for field in LIMITS if (value := getattr(each, field)) is not None},
            "sources": list(each.sources),
            "notice_email": each.notice_email,
            "from": "file" if desk.tenants.in_file(each.name) else "register",
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "tier", "region", "keys", "own limits", "from"]
    print_table(columns, [[_listed(row[column.replace(" ", "_")]) for column in columns] for row in rows])


def _change(desk: _Desk, name: str, fields: Mapping[str, object]) -> Tenant:
    before = desk.registered(name)
    after = _changed(before.model_dump(), fields)
    if after != before:
        desk.order("tenant.change", name, name, before=_told(before), after=_told(after))
    return desk.register.change(name, lambda present: _changed(present.model_dump(), fields))


def _changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> Tenant:
    """A customer with changes: ``None`` = as it is, empty = nothing."""
    given = {name: _value(name, value) for name, value in changes.items() if value is not None}
    try:
        return Tenant.model_validate({**fields, **given})
    except ValidationError as error:
        wrong = list(dict.fromkeys(str(each["loc"][0]) if each["loc"] else "" for each in error.errors()))
        faults = "; ".join(_SHAPES.get(name, f"{name} is malformed") for name in wrong)
        message = f"There can be no such customer: {faults}."
        raise ConfigurationError(message) from None


def _value(name: str, value: object) -> object:
    if name == "sources" and isinstance(value, Sequence):
        return tuple(each for each in value if each)
    return None if value == "" else value


def _scopes(text: str) -> frozenset[AccessScope]:
    if text.strip() == "all":
        return frozenset(AccessScope)
    try:
        return frozenset(AccessScope(each.strip()) for each in text.split(","))
    except ValueError:
        message = f"--scopes {text!r}: name some of {', '.join(AccessScope)}, divided by commas, or all."
        raise ConfigurationError(message) from None


def _told(tenant: Tenant) -> str:
    """A customer for the audit log: tier, region and limits, no addresses."""
    fields = tenant.model_dump(mode="json", exclude_none=True, include={"tier", "region", *LIMITS})
    more = [f"{len(tenant.sources)} sources"] if tenant.sources else []
    return ", ".join([*(f"{name} {value}" for name, value in fields.items()), *more])


def _whose(tenant: Tenant, field: str) -> str:
    if getattr(tenant, field) is not None:
        return "its own"
    return "the system" if field.startswith("max_") else f"tier {tenant.tier}"


def _key_row(key: ApiKey) -> list[object]:
    return [
        key.id,
        key.state(utc_now()),
        ", ".join(sorted(key.scopes)),
        key.created_at,
        key.used_at,
        key.revoked_at or key.expires_at,
    ]


def _listed(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each:g}" for name, each in value.items())
    return value
