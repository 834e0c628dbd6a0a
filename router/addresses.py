"""Addresses that customers may write: which object each leads to, and that it is their own.

``uploads/TENANT/NAME``
    An object of the upload bucket, in the customer's own folder.
``gs://BUCKET/NAME``
    The same by the bucket's full name; or an object below one of the customer's ``sources``.  ``#``, ``%`` and what
    else an address cannot bear is percent-encoded; ``#GENERATION`` may follow.
``upload:ID``
    What the customer put at the address that ``POST /v1/uploads`` gave.

Whether there is such an object is for the caller to find out.  What is another customer's is refused in the same words
as what does not exist.
"""

import re
from typing import Final

from earmark.address import Address, read_address
from earmark.errors import InputFault, InputRejected, InvalidName
from earmark.named_file import printable
from earmark.object_names import checked_name
from router.tenant import Tenant

UPLOADS: Final = "uploads"
"""What the upload bucket is called here, whatever its full name."""
DIRECT: Final = "direct"
"""Folder, below the tenant's, of what came by ``POST /v1/uploads``; each is named by the id of its upload."""
BY_CONTENT: Final = "by-content"
"""Folder, below the tenant's, of copies that we put there; each is named by its SHA-256 and routed by who put it."""
MAX_ADDRESS_CHARS: Final = 4096
_SHOWN_CHARS: Final = 200
_PLACED: Final = re.compile(rf"[^/]+/{BY_CONTENT}/[0-9a-f]{{64}}(-[^/]*)?")
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_REMEDY: Final = "Name audio of your own: upload:ID, uploads/{tenant}/NAME, or gs://BUCKET/NAME of a source of yours."


def resolve(address: str, tenant: Tenant, *, upload_bucket: str = UPLOADS) -> Address:
    """The object that an address of a customer's leads to.

    Args:
        address: as the customer wrote it.
        tenant: the customer.
        upload_bucket: full name of the upload bucket, for ``gs:`` addresses.

    Returns:
        Its bucket (``uploads`` for the upload bucket, else the full name), name and, where the address has one, its
        generation.

    Raises:
        InputRejected: ``not_found``: it is no address, or not of this customer's.
    """
    found = _read(address, tenant, upload_bucket)
    try:
        checked_name(found.name)
    except InvalidName:
        raise _refused(address, tenant) from None
    if not _owns(tenant, found.bucket, found.name):
        raise _refused(address, tenant)
    return found


def resolve_prefix(address: str, tenant: Tenant, *, upload_bucket: str = UPLOADS) -> Address:
    """The bucket and the beginning of all names that a customer's prefix means.

    ``uploads/TENANT`` and ``uploads/TENANT/`` are the customer's whole folder; ``uploads/TENANT/albums/19`` is every
    name that begins so.

    Raises:
        InputRejected: ``not_found``: it is no prefix, or reaches beyond what is the customer's.
    """
    if address.startswith("upload:"):
        raise _refused(address, tenant)
    found = _read(address, tenant, upload_bucket)
    if found.generation is None:
        for folder in _folders(tenant, found.bucket):
            if found.name.startswith(folder) and _lists(found.name):
                return found
            if folder == f"{found.name}/":
                return found._replace(name=folder)
    raise _refused(address, tenant)


def is_placed(name: str) -> bool:
    """Whether an object of the upload bucket is a copy that we put there ourselves."""
    return _PLACED.fullmatch(name) is not None


def shown(address: str) -> str:
    """An address as text that can be printed and stored, its beginning where it is long."""
    text = printable(address[: _SHOWN_CHARS + 1])
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _read(address: str, tenant: Tenant, upload_bucket: str) -> Address:
    if len(address) > MAX_ADDRESS_CHARS:
        raise _refused(address, tenant)
    if address.startswith("gs://"):
        try:
            found = read_address(address)
        except InputRejected:
            raise _refused(address, tenant) from None
        return found._replace(bucket=UPLOADS) if found.bucket in {upload_bucket, UPLOADS} else found
    kind, _, rest = address.partition(":")
    if kind == "upload" and _ID.fullmatch(rest):
        return Address(UPLOADS, f"{tenant.name}/{DIRECT}/{rest}", None)
    bucket, _, name = address.partition("/")
    if bucket != UPLOADS:
        raise _refused(address, tenant)
    return Address(UPLOADS, name, None)


def _owns(tenant: Tenant, bucket: str, name: str) -> bool:
    return any(name.startswith(folder) for folder in _folders(tenant, bucket))


def _folders(tenant: Tenant, bucket: str) -> list[str]:
    """What is the customer's in a bucket: beginnings of names that end with a slash; ``""`` = all of it."""
    if bucket == UPLOADS:
        return [f"{tenant.name}/"]
    sources = map(read_address, tenant.sources)
    return [source.name for source in sources if source.bucket == bucket]


def _lists(prefix: str) -> bool:
    """Whether names can begin so."""
    try:
        checked_name(f"{prefix}x")
    except InvalidName:
        return False
    return True


def _refused(address: str, tenant: Tenant) -> InputRejected:
    message = f"There is no audio of yours at {shown(address)}"
    return InputRejected(InputFault.NOT_FOUND, message, _REMEDY.replace("{tenant}", tenant.name), own=address)
