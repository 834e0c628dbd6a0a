"""``take_mounted``: secrets that a pod has as files become the variables that settings and providers are read from.

A mounted secret is in no manifest and no ``inspect``, and a command that somebody runs by ``kubectl exec`` has it too.
"""

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from earmark.errors import ConfigurationError

FOLDER: Final = "SECRETS_FOLDER"
"""The variable that names another folder than the image's."""
DEFAULT: Final = "/run/secrets/earmark"
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")


def take_mounted(environment: MutableMapping[str, str]) -> None:
    """Add what the folder of secrets holds and the environment lacks or has empty; without the folder, nothing.

    Raises:
        ConfigurationError: a file of it cannot be read.
    """
    folder = Path(environment.get(FOLDER, DEFAULT))
    if not folder.is_dir():
        return
    try:
        for path in sorted(folder.iterdir()):
            if _NAME.fullmatch(path.name) and path.is_file() and not environment.get(path.name):
                environment[path.name] = path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        message = (
            f"Cannot read the secrets in {folder}: {error}.  Give this user permission, or point {FOLDER} elsewhere."
        )
        raise ConfigurationError(message) from error
