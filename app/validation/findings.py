"""What validation found: findings, and a report that counts and sorts them.

Both runners (`records`, `sets`) make the same values, so a front never asks which one ran. Never formats
for a front beyond one line per finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

_FRACTION = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")
_LONG = 9
_PLACEHOLDER = re.compile(r"\{[?$](\w+)\}")
_SHACL = "http://www.w3.org/ns/shacl#"


class Severity(Enum):
    """How bad a finding is: a violation blocks, a warning needs a curator's look, an info is only shown."""

    VIOLATION = "Violation"
    WARNING = "Warning"
    INFO = "Info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)

    @classmethod
    def from_iri(cls, iri: str) -> Severity:
        """Return the severity of sh:Violation, sh:Warning or sh:Info; ValueError for anything else."""
        return cls(iri.removeprefix(_SHACL))


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule at one node.

    `constraint` is an id such as C02 or G1, and `message` starts with it. `focus` is the IRI of the node to
    look at, `path` the SPARQL form of the property path and `value` the offending value, where there is one.
    """

    constraint: str
    severity: Severity
    focus: str
    message: str
    path: str | None = None
    value: str | None = None

    @property
    def key(self) -> tuple[str, Severity, str]:
        """What two runners must agree on."""
        return (self.constraint, self.severity, self.focus)

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Worst first, then by id, node and message."""
        return (self.severity.rank, self.constraint, self.focus, self.message)

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.message} <{self.focus}>"


@dataclass(frozen=True)
class Report:
    """Findings without repeats, worst first."""

    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Report:
        """Return a report of these findings in any order."""
        return cls(tuple(sorted(set(findings), key=lambda finding: finding.order)))

    def __add__(self, other: Report) -> Report:
        return Report.of((*self.findings, *other.findings))

    @cached_property
    def counts(self) -> Mapping[Severity, int]:
        """Number of findings of each severity; all three are there."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in Severity}

    @cached_property
    def by_constraint(self) -> Mapping[str, int]:
        """Number of findings of each constraint that has any, by id."""
        return dict(sorted(Counter(finding.constraint for finding in self.findings).items()))

    @property
    def worst(self) -> Severity | None:
        """The worst severity found; None when nothing was found."""
        return self.findings[0].severity if self.findings else None

    @property
    def conforms(self) -> bool:
        """Whether there is no violation. Warnings and infos do not block."""
        return self.worst is not Severity.VIOLATION

    @property
    def keys(self) -> frozenset[tuple[str, Severity, str]]:
        """Every finding as (constraint, severity, focus)."""
        return frozenset(finding.key for finding in self.findings)

    def only(self, *severities: Severity) -> Report:
        """Return the part of the report with these severities."""
        return Report(tuple(finding for finding in self.findings if finding.severity in severities))


def number_text(text: str) -> str:
    """Return a fraction's text as people read it: no trailing zeros, at most six significant digits."""
    if not _FRACTION.fullmatch(text):
        return text
    short = len(text) <= _LONG and "e" not in text.lower()
    return text.rstrip("0").removesuffix(".") if short else f"{float(text):.6g}"


def fill(template: str, values: Mapping[str, str], value: str | None = None) -> str:
    """Return a shape's message with its {?name} places filled and the offending value at its end."""
    message = _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
    return message if value is None else f"{message} Found: {value!r}."
