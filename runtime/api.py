"""``make_api``: the HTTP API, put together from its endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from runtime.endpoints.parts import ApiParts
from runtime.endpoints.problem import add_problems

TITLE: Final = "Earmark"
DESCRIPTION: Final = """Turns audio into trustworthy metadata, each field with a confidence that means something.

Every error is problem details (RFC 9457): `type` is a closed word, `detail` says what is wrong with this request,
`remedy` what to do about it.  What belongs to somebody else is answered like what does not exist: 404.
"""
_ENDPOINTS: Final[tuple[APIRouter, ...]] = ()
"""In the order of the OpenAPI page."""


def make_api(parts: ApiParts) -> FastAPI:
    """The application; serve it with ``runtime.serving``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(title=TITLE, description=DESCRIPTION, version=version("earmark"), lifespan=lifespan)
    app.state.parts = parts
    add_problems(app)
    for endpoints in _ENDPOINTS:
        app.include_router(endpoints)
    return app
