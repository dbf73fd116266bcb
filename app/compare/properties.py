"""What can be compared: the claimable and the derived properties, as the ontology in the graph describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from app import vocab
from app.compare.reader import Reader, local_name
from app.compare.values import Property, Unit
from app.errors import BadParameter
from app.store.port import Row

DEFAULT = (
    "releasedIn",
    "parameterCount",
    "computedParameterCount",
    "numLayers",
    "hiddenSize",
    "numAttentionHeads",
    "numKeyValueHeads",
    "headDimension",
    "intermediateSize",
    "vocabularySize",
    "maxContextLength",
    "attentionType",
    "ffnType",
    "activation",
    "normalisation",
    "positionalEncoding",
    "tiesEmbeddings",
    "trainingTokens",
    "license",
)
"""What a comparison shows when nothing is asked for."""


def properties(reader: Reader) -> dict[str, Property]:
    """Every property that can be compared, by name, in alphabetical order."""
    found: dict[str, Property] = {}
    for row in reader.rows("properties"):
        one = _property(row)
        found.setdefault(one.name, one)
    return dict(sorted(found.items()))


def choose(known: Mapping[str, Property], names: Iterable[str]) -> tuple[Property, ...]:
    """The properties with these names, each once; BadParameter names the closest one to an unknown name."""
    wanted = tuple(dict.fromkeys(names)) or tuple(name for name in DEFAULT if name in known)
    for name in wanted:
        if name not in known:
            raise BadParameter("properties", f"there is no property {name!r}", advice=advice(name, known))
    return tuple(known[name] for name in wanted)


def advice(name: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown name."""
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {by_lower[close[0]]!r}?"
    return f"Known are: {', '.join(sorted(by_lower.values()))}." if len(by_lower) <= 20 else ""


def _property(row: Row) -> Property:
    unit = None
    if "unit" in row:
        unit = Unit(row["unit"].value, row["symbol"].value, row["unitLabel"].value)
    return Property(
        name=local_name(row["property"].value),
        iri=row["property"].value,
        label=row["label"].value,
        definition=row["definition"].value,
        of="architecture" if row["domain"].value == vocab.slm.Architecture else "model",
        kind=row["kind"].value,
        several=row["number"].value == "several",
        range=vocab.shrink(row["range"].value) if "range" in row else None,
        unit=unit,
    )
