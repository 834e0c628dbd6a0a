"""``Caller``: whose key a request bears, checked and within its limits before an endpoint sees anything of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from router.access_scopes import AccessScope
from router.tenants import Tenant
from runtime.endpoints.parts import parts_of

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
        found = Caller(parts.tenants.find(key.tenant), key.id, key.scopes)
        headers = parts.limiting.admit(found.tenant)
        response.headers.update(headers)
        request.state.limit_headers = headers  # for answers that an endpoint makes itself
        return found

    return caller


Reads: Any = Annotated[Caller, Depends(calling(AccessScope.READ))]
Writes: Any = Annotated[Caller, Depends(calling(AccessScope.WRITE))]
Deletes: Any = Annotated[Caller, Depends(calling(AccessScope.DELETE))]
Hooks: Any = Annotated[Caller, Depends(calling(AccessScope.WEBHOOKS))]
