"""One revision in an external engine, as an unchanging graph. Reads only; knows nothing of writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyoxigraph as ox

from app.errors import BadParameter, EngineUnavailable
from app.model.rdf import IRI, Quad, Triple
from app.store import remote_answers as answers
from app.store.engine import EngineAnswer, EngineSnapshot
from app.store.port import Query, Snapshot
from app.store.remote_http import Bounds, Engine, EngineRefusal
from app.store.remote_kept import KeptGraphs
from app.store.remote_layout import Layout, Physical
from app.store.remote_text import clauses, rewrite, with_values


class RemoteSnapshot:
    """One revision, or a candidate, in an external engine (see `port.Snapshot`)."""

    def __init__(self, engine: Engine, layout: Layout, base: str, kept: KeptGraphs | None = None) -> None:
        self._engine = engine
        self._kept = kept or KeptGraphs(0)
        self._layout = layout
        self._nowhere = base + "/nowhere"

    def query(self, query: Query) -> EngineAnswer:
        """Answer a SPARQL query over the chosen dataset."""
        for parameter, graphs in (("default-graph-uri", query.default_graphs), ("named-graph-uri", query.named_graphs)):
            check_names(parameter, graphs)
        said, tokens = clauses(query.text)
        if not said.form:
            raise answers.diagnosis(query.text, "this is no SELECT, ASK, CONSTRUCT or DESCRIBE query")
        if query.values:
            tokens = with_values(tokens, *_values_block(query))
        default, visible = self._dataset(query, said.chosen, said.default, said.named)
        text = rewrite(tokens, visible, nowhere=self._nowhere, skolem=answers.SKOLEM if self._layout.blanks else None)
        bounds = Bounds(query.seconds, query.max_bytes)
        try:
            if said.form in {"CONSTRUCT", "DESCRIBE"}:
                return answers.graph(self._engine.triples(text.text, default, text.named, bounds))
            body = self._engine.rows(text.text, default, text.named, bounds)
        except EngineRefusal as error:
            raise answers.diagnosis(query.text, str(error)) from error
        return answers.truth(body) if said.form == "ASK" else answers.rows(body, text.hidden)

    def quads(self, graph: IRI | None = None) -> Iterator[Quad]:
        """All quads, or those of one named graph. Each graph is read whole and counted before any quad is given."""
        for logical, physical in self._layout.graphs.items():
            if graph is None or logical == graph.value:
                home = IRI(logical)
                for triple in self._triples(logical, physical):
                    yield Quad(triple.subject, triple.predicate, triple.object, home)

    def _triples(self, logical: str, physical: Physical) -> list[Triple]:
        kept = self._kept.get(physical.name)
        if kept is not None:
            return kept
        body = self._engine.own_rows(f"SELECT ?s ?p ?o {{ GRAPH {IRI(physical.name)} {{ ?s ?p ?o }} }}")
        found = [Triple(row["s"], row["p"], row["o"]) for row in answers.rows(body).rows()]  # type: ignore[arg-type]
        if len(found) != physical.size:
            raise EngineUnavailable(
                f"the engine gave {len(found)} of {physical.size} triples of {logical}",
                advice="Let the engine give answers of any length (Virtuoso: ResultSetMaxRows).",
            )
        self._kept.put(physical.name, found)
        return found

    def _dataset(
        self, query: Query, in_text: bool, default: tuple[str, ...], named: tuple[str, ...]
    ) -> tuple[list[str], dict[str, str]]:
        """The physical default graphs, and the named graphs to see by logical name."""
        physical = self._layout.physical_names()
        if query.default_graphs or query.named_graphs:
            default, named = query.default_graphs, query.named_graphs
        elif not in_text:
            return [*self._layout.everything()] or [self._nowhere], physical
        chosen = [physical[name] for name in dict.fromkeys(default) if name in physical]
        return chosen or [self._nowhere], {name: physical[name] for name in named if name in physical}


def copied_here(snapshot: Snapshot) -> Snapshot:
    """The same graph in our own engine, in memory (about 300 bytes for each quad)."""
    store = ox.Store()
    store.bulk_extend(snapshot.quads())
    return EngineSnapshot(store)


def _values_block(query: Query) -> tuple[str, str]:
    """The query's variable with constants, and its VALUES block; terms print themselves escaped."""
    if len(query.values) > 1:
        raise ValueError("a VALUES block binds one variable here; join further ones in the query itself")
    ((name, terms),) = query.values.items()
    return name, f"VALUES ?{name} {{ {' '.join(str(answers.stored_term(term)) for term in terms)} }}"


def check_names(parameter: str, names: Iterable[str]) -> None:
    """BadParameter for a name that is no absolute IRI."""
    for name in names:
        try:
            ox.NamedNode(name)
        except ValueError as error:
            raise BadParameter(parameter, str(error), advice="Give an absolute IRI.") from error
