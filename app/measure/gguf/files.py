"""The folder of model files: each is made once, under a name that follows from its content, and appears whole.

A file is written under a temporary name, made safe on the disk, checked and renamed; a process that is killed leaves
no half file under a final name. What it leaves under a temporary name is locked while the writer lives, and the next
call removes it. Whether there is room is asked before anything is written.

Never here: measuring, and which models or variants are wanted.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.durable import sync
from app.errors import BadFile, BadParameter, ExtraMissing, NoRoom, PreparationFailed, Unmeasurable
from app.measure.gguf import inspect
from app.measure.gguf.architectures import Blueprint, blueprint
from app.measure.gguf.quantise import quantise
from app.measure.gguf.variants import VARIANTS, Variant, storage, stored_bytes, variant
from app.measure.gguf.write import ALIGNMENT, WRITER, write
from app.measure.values import RandomWeights, RealWeights, Subject
from app.model.architecture import ArchitectureError
from app.model.tensors import parameter_count

Progress = Callable[[str, float], None]
"""Gets what is being done, and the done share of it from 0 to 1."""

_TEMPORARY = ".part"
_F16 = VARIANTS["F16"]
# llama.cpp's file types that hold plain numbers: F32, F16, BF16. Others cannot be quantised again.
_PLAIN = frozenset({0, 1, 32})
_SPARE = 32 * 1024 * 1024  # bytes that stay free on the disk


def prepare(
    subject: Subject, weights: RandomWeights | RealWeights, variant_name: str, folder: Path, progress: Progress
) -> Path:
    """Return the file of a model in a variant, and make it first if it is not in the folder.

    Random weights are written from the facts; of released weights, a GGUF file is taken as it is when it is of that
    variant, and quantised when its numbers are plain. Errors, and then nothing new has a final name: `Unmeasurable`,
    `BadParameter` for a variant, `BadFile` for the released weights, `NoRoom`, `PreparationFailed`, `ExtraMissing`.
    """
    wanted = variant(variant_name)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    if isinstance(weights, RealWeights):
        return _released(subject, weights, wanted, folder, progress)
    return _random(subject, weights, wanted, folder, progress)


def expected_bytes(subject: Subject, variant_name: str) -> int:
    """Return the size of the file with random weights; it is off by less than 4 KiB. `Unmeasurable` as `prepare`."""
    model = blueprint(subject.architecture)
    kinds = storage(model, variant(variant_name))
    size = 1024
    for key, value in model.metadata.items():
        size += 32 + len(key) + (4 * len(value) if isinstance(value, tuple) else 0)
    for tensor in model.tensors:
        content = stored_bytes(tensor, kinds[tensor.name])
        size += content + -content % ALIGNMENT + len(tensor.name) + 24 + 8 * len(tensor.shape)
    return size


def bytes_to_write(subject: Subject, weights: RandomWeights, variants: Iterable[str], folder: Path) -> int:
    """Return the bytes that preparing these variants would write; what is in the folder counts nothing.

    The F16 file is among them, since the others are made from it.
    """
    model = blueprint(subject.architecture)

    def missing(names: Iterable[str]) -> set[str]:
        return {name for name in names if not (folder / _name(subject, model, weights, VARIANTS[name])).is_file()}

    wanted = missing(variant(name).name for name in variants)
    return sum(expected_bytes(subject, name) for name in (wanted | missing([_F16.name]) if wanted else wanted))


def _parameters(subject: Subject) -> int:
    try:
        return parameter_count(subject.architecture)
    except ArchitectureError as error:
        raise Unmeasurable(str(error)) from error


def _random(subject: Subject, weights: RandomWeights, wanted: Variant, folder: Path, progress: Progress) -> Path:
    """The file of random weights in the wanted variant."""
    parameters = _parameters(subject)
    model = blueprint(subject.architecture)
    if model.parameters != parameters:
        raise Unmeasurable(f"the file would have {model.parameters} parameters, the facts give {parameters}")
    target = folder / _name(subject, model, weights, wanted)
    if _is_whole(target, parameters):
        return target
    plain = folder / _name(subject, model, weights, _F16)
    is_plain = wanted is not _F16 and _is_whole(plain, parameters)
    _refuse_without_room(subject, folder, bytes_to_write(subject, weights, [wanted.name], folder))
    if not is_plain:
        with _appearing(plain) as temporary:
            write(temporary, model, subject.slug, weights, lambda share: progress("writing F16", share))
            _check(temporary, parameters)
    if wanted is not _F16:
        _quantised(plain, target, wanted, parameters, progress)
    return target


def _released(subject: Subject, weights: RealWeights, wanted: Variant, folder: Path, progress: Progress) -> Path:
    """The file of released weights in the wanted variant."""
    source = Path(weights.path)
    if source.is_dir():
        raise BadFile(
            source,
            "is a folder",
            advice="Convert it to GGUF with convert_hf_to_gguf.py of llama.cpp, or measure it with torch.",
        )
    if not source.is_file():
        raise BadFile(source, "is not there")
    progress("checking the SHA-256", 0.0)
    if (found := inspect.sha256(source)) != weights.sha256.lower():
        raise BadFile(source, f"has the SHA-256 {found}", advice="Name the file that was meant, or its SHA-256.")
    progress("checking the SHA-256", 1.0)
    parameters = _parameters(subject)
    held = _check(source, parameters)
    if held.variant == wanted.name:
        return source
    if held.metadata.get("general.file_type") not in _PLAIN:
        raise BadParameter(
            "variant",
            f"{source.name} is {held.variant or 'quantised'} and cannot be made {wanted.name}",
            advice="Give a file in F16, BF16 or F32, or ask for the variant that the file has.",
        )
    identity = _digest(["released", weights.sha256.lower(), wanted.name, _engine_version()])
    target = folder / f"{_plain_name(subject.slug)}.{wanted.name}.{identity}.gguf"
    if not _is_whole(target, parameters):
        _refuse_without_room(subject, folder, source.stat().st_size)
        _quantised(source, target, wanted, parameters, progress)
    return target


def _quantised(source: Path, target: Path, wanted: Variant, parameters: int, progress: Progress) -> None:
    with _appearing(target) as temporary:
        quantise(source, temporary, wanted, lambda share: progress(f"quantising to {wanted.name}", share))
        _check(temporary, parameters)


def _check(path: Path, parameters: int) -> inspect.Contents:
    """Read the file's header; refuse it when it has not the parameters that the facts give."""
    found = inspect.contents(path)
    if found.parameters != parameters:
        raise BadFile(
            path,
            f"has {found.parameters} parameters, the facts of the architecture give {parameters}",
            advice="Check that it is this model, and the facts of its architecture.",
        )
    return found


