"""Who acts: the name that the audit log gets."""

import getpass
import os


def actor_name(setting: str) -> str:
    """The setting, else the name of the operating system's user."""
    if setting:
        return setting
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number that has no name
        return f"uid {os.getuid()}"
