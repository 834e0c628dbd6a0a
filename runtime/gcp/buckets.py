"""What each bucket is like: how long what is deleted can be brought back, and what goes by itself.

All of it is a backstop behind retention (``docs/retention-google-cloud.md``): it acts late, never early, and would go
on deleting what is over if nothing of ours ran any more.
"""

from typing import Any, Final

DAY_S: Final = 86_400
FORGOTTEN: Final = ("admissions/", "tries/", "claims/")
FORGOTTEN_DAYS: Final = 8
"""What is remembered of a message is worth nothing once Pub/Sub has dropped it, after seven days."""
SOFT_DELETE_S: Final = {"uploads": 7 * DAY_S, "results": 7 * DAY_S, "archive": 7 * DAY_S}
"""For how long what was deleted can be brought back, 7 days being Cloud Storage's default; elsewhere for no moment."""
DATED: Final = ("uploads", "results", "archive")
"""Objects of these bear a custom time after which nobody needs them; see ``retention.backstop``."""
DATED_DAYS: Final = 1
"""Days behind the custom time; 0 would be satisfied as soon as there is one, whatever it says."""
TEMPORARY_DAYS: Final = 1
AUDIT_S: Final = 400 * DAY_S
"""For which nobody can delete or replace a link of the audit trail; the policy is not locked here."""
ABANDONED_DAYS: Final = 1
"""After which an upload in parts that was never finished is dropped."""


def described(bucket: Any, name: str) -> Any:
    """A bucket of Cloud Storage's client with all its settings, to be created.

    Args:
        bucket: one that exists only here.
        name: its short name.
    """
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.soft_delete_policy.retention_duration_seconds = SOFT_DELETE_S.get(name, 0)
    bucket.add_lifecycle_abort_incomplete_multipart_upload_rule(age=ABANDONED_DAYS)
    if name in DATED:
        bucket.add_lifecycle_delete_rule(days_since_custom_time=DATED_DAYS)
    match name:
        case "state":
            bucket.add_lifecycle_delete_rule(age=FORGOTTEN_DAYS, matches_prefix=list(FORGOTTEN))
        case "temporary":
            bucket.add_lifecycle_delete_rule(age=TEMPORARY_DAYS)
        case "archive":
            bucket.storage_class = "COLDLINE"
        case "audit":
            bucket.retention_period = AUDIT_S
    return bucket
