"""Whether the record of revisions in the graph agrees with the records that the store keeps of them."""

from __future__ import annotations

from collections import defaultdict

from app import vocab
from app.model.claims import resource
from app.model.graphs import HISTORY
from app.model.rdf import IRI, Literal
from app.store.port import GraphStore


def assert_audited(store: GraphStore) -> None:
    """Each revision of the store has exactly one record in the graph, with its number, author, reason and counts.

    The store counts the record's own triples too; the record does not. For stores that only slmkg itself wrote to.
    """
    records: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    sizes: dict[str, int] = defaultdict(int)
    for quad in store.at().quads(HISTORY):
        assert isinstance(quad.subject, IRI)
        assert isinstance(quad.object, IRI | Literal)
        records[quad.subject.value][quad.predicate.value].append(quad.object.value)
        sizes[quad.subject.value] += 1
    revisions = store.revisions()
    assert set(records) == {resource("revision", str(revision.number)).value for revision in revisions}
    for revision in revisions:
        node = resource("revision", str(revision.number)).value
        said = {name: values[0] for name, values in records[node].items() if len(values) == 1}
        assert said[vocab.slm.revisionNumber] == str(revision.number)
        assert said[vocab.slm.reason] == revision.reason
        assert said[vocab.prov.wasAssociatedWith] == revision.author
        assert int(said[vocab.slm.addedCount]) + sizes[node] == revision.added
        assert int(said[vocab.slm.removedCount]) == revision.removed
