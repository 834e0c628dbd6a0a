"""``Wording``: a notice in words, for a mail, and as JSON, for the topic and webhooks."""

from typing import Any, Final

from earmark.metadata import Frozen
from earmark.named_file import printable
from earmark.vocabulary import Tier
from retention.notice import Notice, NoticedObject

EVENT_TYPE: Final = "retention.notice"
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_STEP: Final = 1000


class Wording(Frozen):
    """What an operator adds to a notice; in the addresses ``{tenant}`` and ``{day}`` are replaced."""

    service: str = "Earmark"
    """What customers know the service as."""
    link: str = ""
    """Page with the whole list, where everything can be downloaded; empty = none."""
    upgrade: str = ""
    """Page where a customer moves to a higher tier; empty = none."""
    contact: str = ""
    """Whom to ask: an address of mail or of a page; empty = nobody is named."""

    def subject(self, notice: Notice) -> str:
        """One line of at most 200 characters."""
        day = notice.not_before(notice.first_expires_at)
        what = "object" if notice.objects == 1 else "objects"
        line = f"{self.service}: {notice.objects:,} {what} of {notice.tenant} will be deleted from {day:%Y-%m-%d} on"
        return printable(line)[:200]

    def text(self, notice: Notice) -> str:
        """The whole message as plain text."""
        first, last = (notice.not_before(at) for at in (notice.first_expires_at, notice.last_expires_at))
        is_one = notice.objects == 1
        kept = "an object" if is_one else "objects"
        lines = [
            f"The time for which {printable(self.service)} keeps {kept} of the account {notice.tenant} ends.",
            f"{'It' if is_one else 'They'} will be deleted, and cannot be brought back afterwards.",
            "",
            *(
                f"  {tally.object_class.value + 's':<12}{tally.objects:>12,}   {size(tally.size_bytes):>12}"
                for tally in notice.tallies
            ),
            f"  {'first':<12}not before {first:%Y-%m-%d %H:%M} UTC",
            f"  {'last':<12}not before {last:%Y-%m-%d %H:%M} UTC",
            "",
            "What you can do until then:",
            *(f"  - {each}" for each in self.remedies(notice)),
            "",
            "What will be deleted, and not before when:",
            *(self._line(notice, each) for each in notice.sample),
        ]
        if notice.objects > len(notice.sample):
            rest = f"and {notice.objects - len(notice.sample):,} more"
            lines.append(f"  {rest}: {self._filled(self.link, notice)}" if self.link else f"  {rest}.")
        return "\n".join([*lines, "", f"This is notice {notice.id}.", ""])

    def remedies(self, notice: Notice) -> list[str]:
        """What a customer can do, a sentence each."""
        link, upgrade = (self._filled(each, notice) for each in (self.link, self.upgrade))
        found = [f"Download what you want to keep{f': {link}' if link else ''}."]
        if notice.tier is Tier.ENTERPRISE:
            found.append("Ask for an extension: your agreement allows to keep files for longer.")
        else:
            found.append(f"Move to a higher tier, which keeps files for longer{f': {upgrade}' if upgrade else ''}.")
        if self.contact:
            found.append(f"Ask {printable(self.contact)}.")
        return found

    def payload(self, notice: Notice) -> dict[str, Any]:
        """The same as JSON: what an event holds as its data; times as ISO 8601 in UTC."""
        return {
            "notice": notice.id,
            "tenant": notice.tenant,
            "tier": notice.tier.value,
            "made_at": notice.made_at.isoformat(),
            "objects": notice.objects,
            "size_bytes": notice.size_bytes,
            "classes": {each.object_class.value: each.objects for each in notice.tallies},
            "first_not_before": notice.not_before(notice.first_expires_at).isoformat(),
            "last_not_before": notice.not_before(notice.last_expires_at).isoformat(),
            "policy_version": notice.policy_version,
            "link": self._filled(self.link, notice),
            "remedies": self.remedies(notice),
            "sample": [_object(notice, each) for each in notice.sample],
            "sample_is_all": notice.objects == len(notice.sample),
        }

    @staticmethod
    def _filled(address: str, notice: Notice) -> str:
        day = notice.id.rpartition("/")[2]
        return printable(address.replace("{tenant}", notice.tenant).replace("{day}", day))

    @staticmethod
    def _line(notice: Notice, each: NoticedObject) -> str:
        row, day = each.row, notice.not_before(each.expires_at)
        came = f"{size(row.size_bytes)}, since {row.created_at:%Y-%m-%d}"
        return f"  {day:%Y-%m-%d}  {printable(f'{row.bucket}/{row.name}')}  ({came})"


def size(count_bytes: int) -> str:
    """Bytes for a person: ``3.2 MB``; a kB is 1000 bytes."""
    value, unit = float(count_bytes), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{count_bytes} {'byte' if count_bytes == 1 else 'bytes'}"


def _object(notice: Notice, each: NoticedObject) -> dict[str, Any]:
    row = each.row
    return {
        "bucket": row.bucket,
        "name": row.name,
        "generation": str(row.generation),  # larger than what JSON's readers hold exactly
        "class": row.object_class,
        "size_bytes": row.size_bytes,
        "created_at": row.created_at.isoformat(),
        "expires_at": each.expires_at.isoformat(),
        "not_before": notice.not_before(each.expires_at).isoformat(),
    }
