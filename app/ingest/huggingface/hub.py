"""Fetches files of a model from the Hugging Face hub. Only the command line calls it, never a request.

Needs the extra `hub`. The address is the hub's, or what `HF_ENDPOINT` says.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from app.errors import AppError, BadParameter, HubUnavailable, NoRoom
from app.ingest.huggingface.files import CARD, CONFIG, Files, check_repository, text_of
from app.ingest.huggingface.places import MAX_BYTES

_SECONDS = 20
_OF_A_MODEL = ("*.json", "*.safetensors", "*.model", "*.txt")
"""Files that make a model measurable; code is never fetched."""


def fetch(repository: str, *, revision: str | None = None, endpoint: str | None = None) -> Files:
    """The configuration and the card of a model at a revision (the newest by default), with the commit.

    `endpoint` is another hub's address. BadParameter for an id or revision that the hub does not know, HubUnavailable.
    """
    with _asking(repository, revision, endpoint) as (api, info, sizes):
        wanted = [name for name in (CONFIG, CARD) if name in sizes]
        _check_sizes(repository, {name: sizes[name] for name in wanted})
        with tempfile.TemporaryDirectory() as folder:
            texts = {
                name: text_of(
                    Path(
                        api.hf_hub_download(
                            repository, name, revision=info.sha, cache_dir=folder, etag_timeout=_SECONDS, token=False
                        )
                    ).read_bytes(),
                    f"{repository}/{name}",
                )
                for name in wanted
            }
    if not texts:
        raise BadParameter("repository", f"{repository} has neither {CONFIG} nor {CARD}", advice="Check the id.")
    dated = info.last_modified.date().isoformat() if info.last_modified and revision is None else None
    return Files(texts, repository, info.sha, dated)


def download(
    repository: str, folder: Path, *, file: str | None = None, revision: str | None = None, endpoint: str | None = None
) -> Path:
    """Fetch one file of a model, or the files that make it measurable, and return where they lie below `folder`.

    They lie in a folder of their repository and commit; what is there already is not fetched again, and a fetch that
    was cut off goes on. Errors as `fetch`, and NoRoom before anything is fetched.
    """
    with _asking(repository, revision, endpoint) as (api, info, sizes):
        wanted = [name for name in sizes if name == file or (file is None and _is_of_model(name))]
        if not wanted:
            raise BadParameter(
                "--weights",
                f"{repository} has no {file or 'weights in safetensors'}",
                advice=f"It has: {', '.join(sorted(sizes)[:20])}.",
            )
        target = folder / f"{repository.replace('/', '--')}-{info.sha[:12]}"
        target.mkdir(parents=True, exist_ok=True)
        missing = [name for name in wanted if not (target / name).is_file()]
        needed, free = sum(sizes[name] for name in missing), shutil.disk_usage(target).free
        if needed > free:
            raise NoRoom(f"{repository}", needed=needed, free=free)
        for name in missing:
            api.hf_hub_download(
                repository, name, revision=info.sha, local_dir=target, etag_timeout=_SECONDS, token=False
            )
    return target / file if file else target


def _is_of_model(name: str) -> bool:
    """Files of the repository's own folder only: other folders hold the same weights in other forms."""
    return "/" not in name and any(fnmatch(name, pattern) for pattern in _OF_A_MODEL)


@contextmanager
def _asking(repository: str, revision: str | None, endpoint: str | None) -> Iterator[tuple[Any, Any, dict[str, int]]]:
    """Give what speaks with the hub, what it knows of the model, and its files' bytes; turn its errors into ours."""
    check_repository(repository)
    try:
        import huggingface_hub as hub  # noqa: PLC0415 - an extra: only who asks the hub needs it
        from huggingface_hub.errors import (  # noqa: PLC0415
            EntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError as error:
        raise HubUnavailable(
            "what speaks with the hub is not installed", advice="pip install 'slmkg[hub]', or give a file or folder."
        ) from error
    try:
        api = hub.HfApi(endpoint=endpoint, token=False)
        info = api.model_info(repository, revision=revision, timeout=_SECONDS, files_metadata=True)
        yield api, info, {one.rfilename: one.size or 0 for one in info.siblings or ()}
    except AppError:
        raise
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        at = f" at {revision}" if revision else ""
        raise BadParameter(
            "repository", f"the hub knows no {repository}{at}", advice="Check the id, or whether it needs a login."
        ) from error
    except Exception as error:  # the library's transport has errors of its own, which differ by version
        raise HubUnavailable(
            f"the hub does not answer as it should: {type(error).__name__}",
            advice="Check the network, or give a file or folder.",
        ) from error


def _check_sizes(repository: str, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        if size > MAX_BYTES:
            raise BadParameter(
                "repository",
                f"{name} of {repository} is larger than {MAX_BYTES} bytes",
                advice="Neither file is so large.",
            )
