"""Commands about keys: create, list, revoke. A key is printed once, when it is made, and is nowhere to be had again."""

from __future__ import annotations

from typing import Annotated

import typer

from app.access import Key, Scope
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.settings import Settings

app = typer.Typer(
    help="Make, list and revoke the keys that let somebody write, or ask more.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the list of keys.")],
    scope: Annotated[list[Scope], typer.Option("--scope", help="What the key may do; may be given several times.")],
    orcid: Annotated[str | None, typer.Option("--orcid", help="ORCID iD of the person whose key it is.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it. It is shown this once: only a hash of it is kept."""
    services = opened(Settings())
    key, token = services.keys.create(name, tuple(scope), services.now(), orcid=orcid)
    if as_json:
        write_json({**_described(key), "key": token})
        return
    write(token)
    console.print(f"key {key.id} for {key.name}: {', '.join(key.scopes)}. It is not shown again.", markup=False)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys, oldest first, without what opens them."""
    keys = opened(Settings()).keys.list()
    if as_json:
        write_json([_described(key) for key in keys])
        return
    for key in keys:
        state = f"revoked {key.revoked}" if key.revoked else "valid"
        write(f"{key.id}\t{key.name}\t{','.join(key.scopes)}\t{key.created}\t{state}")
    if not keys:
        console.print("no key yet: run `slmkg keys create NAME --scope update`")


@app.command("revoke")
def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as `slmkg keys list` shows it.")],
    as_json: Json = False,
) -> None:
    """Make a key useless for ever, at once, also for a service that is running."""
    services = opened(Settings())
    key = services.keys.revoke(identity, services.now())
    if as_json:
        write_json(_described(key))
    else:
        write(f"revoked {key.id}")


def _described(key: Key) -> dict[str, object]:
    """A key without its hash."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "orcid": key.orcid,
        "agent": key.agent.iri.value,
        "created": key.created,
        "revoked": key.revoked,
    }
