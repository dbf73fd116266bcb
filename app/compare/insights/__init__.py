"""The survey's six insights and a check of its times, each worked out from the graph beside the survey's own figures.

What the survey says stands in `data/survey/` and in the tables that it names; what the graph says comes from queries
that anybody can run. Nothing is known here but how to compare the two. Asks no graph itself: `ask` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from app.compare.insights import (
    accuracy,
    architecture,
    cost,
    in_context_learning,
    latency,
    memory,
    training_tokens,
)
from app.compare.insights.survey import Told, told
from app.compare.insights.values import RULE, Found, Insight, Rows, Statement, Verdict, overall, verdict_of
from app.compare.questions import questions
from app.compare.spec import nearest
from app.errors import NotFound
from app.store.rq import QueryFile, read_queries

__all__ = ["RULE", "Insight", "Statement", "Verdict", "existing", "queries_of", "slugs", "worked_out"]

_WORK: Mapping[str, tuple[tuple[str, ...], Callable[[Told, Mapping[str, Rows]], Found]]] = {
    "architecture": (architecture.QUERIES, architecture.work_out),
    "accuracy": (accuracy.QUERIES, accuracy.work_out),
    "training-tokens": (training_tokens.QUERIES, training_tokens.work_out),
    "in-context-learning": (in_context_learning.QUERIES, in_context_learning.work_out),
    "latency": (latency.QUERIES, latency.work_out),
    "memory": (memory.QUERIES, memory.work_out),
    "cost": (cost.QUERIES, cost.work_out),
}


def slugs() -> tuple[str, ...]:
    """The insights, in the survey's order."""
    return tuple(_WORK)


def existing(slug: str) -> str:
    """The slug, if there is such an insight; NotFound with the nearest one."""
    if slug not in _WORK:
        raise NotFound("insight", slug[:100], advice=nearest(slug[:100], _WORK))
    return slug


def queries_of(slug: str) -> tuple[QueryFile, ...]:
    """The queries whose answers an insight needs."""
    return tuple(_queries()[name] for name in _WORK[existing(slug)][0])


def worked_out(slug: str, folder: Path, answers: Mapping[str, Rows]) -> Insight:
    """One insight from the answers to its queries, by their names; `folder` holds the survey's tables. NotFound."""
    queries = queries_of(slug)
    surveyed = told(folder)[slug]
    found = _WORK[slug][1](surveyed, answers)
    statements = []
    for key, printed in surveyed.statements.items():
        one = found.findings[key]
        statements.append(
            Statement(
                key,
                printed.text,
                printed.source,
                printed.locator,
                one.surveyed,
                one.found,
                one.unit,
                verdict_of(one.agrees),
                one.rule,
                one.rests_on,
                one.note,
                surveyed.reasons.get(key, ()) if one.agrees is False else (),
            )
        )
    return Insight(
        slug,
        surveyed.title,
        surveyed.claim,
        surveyed.source,
        surveyed.locator,
        surveyed.wording,
        queries,
        tuple(statements),
        overall(one.verdict for one in statements),
        found.table,
        found.models,
        found.observations,
        found.chart,
        found.told,
        found.notes,
    )


@cache
def _queries() -> Mapping[str, QueryFile]:
    """The insights' own queries, and the example questions that serve as they are."""
    own = read_queries(Path(__file__).parent / "queries")
    return {one.name: one for one in questions()} | own
