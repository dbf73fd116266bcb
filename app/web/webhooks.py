"""REST for webhooks, for administrators only; what is sent to them; and the task that delivers. Only HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, FastAPI, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from app.access import Scope
from app.curate.commit import head_number
from app.services import Services
from app.web import problems
from app.web.caching import Use
from app.web.clients import Asking
from app.web.history import change_of
from app.web.parameters import strict
from app.web.writing import json_of
from app.webhooks.delivery import Deliverer, Policy, send_test
from app.webhooks.hooks import Hook, State

HOOKS = "/api/v1/webhooks"
HOOK = "/api/v1/webhooks/{id}"

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", description="Id of the webhook.")]


class NewHook(BaseModel):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid", title="NewWebhook")

    url: str = Field(max_length=2000, description="Where to send: https, without user, password and fragment.")
    secret: str | None = Field(
        None, max_length=200, description="whsec_ and base64 of 24 to 64 bytes; made when left out."
    )
    after: int | None = Field(
        None, ge=0, le=10**9, description="Tell of the revisions after this one; of those to come when left out."
    )


class Retry(BaseModel):
    """Which dead letters to try again."""

    model_config = ConfigDict(extra="forbid", title="Retry")

    revision: int | None = Field(None, ge=1, le=10**9, description="That of one revision; all when left out.")


class DeadLetter(BaseModel):
    """A delivery that was given up."""

    revision: int
    tries: int
    error: str
    at: str


class Webhook(BaseModel):
    """An address that is told of each revision. Its secret is not shown."""

    id: str
    url: str
    created: str
    cursor: int = Field(description="Newest revision that was delivered or given up.")
    trying: int | None = Field(description="The revision whose delivery failed and is tried again.")
    tries: int = Field(description="How often it failed.")
    error: str | None = Field(description="What went wrong the last time.")
    again: list[int] = Field(description="Dead letters that are tried again.")
    dead: int = Field(description="Number of dead letters.")


class MadeWebhook(Webhook):
    """A webhook that was just made, with its secret."""

    secret: str = Field(description="What deliveries are signed with. It is not shown again.")


class Webhooks(BaseModel):
    """All webhooks, oldest first."""

    items: list[Webhook]


class DeadLetters(BaseModel):
    """What was given up, oldest first."""

    items: list[DeadLetter]


class Tried(BaseModel):
    """How a test delivery went."""

    delivered: bool
    error: str | None


class Retried(BaseModel):
    """How many dead letters are tried again."""

    retried: int


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    _add(app, "GET", HOOKS, list_hooks, Webhooks, "listWebhooks", "List webhooks")
    _add(app, "POST", HOOKS, add_hook, MadeWebhook, "addWebhook", "Make a webhook", NewHook, status=201)
    _add(app, "GET", HOOK, show_hook, Webhook, "showWebhook", "Show a webhook")
    _add(app, "DELETE", HOOK, remove_hook, None, "removeWebhook", "Remove a webhook", status=204)
    _add(app, "POST", f"{HOOK}/test", test_hook, Tried, "testWebhook", "Send a test to a webhook")
    _add(app, "GET", f"{HOOK}/dead", list_dead, DeadLetters, "listDeadLetters", "List what was given up")
    _add(app, "POST", f"{HOOK}/retry", retry, Retried, "retryDeadLetters", "Try dead letters again", Retry)


@asynccontextmanager
async def delivering(services: Services) -> AsyncIterator[None]:
    """Deliver to the webhooks until the block ends. Without webhooks it only looks whether there are some now."""
    deliverer = Deliverer(
        services.hooks, lambda: head_number(services.store), body_of_revision(services), policy_of(services)
    )
    task = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def policy_of(services: Services) -> Policy:
    """How deliveries are tried, as the settings say."""
    settings = services.settings
    return Policy(settings.webhook_seconds, settings.webhook_tries, settings.webhook_first_pause)


def body_of_revision(services: Services) -> Callable[[int], bytes]:
    """What makes the body of a delivery: the revision as `/api/v1/changes.json` tells of it."""
    root = (services.settings.public_url or "").rstrip("/")

    def body(number: int) -> bytes:
        change = change_of(services, number, root).model_dump(mode="json")
        return _body("revision.committed", change["made_at"], change)

    return body


def test_body(services: Services) -> bytes:
    """What a test delivery holds."""
    return _body("test", services.now().isoformat(), {"revision": head_number(services.store)})


def _body(kind: str, timestamp: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}, ensure_ascii=False).encode()


async def list_hooks(services: Use, client: Asking) -> Response:
    """All webhooks, oldest first, and how far each has been told. Needs the scope `admin`, as all of these do."""
    client.needs(Scope.ADMIN)
    return _answer(Webhooks(items=await to_thread.run_sync(_all, services)))


async def add_hook(request: Request, services: Use, client: Asking) -> Response:
    """Makes a webhook, and shows its secret, this once. It is told of each revision, in order, at least once."""
    client.needs(Scope.ADMIN)
    wanted = await json_of(request, NewHook)

    def make() -> Hook:
        head = head_number(services.store)
        cursor = head if wanted.after is None else min(wanted.after, head)
        return services.hooks.add(wanted.url, cursor=cursor, now=services.now(), secret=wanted.secret)

    hook = await to_thread.run_sync(make)
    made = _shown(hook, services.hooks.state(hook.id)).model_dump()
    return _answer(MadeWebhook(**made, secret=hook.secret), 201, Location=f"{HOOKS}/{hook.id}")


async def show_hook(services: Use, client: Asking, id: Id) -> Response:
    """One webhook, and how far it has been told."""
    client.needs(Scope.ADMIN)
    return _answer(_shown(services.hooks.get(id), services.hooks.state(id)))


async def remove_hook(services: Use, client: Asking, id: Id) -> Response:
    """Forgets a webhook, its secret and its dead letters."""
    client.needs(Scope.ADMIN)
    await to_thread.run_sync(services.hooks.remove, id)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def test_hook(services: Use, client: Asking, id: Id) -> Response:
    """Sends one signed delivery of type `test` now, and tells how it went."""
    client.needs(Scope.ADMIN)
    error = await send_test(services.hooks, id, test_body(services), policy_of(services))
    return _answer(Tried(delivered=error is None, error=error))


async def list_dead(services: Use, client: Asking, id: Id) -> Response:
    """Deliveries that were given up, oldest first."""
    client.needs(Scope.ADMIN)
    dead = services.hooks.state(id).dead
    items = [DeadLetter(revision=one.revision, tries=one.tries, error=one.error, at=one.at) for one in dead]
    return _answer(DeadLetters(items=items))


async def retry(request: Request, services: Use, client: Asking, id: Id) -> Response:
    """Has dead letters tried again, before what is new. They come out of order then; their ids stay the same."""
    client.needs(Scope.ADMIN)
    wanted = await json_of(request, Retry)
    count = await to_thread.run_sync(services.hooks.retry, id, wanted.revision)
    return _answer(Retried(retried=count))


def _all(services: Services) -> list[Webhook]:
    return [_shown(hook, services.hooks.state(hook.id)) for hook in services.hooks.list()]


def _shown(hook: Hook, state: State) -> Webhook:
    return Webhook(
        id=hook.id,
        url=hook.url,
        created=hook.created,
        cursor=state.cursor,
        trying=state.trying,
        tries=state.tries,
        error=state.error,
        again=list(state.again),
        dead=len(state.dead),
    )


def _answer(answer: BaseModel, status: int = 200, **headers: str) -> Response:
    return Response(
        answer.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )


def _add(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Any,
    shape: type[BaseModel] | None,
    name: str,
    summary: str,
    body: type[BaseModel] | None = None,
    *,
    status: int = 200,
) -> None:
    extra: dict[str, Any] = {}
    if body is not None:
        example = {"url": "https://example.org/hooks/slmkg"} if body is NewHook else {}
        content = {"application/json": {"schema": body.model_json_schema(), "example": example}}
        extra = {"requestBody": {"required": True, "content": content}}
    codes = ["bad-parameter", "unauthorized", "forbidden"]
    codes += ["not-found"] if "{id}" in path else []
    codes += ["bad-value", "query-refused", "unsupported-media"] if body is not None else []
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        dependencies=[Depends(strict)],
        operation_id=name,
        summary=summary,
        tags=["Webhooks"],
        status_code=status,
        response_model=shape,
        response_class=JSONResponse if shape is not None else Response,
        responses={status: {"description": "Done."}, **problems.documented(*codes)},
        openapi_extra=extra or None,
    )
