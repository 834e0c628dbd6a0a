"""``make_api``: the HTTP API, put together from its endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_fields_from_routes
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from runtime.api.head_requests import HeadRequests
from runtime.api.metrics import Measured
from runtime.api.page_details import add_details
from runtime.api.reference_page import HEADERS, reference_page
from runtime.endpoints import analyses, batches, events, exports, health, listing, uploads, webhooks
from runtime.endpoints.parts import ApiParts
from runtime.endpoints.problem import add_problems
from runtime.endpoints.small_bodies import SmallBodies
from runtime.tracing.opening import open_spans
from runtime.tracing.requests import Traced

TITLE: Final = "Earmark"
DESCRIPTION: Final = """Turns audio into trustworthy metadata, each field with a confidence that means something.

Every error is problem details (RFC 9457): `type` is a closed word, `detail` says what is wrong with this request,
`remedy` what to do about it.  What belongs to somebody else is answered like what does not exist: 404.  `HEAD` is
answered where `GET` is, but for streams and copies of audio.
"""
_ENDPOINTS: Final[tuple[APIRouter, ...]] = (
    analyses.endpoints,
    listing.endpoints,
    events.endpoints,
    uploads.endpoints,
    batches.endpoints,
    exports.endpoints,
    webhooks.endpoints,
    health.endpoints,
)
"""In the order of the OpenAPI page."""


class Api(FastAPI):
    """The application, with a page that has what a client needs and FastAPI leaves off."""

    _page: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI page, made once."""
        if self._page is None:
            page = deepcopy(super().openapi())  # another thread may be at it too
            kinds = (field.field_info.annotation for field in get_fields_from_routes(self.routes))
            add_details(page, [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)])
            self._page = page
        return self._page


def make_api(parts: ApiParts) -> FastAPI:
    """The application; serve it with ``runtime.api.serving``."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(parts.analyses.close)

    app = Api(
        title=TITLE,
        description=DESCRIPTION,
        version=version("earmark"),
        lifespan=lifespan,
        docs_url=None,  # the framework's pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.parts = parts
    app.add_middleware(HeadRequests)
    app.add_middleware(SmallBodies, within_s=parts.settings.api_body_s)
    app.add_middleware(Measured, metrics=parts.analyses.metrics)
    app.add_middleware(Traced, spans=open_spans(parts.settings, "api"), clock=parts.clock)
    add_problems(app)
    for endpoints in _ENDPOINTS:
        # As they are: ``include_router`` would make every route once more, at the first request.
        app.router.routes.extend(endpoints.routes)

    parts.analyses.metrics.foresee(
        (route.path, method)
        for endpoints in _ENDPOINTS
        for route in endpoints.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    )

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(reference_page(app.openapi()), headers=dict(HEADERS))

    return app
