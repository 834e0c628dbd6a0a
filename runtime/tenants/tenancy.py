"""``open_tenants``: the customers of the file that is set, and those that were added by command."""

from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from router.tenants import Tenants
from runtime.backend import Backend


def open_tenants(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Tenants:
    """All customers.

    Raises:
        ConfigurationError: the file cannot be read, or a tenant in it is wrong.
    """
    return Tenants(settings.tenants, backend.state, clock)
