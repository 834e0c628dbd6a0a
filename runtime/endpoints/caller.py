"""``Caller``: whose key a request bears, checked and within its limits before an endpoint sees anything of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from earmark.errors import ConfigurationError
from earmark.log import event
from router.access_scopes import AccessScope
from router.keys import ApiKey
from router.tenants import Tenant, Tenants
from runtime.endpoints.parts import parts_of
from runtime.endpoints.problem import Problem

_log = logging.getLogger(__name__)
_BEARER = HTTPBearer(auto_error=False, description="A key of `earmark tenant key NAME`, as `Authorization: Bearer …`.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer, and the key it came with."""

    tenant: Tenant
    key_id: str
    scopes: frozenset[AccessScope]


def calling(scope: AccessScope) -> Callable[..., Caller]:
    """A dependency: the caller, or a problem: 401 without a good key, 403 outside its scopes, 429 beyond its limits."""

    def caller(
        request: Request,
        response: Response,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
    ) -> Caller:
        parts = parts_of(request)
        address = request.client.host if request.client else ""
        key = parts.authentication.check(credentials.credentials if credentials else "", scope, address)
        found = Caller(_customer(parts.tenants, key), key.id, key.scopes)
        headers = parts.limiting.admit(found.tenant)
        response.headers.update(headers)
        request.state.limit_headers = headers  # for answers that an endpoint makes itself
        return found

    return caller


def _customer(tenants: Tenants, key: ApiKey) -> Tenant:
    try:
        return tenants.find(key.tenant)
    except ConfigurationError as error:  # was taken out of the file of tenants, or its entry is spoilt
        event(_log, "caller.unknown", level=logging.ERROR, key=key.id, error=str(error))
        detail = f"The customer of the key {key.id} is not known here."
        raise Problem(HTTPStatus.FORBIDDEN, "unknown_customer", detail, "Ask whoever runs the service.") from error


Reads: Any = Annotated[Caller, Depends(calling(AccessScope.READ))]
Writes: Any = Annotated[Caller, Depends(calling(AccessScope.WRITE))]
Deletes: Any = Annotated[Caller, Depends(calling(AccessScope.DELETE))]
Hooks: Any = Annotated[Caller, Depends(calling(AccessScope.WEBHOOKS))]
