"""The ORKG's SPARQL endpoint: the last way to the statements of a source. It knows values, and nothing of who and when.

It is as fresh as the last dump that was loaded into it, so what comes from here is marked as reconstructed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.error import URLError

from SPARQLWrapper import JSON, POST, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import SPARQLWrapperException

from app.errors import OrkgChanged, OrkgUnavailable
from app.orkg.http import Exchange, gentle, user_agent
from app.orkg.pace import Gate, Pace
from app.orkg.reading import Shape
from app.orkg.table import Step
from app.orkg.values import Path, Ref

PATH = "/triplestore/sparql"
"""Where the endpoint is, on the host of the service."""
_MEDIA = "application/sparql-results+json"
_THINGS = re.compile(r"https?://orkg\.org/orkg/(?P<kind>resource|predicate|class)/(?P<id>[a-zA-Z0-9:_-]+)")
_MOST = 10_000
_RESOURCE = "http://orkg.org/orkg/resource/"
_QUERY = """PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT ?s ?p ?v ?label WHERE {{
  VALUES ?s {{ {subjects} }}
  ?s ?p ?v .
  OPTIONAL {{ ?v rdfs:label ?label }}
}} LIMIT {most}"""


@dataclass(frozen=True, slots=True)
class _Term:
    type: str
    value: str
    datatype: str | None = None


@dataclass(frozen=True, slots=True)
class _Results:
    bindings: tuple[Mapping[str, _Term], ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    results: _Results


_ANSWER = Shape[_Answer](_Answer)
_Kind = Literal["resource_ref", "predicate_ref", "class_ref"]
_KINDS: Mapping[str, _Kind] = {"resource": "resource_ref", "predicate": "predicate_ref", "class": "class_ref"}


class Endpoint:
    """Asks one endpoint, at `base_url` and the usual path."""

    def __init__(
        self,
        base_url: str,
        *,
        contact: str | None = None,
        pace: Pace | None = None,
        heard: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.address = base_url.rstrip("/") + PATH
        self._agent = user_agent(contact)
        self._pace = pace or Pace()
        self._gate = Gate(gentle(base_url, self._pace.per_second))
        self._heard = heard

    def steps(self, source: str, paths: Iterable[Path]) -> tuple[Step, ...]:
        """What the endpoint knows of a source along these paths; OrkgUnavailable, OrkgChanged."""
        found: dict[Step, None] = {}
        level: dict[str, list[Path]] = {source: list(paths)}
        while level:
            steps = list(self._ask(level))
            below: dict[str, list[Path]] = defaultdict(list)
            for step in steps:
                for path in level.get(step.subject, ()):
                    if path.id == step.predicate and path.children and step.value.id is not None:
                        below[step.value.id] += path.children
            found.update(dict.fromkeys(steps))
            level = below
        return tuple(found)

    def _ask(self, subjects: Iterable[str]) -> Iterable[Step]:
        text = _QUERY.format(subjects=" ".join(f"<{_RESOURCE}{one}>" for one in subjects), most=_MOST)
        answer = _ANSWER.read(self._send(text), self.address)
        if len(answer.results.bindings) >= _MOST:
            raise OrkgChanged(self.address, f"the answer has {_MOST} rows or more and may be cut off")
        for row in answer.results.bindings:
            subject, predicate = _thing(row.get("s")), _thing(row.get("p"))
            if subject is None or predicate is None or predicate[0] != "predicate_ref" or "v" not in row:
                continue
            label = row["label"].value if "label" in row else None
            yield Step(subject[1], predicate[1], _ref(row["v"], label))

    def _send(self, text: str) -> bytes:
        self._gate.wait()
        wrapper = SPARQLWrapper(self.address, agent=self._agent)
        wrapper.setMethod(POST)
        wrapper.setReturnFormat(JSON)
        wrapper.setTimeout(int(self._pace.answer))
        wrapper.setQuery(text)
        try:
            response = wrapper.query().response
            body: bytes = response.read(self._pace.max_bytes + 1)
        except (SPARQLWrapperException, URLError, OSError) as error:
            raise OrkgUnavailable(f"{self.address} does not answer: {type(error).__name__}") from error
        media = str(response.headers.get("Content-Type", ""))
        if self._heard is not None:
            self._heard(Exchange("POST", self.address, response.status, media, datetime.now(UTC), body))
        if media.split(";", 1)[0].strip() != _MEDIA:
            raise OrkgChanged(self.address, f"the answer is {media or 'of no type'}, not {_MEDIA}")
        if len(body) > self._pace.max_bytes:
            raise OrkgChanged(self.address, f"the answer has more than {self._pace.max_bytes} bytes")
        return body


def _thing(term: _Term | None) -> tuple[_Kind, str] | None:
    """The kind and identifier of an IRI of the ORKG."""
    found = _THINGS.fullmatch(term.value) if term is not None and term.type == "uri" else None
    return None if found is None else (_KINDS[found["kind"]], found["id"])


def _ref(term: _Term, label: str | None) -> Ref:
    thing = _thing(term)
    if thing is not None:
        return Ref(thing[0], label or thing[1], thing[1])
    return Ref("literal_ref", term.value, None, term.datatype or "xsd:string")
