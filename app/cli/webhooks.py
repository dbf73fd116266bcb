"""Commands about webhooks: add, list, remove, test, dead, retry. A secret is printed once, when it is made."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.curate.commit import head_number
from app.outcomes import EXIT_FAILURE
from app.settings import Settings
from app.web.webhooks import policy_of, test_body
from app.webhooks.delivery import send_test
from app.webhooks.hooks import Hook, Hooks

app = typer.Typer(
    help="Tell other services, over HTTP and signed, what was committed. A running service delivers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the webhook, as `slmkg webhooks list` shows it.")]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Where to send: https, without user, password and fragment.")],
    secret: Annotated[
        str | None,
        typer.Option("--secret", help="whsec_ and base64 of 24 to 64 bytes; made and printed when left out."),
    ] = None,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, help="Tell of the revisions after this one; of those to come when left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a webhook and print its secret, unless you brought it."""
    services = opened(Settings())
    head = head_number(services.store)
    hook = services.hooks.add(
        url, cursor=head if after is None else min(after, head), now=services.now(), secret=secret
    )
    if as_json:
        write_json(_described(services.hooks, hook) | ({} if secret else {"secret": hook.secret}))
        return
    if secret is None:
        write(hook.secret)
    console.print(f"webhook {hook.id} to {hook.url}. Its secret is not shown again.", markup=False, soft_wrap=True)


@app.command("list")
def list_hooks(as_json: Json = False) -> None:
    """List the webhooks, oldest first, and how far each has been told."""
    hooks = opened(Settings()).hooks
    found = [_described(hooks, hook) for hook in hooks.list()]
    if as_json:
        write_json(found)
        return
    for one in found:
        trouble = f"try {one['tries']} of revision {one['trying']} failed: {one['error']}" if one["trying"] else "well"
        write(f"{one['id']}\t{one['url']}\ttold up to {one['cursor']}\t{one['dead']} dead letters\t{trouble}")
    if not found:
        console.print("no webhook yet: run `slmkg webhooks add URL`")


@app.command("remove")
def remove(identity: Id, as_json: Json = False) -> None:
    """Forget a webhook, its secret and its dead letters."""
    hook = opened(Settings()).hooks.remove(identity)
    if as_json:
        write_json({"removed": hook.id})
    else:
        write(f"removed {hook.id}")


@app.command("test")
def try_it(identity: Id, as_json: Json = False) -> None:
    """Send one signed delivery of type `test` now; exit with 1 when it does not arrive."""
    services = opened(Settings())
    error = asyncio.run(send_test(services.hooks, identity, test_body(services), policy_of(services)))
    if as_json:
        write_json({"delivered": error is None, "error": error})
    elif error is None:
        write("delivered")
    else:
        console.print(f"not delivered: {error}", markup=False, soft_wrap=True)
    if error is not None:
        raise typer.Exit(EXIT_FAILURE)


@app.command("dead")
def dead(identity: Id, as_json: Json = False) -> None:
    """List what was given up for a webhook, oldest first."""
    found = opened(Settings()).hooks.state(identity).dead
    if as_json:
        write_json([asdict(one) for one in found])
        return
    for one in found:
        write(f"{one.revision}\t{one.at}\t{one.tries} tries\t{one.error}")
    if not found:
        console.print("nothing was given up")


@app.command("retry")
def retry(
    identity: Id,
    revision: Annotated[int | None, typer.Option("--revision", min=1, help="Only that of one revision.")] = None,
    as_json: Json = False,
) -> None:
    """Have dead letters tried again, all or one, before what is new."""
    count = opened(Settings()).hooks.retry(identity, revision)
    if as_json:
        write_json({"retried": count})
    else:
        write(f"{count} to be tried again")


def _described(hooks: Hooks, hook: Hook) -> dict[str, object]:
    """A webhook without its secret."""
    state = hooks.state(hook.id)
    return {
        "id": hook.id,
        "url": hook.url,
        "created": hook.created,
        "cursor": state.cursor,
        "trying": state.trying,
        "tries": state.tries,
        "error": state.error,
        "again": list(state.again),
        "dead": len(state.dead),
    }
