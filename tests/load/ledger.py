"""Whether all accepted writes of a campaign are there, and those whose answer was lost are there whole or not at all.

Looks at the data folder itself, with no service between. A write that was accepted must be found

    proposal    once, under its title, with all its items
    commit      all claims in the graph, and each added by the revision that was answered; the items say so too
    decision    its reason, added by the revision that was answered
    graph       all its triples, added by the revision that was answered
    job         once, over, and what it measured was taken

Nothing else may have written: each proposal, graph and job of the campaign must be in the ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from app import vocab
from app.curate import proposals
from app.errors import AppError
from app.jobs.values import JobState
from app.model.proposals import ItemState, Proposal
from app.model.rdf import IRI, Literal, Quad
from app.services import Services
from app.store.port import Query
from tests.load.record import Line

_CLAIMS = f"SELECT ?c {{ GRAPH ?g {{ ?c a <{vocab.slm.Claim}> }} }}"
_RESULTS = f"SELECT ?c {{ GRAPH ?g {{ ?c <{vocab.slm.ofModel}> ?m }} }}"
_GRAPHS = "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s <https://example.org/says> ?o } } GROUP BY ?g"


@dataclass(slots=True)
class Found:
    """What is wrong, in words, and how many writes of each kind were looked for; `unsure` ones apart."""

    wrong: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, what: str, how: str) -> None:
        """One more write of a kind."""
        self.counts.setdefault(what, {}).setdefault(how, 0)
        self.counts[what][how] += 1


def look(lines: Iterable[Line], services: Services) -> Found:
    """Look for the writes of a campaign in a store that nobody writes to meanwhile."""
    by_kind: defaultdict[str, list[Line]] = defaultdict(list)
    begin: Mapping[str, object] = {}
    for line in lines:
        if line["kind"] == "write":
            by_kind[line["what"]].append(line)
        elif line["kind"] == "begin":
            begin = line
    found = Found()
    looked = _Look(services, found)
    for check in (looked.proposals, looked.commits, looked.decisions, looked.graphs, looked.jobs):
        check(by_kind)
    looked.nothing_else(by_kind, f"load {begin.get('seed')} ")
    return found


class _Look:
    """One look at a store."""

    def __init__(self, services: Services, found: Found) -> None:
        self._services = services
        self._found = found
        self._snapshot = services.store.at()
        self._added: dict[int, frozenset[Quad]] = {}
        self._proposals: defaultdict[str, list[Proposal]] = defaultdict(list)
        numbers = proposals.find(self._snapshot, proposals.Filter())
        for one in proposals.read_many(self._snapshot, numbers).values():
            self._proposals[one.title].append(one)
        self._graphs = {row["g"].value: int(row["n"].value) for row in self._rows(_GRAPHS)}

    def proposals(self, by_kind: Mapping[str, list[Line]]) -> None:
        for line in by_kind["proposal"]:
            there = self._proposals[line["title"]]
            if self._settled("proposal", line, len(there)) and there:
                wanted, items = line["items"], len(there[0].items)
                if wanted is not None and wanted != items:
                    self._say(f"proposal {line['title']!r} has {items} items of {wanted}")

    def commits(self, by_kind: Mapping[str, list[Line]]) -> None:
        known = {row["c"].value for query in (_CLAIMS, _RESULTS) for row in self._rows(query)}
        for line in by_kind["review"] + by_kind["commit"]:
            for one in self._proposals[line["title"]]:
                states = {item.state for item in one.items}
                if len(states) > 1:
                    self._say(f"proposal {line['title']!r} was taken in part: {sorted(states)}")
                if line["sure"]:
                    continue
                happened = ItemState.COMMITTED if line["what"] == "commit" else ItemState.ACCEPTED
                self._found.count(line["what"], "unsure, whole" if happened in states else "unsure, not at all")
        for line in by_kind["commit"]:
            if not line["sure"]:
                continue
            self._found.count("commit", "found")
            lost = [name for name in line["recorded"] if name not in known]
            strange = set(line["recorded"]) - {
                quad.subject.value for quad in self._of(line["revision"]) if isinstance(quad.subject, IRI)
            }
            for name in lost:
                self._say(f"accepted and lost: {name} of {line['title']!r}, revision {line['revision']}")
            for name in strange - set(lost):
                self._say(f"not added by the revision that was answered: {name}, revision {line['revision']}")
            if any(
                item.state is not ItemState.COMMITTED or item.revision != line["revision"]
                for one in self._proposals[line["title"]]
                for item in one.items
            ):
                self._say(f"proposal {line['title']!r} does not say that revision {line['revision']} recorded it")

    def decisions(self, by_kind: Mapping[str, list[Line]]) -> None:
        everywhere = {quad.object.value for quad in self._snapshot.quads() if isinstance(quad.object, Literal)}
        for line in by_kind["decision"]:
            if not self._settled("decision", line, int(line["reason"] in everywhere)):
                continue
            if line["sure"] and not self._says(line["revision"], line["reason"]):
                self._say(f"decision {line['reason']!r} is not of revision {line['revision']}")

    def graphs(self, by_kind: Mapping[str, list[Line]]) -> None:
        for line in by_kind["graph"]:
            there = self._graphs.get(line["graph"], 0)
            if not self._settled("graph", line, int(there > 0)):
                continue
            if there and there != line["triples"]:
                self._say(f"graph {line['graph']} has {there} triples of {line['triples']}")
            if line["sure"]:
                added = [quad for quad in self._of(line["revision"]) if quad.graph_name == IRI(line["graph"])]
                if len(added) != line["triples"]:
                    self._say(f"graph {line['graph']} is not of revision {line['revision']}")

    def jobs(self, by_kind: Mapping[str, list[Line]]) -> None:
        if not by_kind["job"]:
            return
        there = self._services.jobs.list(most=10_000)
        titles = Counter(one.title for one in there)
        by_id = {one.id: one for one in there}
        for line in by_kind["job"]:
            if not self._settled("job", line, titles[line["title"]]) or not line["sure"]:
                continue
            job = by_id.get(line["id"])
            if job is None:
                self._say(f"job {line['id']} is lost")
            elif job.state is not JobState.DONE or job.delivered is None:
                self._say(f"job {line['id']} is {job.state}, its run {job.delivered or job.trouble or 'waits'}")
            elif job.good != line["cells"]:
                self._say(f"job {line['id']}: {job.good} of {line['cells']} cells are good")

    def nothing_else(self, by_kind: Mapping[str, list[Line]], ours: str) -> None:
        """What the store has of this campaign beyond its ledger."""
        titles = {line["title"] for line in by_kind["proposal"]}
        for title in self._proposals:
            if title.startswith(ours) and title not in titles and self._proposals[title]:
                self._say(f"proposal {title!r} is in the store, and not in the ledger")
        graphs = {line["graph"] for line in by_kind["graph"]}
        for name in self._graphs:
            if name not in graphs:
                self._say(f"graph {name} is in the store, and not in the ledger")

    def _settled(self, what: str, line: Line, times: int) -> bool:
        """Count a write that is there so many times; whether there is more to look at."""
        if times > 1:
            self._say(f"{what} {_name(line)!r} is there {times} times")
        if line["sure"] and not times:
            self._say(f"accepted and lost: {what} {_name(line)!r}")
            return False
        how = "found" if line["sure"] else "unsure, whole" if times else "unsure, not at all"
        self._found.count(what, how)
        return times == 1

    def _of(self, revision: int) -> frozenset[Quad]:
        """What a revision added."""
        if revision not in self._added:
            try:
                self._added[revision] = self._services.store.changes(revision).add
            except AppError as error:
                self._say(f"revision {revision}: {error.message}")
                self._added[revision] = frozenset()
        return self._added[revision]

    def _says(self, revision: int, text: str) -> bool:
        return any(isinstance(quad.object, Literal) and quad.object.value == text for quad in self._of(revision))

    def _rows(self, query: str) -> Iterator[Mapping[str, IRI | Literal]]:
        return self._snapshot.query(Query(query)).rows()  # type: ignore[return-value]

    def _say(self, text: str) -> None:
        self._found.wrong.append(text)


def _name(line: Line) -> str:
    return str(next(line[member] for member in ("title", "reason", "graph", "id") if member in line))