def _is_whole(path: Path, parameters: int) -> bool:
    """Whether the file is there and whole. One that is damaged is removed, to be made again."""
    if not path.is_file():
        return False
    try:
        _check(path, parameters)
    except BadFile:
        path.unlink(missing_ok=True)
        return False
    return True


def _refuse_without_room(subject: Subject, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed and needed + _SPARE > free:
        raise NoRoom(f"the file of {subject.slug}", needed=needed + _SPARE, free=free)


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Give a temporary name to write to; afterwards the file is safe on the disk and has its final name."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_TEMPORARY, dir=target.parent)
    temporary = Path(name)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        os.fsync(handle)
        temporary.chmod(0o644)
        temporary.replace(target)
        sync(target.parent)
    except BadFile as error:
        raise PreparationFailed(f"the file that was made for {target.name} {error.problem}") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            size, free = temporary.stat().st_size, shutil.disk_usage(target.parent).free
            raise NoRoom(target.name, needed=size, free=free) from error
        raise PreparationFailed(f"{target.name} could not be written: {error.strerror}") from error
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what dead processes left; a living writer holds a lock on its file."""
    for path in folder.glob(f".*{_TEMPORARY}"):
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def _name(subject: Subject, model: Blueprint, weights: RandomWeights, wanted: Variant) -> str:
    """The name that follows from all that decides about the bytes."""
    tensors = [(tensor.name, tensor.shape) for tensor in model.tensors]
    content = [model.architecture, tensors, dict(model.metadata), subject.slug, weights.seed, weights.deviation]
    maker = WRITER if wanted is _F16 else [WRITER, wanted.name, _engine_version()]
    return f"{_plain_name(subject.slug)}.{wanted.name}.{_digest([content, maker])}.gguf"


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain_name(slug: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", slug).strip("-")[:80] or "model"


def _engine_version() -> str:
    """The version of the bindings, and with them of the quantiser."""
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError as error:
        raise ExtraMissing("llama-cpp-python", "measure") from error
