"""Delivers revisions to webhooks: in order, at least once, with pauses that grow. Never follows redirects.

Each hook has its own course, so that a slow receiver delays nobody else. How far it got is written after each try; a
process that is killed goes on where it was, and may deliver once more what was delivered already, with the same id.
Retrying is done here and not by a library, because pauses and tries outlive the process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from anyio import to_thread

from app import __version__
from app.errors import AppError, NotFound
from app.webhooks import signature
from app.webhooks.address import ForbiddenAddress, target_of
from app.webhooks.hooks import Hook, Hooks

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 3600.0
_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one try may take, how many there are, and the pause after the first; all times in seconds."""

    seconds: float = 10.0
    tries: int = 12
    first_pause: float = 5.0
    poll: float = 0.5

    def pause(self, tries: int) -> float:
        """The pause after so many tries: doubled each time, to an hour, and up to a half shorter by chance."""
        longest = min(_LONGEST_PAUSE, self.first_pause * 2.0 ** min(tries - 1, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


class Deliverer:
    """Tells the hooks of each revision for as long as `run` runs.

    `head` gives the number of the newest revision (0 for none), `body` what is sent about a revision; both may block.
    """

    def __init__(self, hooks: Hooks, head: Callable[[], int], body: Callable[[int], bytes], policy: Policy) -> None:
        self._hooks = hooks
        self._head = head
        self._body = body
        self._policy = policy

    async def run(self) -> None:
        """Deliver until cancelled. Looks for hooks now and then; does nothing else while there are none."""
        while True:
            try:
                if self._hooks.ids():
                    await self._deliver_while_there_are_hooks()
            except (AppError, OSError):
                log.exception("webhooks cannot be delivered; tried again")
            await asyncio.sleep(self._policy.poll)

    async def _deliver_while_there_are_hooks(self) -> None:
        """Give each hook its course, if no other process does."""
        with self._hooks.delivering() as ours:
            if not ours:
                return
            courses: dict[str, asyncio.Task[None]] = {}
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(client_for(self._policy))
                stack.push_async_callback(_stop, courses)
                while ids := self._hooks.ids():
                    for identity in ids:
                        if identity not in courses or courses[identity].done():
                            courses[identity] = asyncio.create_task(self._course(identity, client))
                    await _stop({identity: courses.pop(identity) for identity in [*courses] if identity not in ids})
                    await asyncio.sleep(self._policy.poll)

    async def _course(self, identity: str, client: httpx.AsyncClient) -> None:
        """Deliver to one hook until it is removed."""
        while True:
            try:
                if not await self._step(identity, client):
                    await asyncio.sleep(self._policy.poll)
            except NotFound:
                return
            except Exception:
                log.exception(
                    "webhook %s: a delivery could not be made or written down; tried again",
                    identity,
                    extra={"webhook": identity},
                )
                await asyncio.sleep(self._policy.first_pause)

    async def _step(self, identity: str, client: httpx.AsyncClient) -> bool:
        """Make the delivery that is due, once; False when none is."""
        hook = self._hooks.get(identity)
        state = self._hooks.state(identity)
        revision = state.due(await to_thread.run_sync(self._head))
        if revision is None or state.next_at > time.time():
            return False
        body = await to_thread.run_sync(self._body, revision)
        error = await send(
            client, hook, f"msg_{hook.id}_{revision}", body, seconds=self._policy.seconds, private=self._hooks.private
        )
        if error is None:
            await to_thread.run_sync(self._hooks.change, identity, lambda state: state.delivered(revision))
            return True
        next_at = time.time() + self._policy.pause(state.tries + 1)
        after = await to_thread.run_sync(
            self._hooks.change,
            identity,
            lambda state: state.failed(
                revision, error, next_at=next_at, at=datetime.now(UTC), tries=self._policy.tries
            ),
        )
        log.log(
            logging.INFO if after.trying else logging.WARNING,
            "webhook %s: revision %d was not delivered (%s), %s",
            identity,
            revision,
            error,
            f"try {after.tries}" if after.trying else "given up",
            extra={"webhook": identity, "revision": revision},
        )
        return True


def client_for(policy: Policy) -> httpx.AsyncClient:
    """A client that takes nothing from the environment, keeps no connection and follows no redirect."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=policy.seconds,
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"User-Agent": f"slmkg/{__version__}"},
    )


async def send(
    client: httpx.AsyncClient, hook: Hook, delivery: str, body: bytes, *, seconds: float, private: bool
) -> str | None:
    """Try one delivery; return what went wrong, in words, or None. Nothing of the answer but its status is read."""
    try:
        async with asyncio.timeout(seconds):
            target = await target_of(hook.url, private=private)
            request = client.build_request(
                "POST",
                target.url,
                content=body,
                headers={
                    "Host": target.host,
                    "Content-Type": _MEDIA_TYPE,
                    **signature.headers(hook.secret, delivery, int(time.time()), body),
                },
                extensions={"sni_hostname": target.name},
            )
            response = await client.send(request, stream=True)
            await response.aclose()
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except ForbiddenAddress as error:
        return str(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"no answer: {type(error).__name__}"
    if response.is_success:
        return None
    if response.is_redirect:
        return f"status {response.status_code}: redirects are not followed"
    return f"status {response.status_code}"


async def send_test(hooks: Hooks, identity: str, body: bytes, policy: Policy) -> str | None:
    """Send one delivery outside the order, to try a hook; return what went wrong, or None. NotFound."""
    hook = hooks.get(identity)
    async with client_for(policy) as client:
        return await send(
            client, hook, f"test_{secrets.token_hex(8)}", body, seconds=policy.seconds, private=hooks.private
        )


async def _stop(courses: dict[str, asyncio.Task[None]]) -> None:
    for course in courses.values():
        course.cancel()
    await asyncio.gather(*courses.values(), return_exceptions=True)
