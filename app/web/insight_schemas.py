"""JSON shapes of the answers about insights, for OpenAPI and for the answers themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Judged = Literal["agrees", "differs", "cannot be told"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class InsightQuery(_Answer):
    """A query that an insight rests on."""

    name: str
    title: str
    text: str = Field(description="SPARQL 1.1, as anybody can run it.")
    run: str = Field(description="The address that runs it at this revision.")


class InsightStatement(_Answer):
    """One statement of the survey with its number as printed, and the graph's beside it."""

    key: str
    text: str = Field(description="What the survey states, in our words.")
    source: str = Field(description="Slug of the source.")
    locator: str = Field(description="Where in the source.")
    surveyed: str = Field(description="The survey's number: as printed, or how many when it is a whole figure.")
    found: str = Field(description="The graph's number.")
    unit: str
    verdict: Judged
    rule: str = Field(description="When the two count as equal.")
    rests_on: int = Field(description="Models behind the graph's number.")
    note: str
    reasons: list[str] = Field(description="Why the shipped data differ, where that is known.")


class InsightColumn(_Answer):
    """A column of a table."""

    name: str
    label: str
    unit: str = Field(description="Empty for names.")
    numeric: bool


class InsightTable(_Answer):
    """Numbers of the graph and of the survey side by side."""

    caption: str
    columns: list[InsightColumn]
    rows: list[list[str | float | int | None]] = Field(description="Cells in the order of the columns.")


class InsightSummary(_Answer):
    """One insight in the list."""

    slug: str
    title: str
    verdict: Judged
    agree: int = Field(description="Statements that agree.")
    differ: int = Field(description="Statements that differ.")
    unknown: int = Field(description="Statements of which the graph cannot tell.")
    href: str


class Insights(_Answer):
    """All insights."""

    revision: int
    rule: str = Field(description="How verdicts come about.")
    insights: list[InsightSummary]


class Insight(_Answer):
    """One insight, worked out from the graph beside the survey's own figures."""

    revision: int
    slug: str
    title: str
    claim: str = Field(description="What the survey claims, in our words.")
    source: str = Field(description="Slug of the source of the claim.")
    locator: str
    wording: str = Field(description="How much of the survey's wording is transcribed.")
    verdict: Judged
    rule: str
    models: int = Field(description="Models that it rests on.")
    observations: int = Field(description="Values or observations of these models that it rests on.")
    statements: list[InsightStatement]
    table: InsightTable
    queries: list[InsightQuery]
    notes: list[str]
    told: str = Field(description="What the chart shows, in words.")
    chart: str = Field(description="Address of the chart in Vega-Lite.")
    picture: str = Field(description="Address of the chart as SVG.")
