"""Fetches the two small files of a model from the Hugging Face hub. Only the command line calls it, never a request.

Needs the extra `hub`. The address is the hub's, or what `HF_ENDPOINT` says.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from app.errors import AppError, BadParameter, HubUnavailable
from app.ingest.huggingface.files import CARD, CONFIG, Files, check_repository, text_of
from app.ingest.huggingface.places import MAX_BYTES

_SECONDS = 20


def fetch(repository: str, *, revision: str | None = None, endpoint: str | None = None) -> Files:
    """The configuration and the card of a model at a revision (the newest by default), with the commit.

    `endpoint` is another hub's address. BadParameter for an id or revision that the hub does not know, HubUnavailable.
    """
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
    api = hub.HfApi(endpoint=endpoint, token=False)
    try:
        info = api.model_info(repository, revision=revision, timeout=_SECONDS, files_metadata=True)
        sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
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
    if not texts:
        raise BadParameter("repository", f"{repository} has neither {CONFIG} nor {CARD}", advice="Check the id.")
    dated = info.last_modified.date().isoformat() if info.last_modified and revision is None else None
    return Files(texts, repository, info.sha, dated)


def _check_sizes(repository: str, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        if size > MAX_BYTES:
            raise BadParameter(
                "repository",
                f"{name} of {repository} is larger than {MAX_BYTES} bytes",
                advice="Neither file is so large.",
            )
