"""Webhooks over HTTP: who is called when analyses and batches end, and what came of the calls."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from earmark.errors import ConfigurationError
from runtime.endpoints.answer_headers import location
from runtime.endpoints.asked import asked_with, described
from runtime.endpoints.caller import Caller, Hooks
from runtime.endpoints.calling_out import Errand
from runtime.endpoints.parts import parts_of
from runtime.endpoints.problem import Problem, answers, not_found
from runtime.endpoints.webhook_models import (
    Delivery,
    DeliveryList,
    ReplayState,
    WebhookList,
    WebhookRequest,
    WebhookState,
    WebhookWithSecret,
    delivery_of,
    state_of,
    with_secret,
)
from runtime.webhooks.desk import WebhookDesk
from runtime.webhooks.endpoint import WebhookEndpoint
from runtime.webhooks.parts import make_desk
from runtime.webhooks.webhook_event import EventType

endpoints = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
WebhookId = Annotated[str, Path(pattern=r"^wh_[0-9a-f]{20}$", description="Id of the webhook.")]
EventId = Annotated[
    str, Path(pattern=r"^evt_[0-9a-f]{32}$", description="Id of the event, the `webhook-id` of its calls.")
]
_WEBHOOK: Final = "webhook"
_DELIVERY: Final = "delivery"
PAGE: Final = 50
TESTS_A_MINUTE: Final = 10
NEW_A_MINUTE: Final = 30
"""Looks at addresses that are to be called."""
MOST: Final = 200
_Asked = Annotated[WebhookRequest, Depends(asked_with(WebhookRequest, Hooks))]
_CURSOR: Final = r"^\d{8}T\d{6}\.\d{6}Z:evt_[0-9a-f]{32}:wh_[0-9a-f]{20}:\d{1,9}$"


@endpoints.post(
    "",
    operation_id="create_webhook",
    summary="Have a server called",
    status_code=HTTPStatus.CREATED,
    openapi_extra=described(WebhookRequest),
    responses={
        201: {"description": "The webhook, with its secret.", "headers": location("Where it is.")},
        **answers(400, 401, 403, 409, 422, 429, 503),
    },
)
async def create_webhook(request: Request, response: Response, caller: Hooks, asked: _Asked) -> WebhookWithSecret:
    """Call a server of yours when analyses and batches end.

    Calls are signed as the Standard Webhooks specification says, with the `secret` that is shown here and never again;
    check them with its libraries.  A call that is not answered 2xx within 20 seconds is made again, ten times in all
    over three days; one that is answered 410 is the last one to that server.  A call may come twice, with the same
    `webhook-id`.
    """
    desk, tenant = _desk(request), caller.tenant.name
    try:
        await run_in_threadpool(desk.endpoints.check_room, tenant)
        await _checked(request, tenant, partial(desk.check, asked.url))
        made = await run_in_threadpool(
            desk.add,
            tenant,
            asked.url,
            events=[EventType(each) for each in asked.events],
            each_of_batches=asked.each_of_batches,
            actor=f"key:{caller.key_id}",
            checked=True,
        )
    except ConfigurationError as error:
        raise Problem(HTTPStatus.CONFLICT, "too_many_webhooks", str(error), "Remove one you do not need.") from None
    response.headers["Location"] = f"{endpoints.prefix}/{made.id}"
    return with_secret(made)


@endpoints.get(
    "",
    operation_id="list_webhooks",
    summary="See which servers are called",
    responses=answers(401, 403, 429, 503),
)
def list_webhooks(request: Request, caller: Hooks) -> WebhookList:
    """All of yours, the oldest first."""
    return WebhookList(webhooks=[state_of(each) for each in _desk(request).endpoints.all(caller.tenant.name)])


@endpoints.get(
    "/{webhook_id}",
    operation_id="get_webhook",
    summary="Look at a webhook",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def get_webhook(request: Request, caller: Hooks, webhook_id: WebhookId) -> WebhookState:
    """One of yours."""
    return state_of(_found(_desk(request), caller, webhook_id))


@endpoints.delete(
    "/{webhook_id}",
    operation_id="delete_webhook",
    summary="Have a server called no more",
    status_code=HTTPStatus.NO_CONTENT,
    responses=answers(401, 403, 404, 422, 429, 503),
)
def delete_webhook(request: Request, caller: Hooks, webhook_id: WebhookId) -> None:
    """Calls that wait are not made any more."""
    desk = _desk(request)
    if not desk.remove(_found(desk, caller, webhook_id), f"key:{caller.key_id}"):
        raise not_found(_WEBHOOK)


@endpoints.post(
    "/{webhook_id}/test",
    operation_id="test_webhook",
    summary="Call a server now",
    responses=answers(401, 403, 404, 409, 422, 429, 503),
)
async def test_webhook(request: Request, caller: Hooks, webhook_id: WebhookId) -> Delivery:
    """Send the event `webhook.test`, once, and say what came of it, within 10 seconds.

    One at a time, and ten a minute.
    """
    desk = _desk(request)
    endpoint = _enabled(await run_in_threadpool(_found, desk, caller, webhook_id))
    errand = Errand(caller.tenant.name, "tests", TESTS_A_MINUTE)
    row = await parts_of(request).calling_out.run(errand, partial(desk.test, endpoint))
    fields = row.model_dump(include={"event", "subject", "attempt", "status", "outcome", "detail", "took_s", "at"})
    return Delivery.model_validate({**fields, "type": row.event_type})


@endpoints.post(
    "/{webhook_id}/rotate",
    operation_id="rotate_webhook_secret",
    summary="Change the secret",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def rotate_webhook_secret(request: Request, caller: Hooks, webhook_id: WebhookId) -> WebhookWithSecret:
    """Give a new secret, shown here and never again.  For 24 hours calls are signed with the one before as well."""
    desk = _desk(request)
    changed = desk.rotate(_found(desk, caller, webhook_id), f"key:{caller.key_id}")
    if changed is None:
        raise not_found(_WEBHOOK)
    return with_secret(changed)


@endpoints.post(
    "/{webhook_id}/enable",
    operation_id="enable_webhook",
    summary="Have a server called again",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def enable_webhook(request: Request, caller: Hooks, webhook_id: WebhookId) -> WebhookState:
    """After it answered 410.  What happened meanwhile is not told."""
    desk = _desk(request)
    changed = desk.enable(_found(desk, caller, webhook_id), f"key:{caller.key_id}")
    if changed is None:
        raise not_found(_WEBHOOK)
    return state_of(changed)


@endpoints.get(
    "/{webhook_id}/deliveries",
    operation_id="list_deliveries",
    summary="See what came of calls",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def list_deliveries(
    request: Request,
    caller: Hooks,
    webhook_id: WebhookId,
    event: Annotated[str, Query(pattern=r"^(evt_[0-9a-f]{32})?$", description="Only about this event.")] = "",
    cursor: Annotated[str, Query(pattern=f"{_CURSOR}|^$", description="`next_cursor` of an earlier answer.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST, description="No more than so many.")] = PAGE,
) -> DeliveryList:
    """The calls of a server, the latest first."""
    parts, desk = parts_of(request), _desk(request)
    found = _found(desk, caller, webhook_id)
    parts.access.record(
        tenant=caller.tenant.name, key_id=caller.key_id, action="webhook.deliveries_read", target=found.id
    )
    rows = desk.deliveries(caller.tenant.name, found.id, event=event, below=cursor, most=limit + 1)
    following = str(rows[limit - 1]["row_id"]) if len(rows) > limit else None
    return DeliveryList(deliveries=[delivery_of(row) for row in rows[:limit]], next_cursor=following)


@endpoints.post(
    "/{webhook_id}/deliveries/{event_id}/replay",
    operation_id="replay_delivery",
    summary="Tell an event once more",
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(401, 403, 404, 409, 422, 429, 503),
)
def replay_delivery(request: Request, caller: Hooks, webhook_id: WebhookId, event_id: EventId) -> ReplayState:
    """Call about an event again, with the same `webhook-id` and body, beginning now.

    What the event was about must still be there, as it was then.
    """
    desk = _desk(request)
    told = desk.replay(_enabled(_found(desk, caller, webhook_id)), event_id, f"key:{caller.key_id}")
    if told is None:
        raise not_found(_DELIVERY)
    return ReplayState(event=told.id, type=told.type.value, subject=told.subject)


def _desk(request: Request) -> WebhookDesk:
    parts = parts_of(request)
    return make_desk(parts.settings, parts.backend, parts.clock, audit=parts.audit)


def _found(desk: WebhookDesk, caller: Caller, webhook_id: str) -> WebhookEndpoint:
    found = desk.endpoints.find(caller.tenant.name, webhook_id)
    if found is None:
        raise not_found(_WEBHOOK)
    return found


def _enabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    if not endpoint.enabled:
        detail = f"This webhook is not called any more: {endpoint.disabled_why}"
        raise Problem(HTTPStatus.CONFLICT, "webhook_disabled", detail, "Enable it first.")
    return endpoint


async def _checked(request: Request, tenant: str, check: Callable[[], None]) -> None:
    errand = Errand(tenant, "new webhooks", NEW_A_MINUTE)
    try:
        await parts_of(request).calling_out.run(errand, check)
    except ConfigurationError as error:
        raise _refused(str(error)) from None


def _refused(why: str) -> Problem:
    remedy = "Give an https:// address of a server on the public net."
    return Problem(HTTPStatus.BAD_REQUEST, "webhook_refused", f"This address is not called: {why}.", remedy)
