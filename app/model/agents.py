"""Who acts: people and programs, as the meta graph records them. An ORCID iD is checked by its check digit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app import vocab
from app.model.claims import resource
from app.model.graphs import META
from app.model.rdf import IRI, Quad, describe, iri, literal, text

_ORCID = re.compile(r"(?:https://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Agent:
    """A person or a program. `slug` ends the agent's IRI; `orcid` is a person's ORCID iD, without the address.

    `key` is the id of the key with which the agent acts, where it is one: the same agent, whatever the key.
    """

    slug: str
    name: str
    orcid: str | None = None
    key: str | None = field(default=None, compare=False)

    @property
    def iri(self) -> IRI:
        """The agent's IRI."""
        return resource("agent", self.slug)


def orcid_of(written: str) -> str:
    """An ORCID iD as four groups of four; ValueError when its form or its check digit is wrong (ISO 7064, 11-2)."""
    found = _ORCID.fullmatch(written.strip())
    if found is None:
        raise ValueError(f"{written!r} is no ORCID iD such as 0000-0002-1825-0097")
    digits = found[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    expected = (12 - total % 11) % 11
    if digits[-1] != ("X" if expected == 10 else str(expected)):
        raise ValueError(f"the check digit of {found[1]} is wrong")
    return found[1]


def agent_named(written: str) -> Agent:
    """The agent that a slug or an ORCID iD names; ValueError for anything else."""
    if _ORCID.fullmatch(written.strip()):
        orcid = orcid_of(written)
        return Agent(f"orcid-{orcid.lower()}", orcid, orcid)
    if _SLUG.fullmatch(written.strip()) is None:
        raise ValueError(f"{written!r} is neither an ORCID iD nor a name of small letters, digits, dots and hyphens")
    return Agent(written.strip(), written.strip())


def agent_of(node: IRI) -> Agent:
    """The agent of an IRI of ours, with no more than the IRI tells; ValueError for anything else."""
    slug = node.value.removeprefix(resource("agent", "").value)
    if _SLUG.fullmatch(slug.lower()) is None:
        raise ValueError(f"{node.value} is no agent of ours")
    return agent_named(slug.removeprefix("orcid-").upper()) if slug.startswith("orcid-") else Agent(slug, slug)


def agent_quads(agent: Agent) -> list[Quad]:
    """The agent's record in the meta graph."""
    return describe(
        META,
        agent.iri,
        [
            (vocab.rdfs.label, text(agent.name)),
            (vocab.slm.orcid, literal(agent.orcid) if agent.orcid else None),
            (vocab.owl.sameAs, iri(f"https://orcid.org/{agent.orcid}") if agent.orcid else None),
        ],
        kind=vocab.prov.Person if agent.orcid else vocab.prov.Agent,
    )
