"""A small API: the local backend in a folder, a clock that stands still, customers with keys, and clients for them.

::

    @pytest.fixture
    def api(tmp_path: Path) -> Iterator[ApiWorld]:
        with ApiWorld(tmp_path) as world:
            yield world

    def test_hears(api: ApiWorld) -> None:
        acme = api.client("acme")          # registered as enterprise, with a key of all scopes
        assert acme.get("/v1/analyses").status_code == 200
"""

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI
from starlette.testclient import TestClient

from earmark.domain import Job, Record
from earmark.settings import Settings
from earmark.vocabulary import Lane, Tier
from router.access_scopes import AccessScope
from router.keys import Keys
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from runtime.api.app import make_api
from runtime.api.parts import make_parts
from runtime.backend import Backend
from runtime.endpoints.parts import ApiParts
from runtime.wiring import connect
from tests.clock import ManualClock
from workers.settle import read_record


class ApiWorld:
    """The API over stores in a folder; nothing listens on a port, and no worker runs."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Open the stores; further arguments are settings."""
        self.settings = Settings(data=folder / "data", synchronous="NORMAL", **settings)
        self.clock = ManualClock()
        self.backend: Backend = connect(self.settings, self.clock)
        self._made: dict[tuple[str, frozenset[AccessScope]], str] = {}
        self._clients = ExitStack()

    @cached_property
    def parts(self) -> ApiParts:
        """The parts; replace some of them (``world.use(…)``) before ``app`` is looked at."""
        return make_parts(self.settings, self.backend, self.clock)

    def use(self, **parts: Any) -> None:
        """Put other parts in place of some."""
        self.__dict__["parts"] = replace(self.parts, **parts)

    @cached_property
    def app(self) -> FastAPI:
        """The application."""
        return make_api(self.parts)

    def tenant(self, name: str, tier: Tier = Tier.ENTERPRISE, **fields: Any) -> Tenant:
        """Register a customer; the same again changes nothing."""
        tenant = Tenant(name=name, tier=tier, **fields)
        TenantRegister(self.backend.state).add(tenant)
        return tenant

    def key(self, tenant: str, scopes: Collection[AccessScope] = frozenset(AccessScope)) -> str:
        """The text of a key of a customer with these scopes, made once."""
        known = tenant, frozenset(scopes)
        if known not in self._made:
            if TenantRegister(self.backend.state).find(tenant) is None:
                self.tenant(tenant)
            keys = Keys(self.backend.state, self.clock)
            new = keys.draft(tenant, scopes)
            keys.add(new)
            self._made[known] = new.text.get_secret_value()
        return self._made[known]

    def client(self, tenant: str, scopes: Collection[AccessScope] = frozenset(AccessScope)) -> TestClient:
        """A client with such a key; a customer that is not registered is added as enterprise first."""
        client = self.anybody()
        client.headers["Authorization"] = f"Bearer {self.key(tenant, scopes)}"
        return client

    def anybody(self) -> TestClient:
        """A client without a key; what the application does not expect is answered 500 and not raised."""
        return self._clients.enter_context(TestClient(self.app, raise_server_exceptions=False))

    def waiting(self, lane: Lane) -> list[Job]:
        """The jobs that wait in a lane, left there."""
        leases = self.backend.lanes[lane].lease(1000, 60)
        for lease in leases:
            self.backend.lanes[lane].release(lease)
        return [lease.job for lease in leases]

    def record(self, tenant: str, job_id: str) -> Record | None:
        """The stored record of a job."""
        return read_record(self.backend.results, tenant, job_id)

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the clients."""
        self._clients.close()
