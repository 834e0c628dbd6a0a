"""Writes ``docs/openapi.json`` from the endpoints: ``python -m runtime.api.openapi_page``."""

import json
import tempfile
from pathlib import Path
from typing import Final

from earmark.settings import Settings
from runtime.api.app import make_api
from runtime.api.parts import make_parts
from runtime.wiring import connect

PAGE: Final = Path("docs/openapi.json")


def openapi_page() -> str:
    """The page as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder))
        app = make_api(make_parts(settings, connect(settings)))
        return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(openapi_page(), encoding="utf-8")
