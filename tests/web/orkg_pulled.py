"""A data folder into which the fictional R753434 was pulled, with the mapping that a person would confirm."""

from __future__ import annotations

from pathlib import Path

from app.orkg.archive import Archive
from app.orkg.mapping import write_pinned
from app.orkg.pull import pull
from app.services import Services
from tests.curate.orkg_world import COMPARISON, NOW, confirmed
from tests.orkg.pushing import Place, place

HOST = "orkg.test"
PLAN = f"/api/v1/orkg/{HOST}/{COMPARISON}"
PAGE = f"/orkg/{HOST}/{COMPARISON}"


def pull_into(services: Services, there: Place | None = None) -> Path:
    """Pull it from a double in this process; the folder of its archive."""
    if there is None:
        with place("r753434") as fresh:
            return pull_into(services, fresh)
    archive = Archive(services.settings.data_dir, HOST, COMPARISON)
    with there.client() as reader:
        pulled = pull(reader, COMPARISON, now=NOW)
    archive.keep(pulled)
    write_pinned(archive.folder, confirmed(services, pulled))
    return archive.folder
