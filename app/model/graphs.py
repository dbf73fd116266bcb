"""The named graphs. Every triple stands in exactly one of them.

ontology   terms                     curated    accepted facts only
vocab      concepts and units        decisions  status of claims, disagreements, resolutions
registry   things and their names    inferred   derived values, their inputs, why a value is missing
meta       sources, runs, graphs     history    revisions
proposals  what people ask for, verdicts, comments, their decisions; it asserts nothing
source/…   what one source says, as read on one day; never changed
"""

from __future__ import annotations

from app import vocab
from app.model.rdf import IRI

ONTOLOGY = IRI(vocab.graph.NS + "ontology")
VOCABULARY = IRI(vocab.graph.NS + "vocab")
REGISTRY = IRI(vocab.graph.NS + "registry")
META = IRI(vocab.graph.NS + "meta")
CURATED = IRI(vocab.graph.NS + "curated")
DECISIONS = IRI(vocab.graph.NS + "decisions")
INFERRED = IRI(vocab.graph.NS + "inferred")
PROPOSALS = IRI(vocab.graph.NS + "proposals")
HISTORY = IRI(vocab.graph.NS + "history")


def of_source(slug: str, retrieved: str) -> IRI:
    """The graph of one source as read on one day (an ISO date)."""
    return IRI(f"{vocab.graph.NS}source/{slug}/{retrieved}")
