"""Counts verdicts, decides what counts against the service, and writes it down: terminal, JSON, Markdown.

Knows nothing of how a test was run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from .manifest import Suite, Test

TITLES: Final = {
    Suite.PROTOCOL: "SPARQL 1.1 Protocol",
    Suite.GRAPH_STORE: "Graph Store Protocol",
    Suite.QUERY: "Query: syntax and evaluation",
    Suite.UPDATE: "Update: syntax and evaluation",
    Suite.RESULTS: "Result formats (JSON, CSV, TSV)",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one test ended. A column that was not run is None; otherwise a failure's reason, or "" for a pass."""

    test: Test
    service: str | None
    engine: str | None

    @property
    def failed(self) -> bool:
        """Whether the service, or without a service the engine, failed."""
        return bool(self.engine if self.service is None else self.service)

    @property
    def held_against_service(self) -> bool:
        """Whether the failure is the service's own: the engine under it passes, or was not asked."""
        return bool(self.service) and not self.engine


@dataclass(frozen=True, slots=True)
class Facts:
    """What was run, for the head of the report."""

    date: str
    commit: str
    service: str
    engine: str
    comparison: str


@dataclass(frozen=True, slots=True)
class Report:
    """All verdicts of a run."""

    facts: Facts
    verdicts: Sequence[Verdict]
    allowed: Mapping[str, str]

    @property
    def offences(self) -> list[Verdict]:
        """Failures that make the run fail."""
        return [v for v in self.verdicts if v.held_against_service and v.test.name not in self.allowed]

    @property
    def stale(self) -> list[str]:
        """Entries of the allow list whose test passes now."""
        return sorted(v.test.name for v in self.verdicts if v.service == "" and v.test.name in self.allowed)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Title, number of tests, passes of the service, passes of the engine; for each suite that was run."""
        rows = []
        for suite, title in TITLES.items():
            verdicts = [v for v in self.verdicts if v.test.suite is suite]
            if verdicts:
                service, engine = _passes([v.service for v in verdicts]), _passes([v.engine for v in verdicts])
                rows.append((title, str(len(verdicts)), service, engine))
        return rows

    def to_json(self) -> str:
        """The whole run for machines."""
        tests = [
            {
                **{"name": v.test.name, "suite": v.test.suite, "iri": v.test.iri, "title": v.test.title},
                **{"service": _word(v.service), "service_reason": v.service or None},
                **{"engine": _word(v.engine), "engine_reason": v.engine or None},
            }
            for v in self.verdicts
        ]
        offences = [v.test.name for v in self.offences]
        whole = {"facts": asdict(self.facts), "offences": offences, "stale": self.stale, "tests": tests}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """The page of the documentation."""
        facts = self.facts
        lines = [
            "# Conformance",
            "",
            "Written by `python -m scripts.conformance`; do not edit.",
            "",
            f"The W3C SPARQL 1.1 test suites (w3c/rdf-tests, commit `{facts.commit}`), run on {facts.date} "
            f"over HTTP against {facts.service}. "
            f"Engine column: the same tests on {facts.engine} in process, without HTTP. {facts.comparison}",
            "",
            "| Suite | Tests | Service | Engine |",
            "|---|--:|--:|--:|",
            *(f"| {' | '.join(row)} |" for row in self.rows()),
            "",
            "Not run: evaluation of `SERVICE` (the service refuses it), entailment regimes, SPARQL 1.0 and 1.2.",
            "",
            "## Failures",
            "",
        ]
        failures = [v for v in self.verdicts if v.service or v.engine]
        if not failures:
            return "\n".join([*lines, "None.", ""])
        lines += ["| Test | Service | Engine | Reason |", "|---|---|---|---|"]
        for v in failures:
            reason = self.allowed.get(v.test.name) or v.service or v.engine or ""
            lines.append(f"| `{v.test.name}` | {_word(v.service)} | {_word(v.engine)} | {_cell(reason)} |")
        return "\n".join([*lines, ""])

    def show(self, console: Console) -> None:
        """The summary for people."""
        table = Table("Suite", "Tests", "Service", "Engine")
        for row in self.rows():
            table.add_row(*row)
        console.print(table)
        for verdict in self.verdicts:
            if verdict.failed:
                held = "allowed" if verdict.test.name in self.allowed else "FAIL"
                mark = held if verdict.held_against_service else "engine"
                console.print(f"{mark:8}{verdict.test.name}: {verdict.service or verdict.engine}", markup=False)
        for name in self.stale:
            console.print(f"stale   {name}: it is on the allow list and passes", markup=False)


def read_allowed(path: Path) -> dict[str, str]:
    """Names of tests that may fail, each with its reason. A line without a reason is an error."""
    allowed = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition("\t")
            if not reason.strip():
                raise ValueError(f"{path.name}: {name} has no reason")
            allowed[name] = reason.strip()
    return allowed


def _passes(reasons: Sequence[str | None]) -> str:
    return "–" if all(reason is None for reason in reasons) else str(sum(reason == "" for reason in reasons))


def _word(reason: str | None) -> str:
    return "not run" if reason is None else "failed" if reason else "passed"


def _cell(text: str) -> str:
    """Text that cannot end a cell of a table or start markup, and that is the same in every run."""
    steady = re.sub(r"_:\w+", "_:b", text.replace("`", "'").replace("|", "\\|").replace("\n", " "))
    return f"`{steady if len(steady) <= 300 else steady[:299] + '…'}`"
