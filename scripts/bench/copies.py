"""Makes large graphs of the real shape: the shipped data, copied as often as it takes, with other names and scores.

What belongs to one model (model, architecture, claims, decisions, derivations, observations) is copied under new names;
sources, benchmarks, devices, licences and the vocabulary are shared, as they would be.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyoxigraph as ox

from app import vocab
from app.settings import Settings
from app.wiring import build

_COPIED = "model|architecture|layer-group|artifact|claim|value|observation|derivation|disagreement|resolution"
_OWN = re.compile(rf"<{re.escape(vocab.BASE)}resource/(?:{_COPIED})/[^>]*(?=>)")
_SCORE = f"<{vocab.sosa.hasSimpleResult}> "
_LABEL = f"<{vocab.rdfs.label}> "
_NUMBER = re.compile(r'(hasSimpleResult> )"([^"]+)"')
_MARK = "\x00"


def write_copies(folder: Path, quads: int, seed: int = 7) -> tuple[int, int]:
    """Fill a data folder with about so many quads as revision 1; the number of quads and of copies."""
    source = folder / "shipped"
    services = build(Settings(data_dir=source))
    services.load()
    shared, own = _split(services.store.at().quads())
    copies = max(1, round((quads - len(shared)) / len(own)))
    lines = folder / "data.nq"
    with lines.open("w", encoding="utf-8") as output:
        output.writelines(shared)
        for number in range(copies):
            output.writelines(_copy(own, number, seed))
    return _loaded(folder, lines), copies


def _split(quads: Iterator[ox.Quad]) -> tuple[list[str], list[str]]:
    """Lines that all models share, and lines of single models with a mark behind every name to be changed."""
    shared, own = [], []
    for quad in quads:
        line = f"{quad} .\n"
        if _OWN.match(line):
            own.append(_OWN.sub(lambda found: found.group() + _MARK, line))
        else:
            shared.append(line)
    return shared, own


def _copy(own: list[str], number: int, seed: int) -> Iterator[str]:
    if number == 0:
        yield from (line.replace(_MARK, "") for line in own)
        return
    chance = random.Random(f"{seed} {number}")
    suffix = f"--{number}"
    for line in own:
        text = line.replace(_MARK, suffix)
        if _SCORE in text:
            yield _NUMBER.sub(lambda found: f'{found[1]}"{float(found[2]) * chance.uniform(0.7, 1.0):.9f}"', text)
        elif _LABEL in text and "/resource/model/" in text.split(" ", 1)[0]:
            yield text.replace('"@en', f' {number}"@en')
        else:
            yield text


def _loaded(folder: Path, lines: Path) -> int:
    revisions = folder / "store" / "revisions"
    revisions.mkdir(parents=True)
    store = ox.Store(str(revisions / "000001"))
    store.bulk_load(path=str(lines), format=ox.RdfFormat.N_QUADS)
    store.optimize()
    store.flush()
    count = len(store)
    record = {"number": 1, "reason": "benchmark", "author": vocab.BASE, "made_at": datetime.now(UTC).isoformat()}
    record |= {"added": count, "removed": 0, "quads": count}
    (revisions / "000001.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "store" / "FORMAT").write_text("1\n", encoding="ascii")
    (folder / "store" / "HEAD").write_text("1\n", encoding="ascii")
    return count
