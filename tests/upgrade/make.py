"""Makes a small data folder with the code of whatever version of slmkg comes first on the path.

    git archive COMMIT | tar x -C OLD && PYTHONPATH=OLD python -P tests/upgrade/make.py FOLDER

It uses what that version had: two revisions of the example graph, then keys, a webhook, a release, a proposal, a job, a
schedule, an archive of the ORKG and a push. Each part that the version lacks is left out, and said so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

FIRST = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECOND = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AUTHOR = "https://w3id.org/slmkg/resource/agent/slmkg-team"
NOTE = "http://www.w3.org/2004/02/skos/core#editorialNote"
NEEDED = ("#type", "#inScheme", "#notation", "#trustRank", "/hasQuantityKind", "#subClassOf")
"""Ends of the predicates of ontology and concepts that are kept: the folder shall be small, and still be curated."""
GRAPH = "https://w3id.org/slmkg/graph/"
SUBJECT = "https://w3id.org/slmkg/resource/architecture/examplelm-135m"


def revisions(folder: Path, services: Any) -> None:
    """Two revisions: the example, and a note in it."""
    files, changes, rdf = (import_module(f"app.{name}") for name in ("store.files", "model.changes", "model.rdf"))
    root = Path(import_module("app").__file__ or "").parents[1]
    ours = [
        *files.read_rdf(root / "tests/fixtures/example.trig"),
        *files.read_rdf(root / "ontology/slmkg.ttl", rdf.iri(f"{GRAPH}ontology")),
        *files.read_rdf(root / "ontology/vocab.ttl", rdf.iri(f"{GRAPH}vocab")),
        *files.read_rdf(root / "ontology/units.ttl", rdf.iri(f"{GRAPH}vocab")),
    ]
    large = {f"{GRAPH}ontology", f"{GRAPH}vocab"}
    quads = frozenset(
        quad for quad in ours if quad.graph_name.value not in large or quad.predicate.value.endswith(NEEDED)
    )
    services.store.apply(changes.ChangeSet(quads, frozenset(), "the example", AUTHOR, FIRST), expect=0)
    note = rdf.Quad(rdf.iri(SUBJECT), rdf.iri(NOTE), rdf.Literal("the second revision"), rdf.iri(f"{GRAPH}registry"))
    change = changes.ChangeSet(frozenset({note}), frozenset(), "a note", AUTHOR, SECOND)
    services.store.apply(change, expect=1)


def keys(folder: Path, services: Any) -> None:
    """A key that is valid and one that was revoked."""
    scope = import_module("app.access").Scope
    chosen = next(one for one in ("PROPOSE", "UPDATE", "ADMIN") if hasattr(scope, one))
    for name in ("Ada", "Bob"):
        made = services.keys.create(name, (getattr(scope, chosen),), FIRST)
        (folder.parent / f"{name.lower()}.key").write_text(made[1], encoding="ascii")
    services.keys.revoke(next(key.id for key in services.keys.list() if key.name == "Bob"), SECOND)


def webhook(folder: Path, services: Any) -> None:
    """A webhook with a dead letter."""
    hook = services.hooks.add("https://example.org/hook", cursor=0, now=FIRST)
    services.hooks.change(hook.id, lambda state: state.failed(1, "status 500", next_at=0, at=FIRST, tries=1))


def release(folder: Path, services: Any) -> None:
    """A release of the first revision."""
    services.releases.make("2026.11", 1)


def proposal(folder: Path, services: Any) -> None:
    """A proposal that is open."""
    people = import_module("tests.curate.people")
    wanted = people.request("examplelm-135m", "hiddenSize", 640)
    people.proposed(services, wanted)


def jobs(folder: Path, services: Any) -> None:
    """A job that waits and one that was cancelled, and a schedule."""
    making, schedules = import_module("tests.jobs.making"), import_module("app.jobs.schedules")
    services.jobs.submit(making.plan(50), making.ADA, key="once")
    services.jobs.cancel(services.jobs.submit(making.plan(128), making.BOB)[0].id)
    schedules.Schedules(services.jobs).add("0 3 * * 1", making.plan(50), making.ADA)
    services.jobs.database.close()


def push(folder: Path, services: Any) -> None:
    """A push to the ORKG that was carried out, and what it made."""
    outbox = services.orkg_outbox()
    number = outbox.begin("sandbox.orkg.org", "0" * 64, "{}", by=AUTHOR, account="ada")
    outbox.remember("sandbox.orkg.org", "paper", "R1")
    outbox.end(number)
    outbox.close()


def main(folder: Path) -> None:
    """Make the folder."""
    settings = import_module("app.settings").Settings(data_dir=folder)
    services = import_module("app.wiring").build(settings)
    parts: list[Callable[[Path, Any], None]] = [revisions, keys, webhook, release, proposal, jobs, push]
    for part in parts:
        try:
            part(folder, services)
            done = "made"
        except (ModuleNotFoundError, AttributeError) as error:
            done = f"left out: {error}"
        sys.stdout.write(f"{part.__name__}: {done}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
