"""What people contributed, read back from the graph so that a load of a folder keeps it.

These are the proposals with everything that was said about them, the accepted claims and results, the decisions that
stand, and the agents. The folder's facts are replaced; these are settled together with them. Reads; never writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from app import vocab
from app.curate.derive import Key
from app.curate.measured import kept_runs
from app.model.claims import Claim, Result, Source
from app.model.graphs import META, PROPOSALS
from app.model.proposal_quads import judgements_of, proposals_of
from app.model.proposals import ItemState, Judgement
from app.model.quads import LOADER, TEAM, source_quads
from app.model.rdf import IRI, Quad
from app.store.port import Snapshot

_AGENTS = vocab.BASE + "resource/agent/"


@dataclass(frozen=True, slots=True)
class Contributions:
    """`quads` are the proposals graph, the agents' records and the runs that people brought in, kept as they are."""

    claims: tuple[Claim, ...] = ()
    results: tuple[Result, ...] = ()
    judgements: dict[Key, Judgement] = field(default_factory=dict)
    quads: frozenset[Quad] = frozenset()

    def at_home(self, sources: dict[str, Source]) -> Contributions:
        """The same, with what these sources are now in place of what was known of them when they were proposed."""
        return replace(
            self,
            claims=tuple(replace(one, source=_now(one.source, sources)) for one in self.claims),
            results=tuple(replace(one, source=_now(one.source, sources)) for one in self.results),
        )

    def source_quads(self, sources: dict[str, Source]) -> Iterable[Quad]:
        """Records of the sources that are not among these, and of graphs read from them on other days."""
        used = {one.source for one in self.claims} | {one.source for one in self.results}
        for source in sorted(used, key=lambda source: (source.slug, source.retrieved)):
            if source.slug in sources:
                yield from (quad for quad in source_quads(source) if quad.subject != source.iri)
            else:
                yield from source_quads(source)


def read_contributions(snapshot: Snapshot) -> Contributions:
    """What people contributed up to this revision."""
    quads = list(snapshot.quads(PROPOSALS))
    committed = [
        item.content
        for proposal in proposals_of(quads).values()
        for item in proposal.items
        if item.state is ItemState.COMMITTED
    ]
    standing = {
        (judgement.subject, judgement.predicate): judgement
        for judgement in judgements_of(quads)
        if judgement.replaced_at is None
    }
    agents = [
        quad
        for quad in snapshot.quads(META)
        if isinstance(quad.subject, IRI)
        and quad.subject.value.startswith(_AGENTS)
        and quad.subject not in {TEAM, LOADER}
    ]
    return Contributions(
        claims=tuple(content for content in committed if isinstance(content, Claim)),
        results=tuple(content for content in committed if isinstance(content, Result)),
        judgements=standing,
        quads=frozenset((*quads, *agents)) | kept_runs(snapshot),
    )


def _now(source: Source, sources: dict[str, Source]) -> Source:
    known = sources.get(source.slug)
    return source if known is None else replace(known, retrieved=source.retrieved)
