"""``asked_with``: a small JSON body that is read and checked once it is known who asks.

The framework reads the body that an endpoint declares before it asks any dependency, so that whoever has no key would
have a body read and learn what is wrong with it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

Body = TypeVar("Body", bound=BaseModel)
_JSON = "application/json"


def asked_with(model: type[Body], caller: Any) -> Callable[..., Awaitable[Body]]:
    """A dependency: the body as that model.

    Args:
        model: what it must be.
        caller: who may ask: ``Reads``, ``Writes``, ``Deletes`` or ``Hooks``, the same as the endpoint's.

    Raises:
        RequestValidationError: from the dependency, where the body is no such thing.
    """
    checked = get_args(caller)[1]

    async def read(request: Request, _: Any = checked) -> Body:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise RequestValidationError([{"loc": ("body",), "msg": f"Send it as {_JSON}", "type": "media_type"}])
        try:
            return model.model_validate_json(await request.body())
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in faults]) from None

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """The body for the OpenAPI page, in the place of what the framework would say."""
    schema = whole_schema(model)
    example = schema.pop("example", None)
    content = {"schema": schema} | ({} if example is None else {"example": example})
    return {"requestBody": {"required": True, "content": {_JSON: content}}}


def whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model as a JSON schema that refers to nothing outside of itself."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            return inlined(definitions[name]) if name else {key: inlined(value) for key, value in part.items()}
        return [inlined(each) for each in part] if isinstance(part, list) else part

    found: dict[str, Any] = inlined(schema)
    return found
