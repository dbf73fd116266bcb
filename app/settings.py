"""Settings of one process, read once from the environment (`SLMKG_…`) by `wiring` and `cli`; never changed.

A password is never shown: neither by `repr`, nor in the message about a setting that does not fit.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "SLMKG_"
_WELL_KNOWN = frozenset({"admin", "changeme", "dba", "oxigraph", "password", "root", "secret", "slmkg", "virtuoso"})
"""Passwords that engines and examples come with; whoever may reach the service may guess them."""
_ADDRESS = r"^https?://[^\s<>\"{}|^`\\@]+$"
"""An address without user and password: those have settings of their own, which are never shown."""


class Settings(BaseSettings):
    """Where to listen and where the data lies. Every field is an environment variable with prefix `SLMKG_`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that answer requests. Each has readers and limits of its own, and may see a new "
        "revision a moment after the one that made it.",
    )
    read_only: bool = Field(
        default=False,
        description="Whether this service only reads a data folder, or an engine, that another service writes to: it "
        "changes nothing, runs no jobs and tells no webhooks. Any number of them may share one folder.",
    )
    writer_url: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Address of the service that writes, which a service that only reads tells to those who want to.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s<>\"{}|^`\\]+$",
        description="Address under which the world reaches the service; each request says it when left out.",
    )
    data_dir: Path = Field(default=Path("var"), description="Folder of the embedded store; made when missing.")
    store_url: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Query address of an external SPARQL 1.1 engine that holds the graph; without it the graph lies in "
        "`SLMKG_DATA_DIR`.",
    )
    store_engine: Literal["auto", "standard", "oxigraph", "virtuoso"] = Field(
        default="auto", description="Kind of the external engine; `auto` asks it."
    )
    store_update_url: str | None = Field(
        default=None, pattern=_ADDRESS, description="Its address for updates; found from the other when left out."
    )
    store_graphs_url: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Its address of the graph store protocol, for large writes; known for Oxigraph and Virtuoso.",
    )
    store_user: str | None = Field(default=None, min_length=1, description="User name for the external engine.")
    store_password: SecretStr | None = Field(default=None, description="Password for the external engine.")
    store_auth: Literal["basic", "digest"] | None = Field(
        default=None, description="How the password is sent; digest to Virtuoso, basic to others."
    )
    store_name: str = Field(
        default="main", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Name of this store; an engine may hold several."
    )
    store_seconds: float = Field(default=60, gt=0, description="Longest time of one query at the external engine.")
    store_write_seconds: float = Field(default=900, gt=0, description="Longest time of one write at it.")
    store_max_bytes: int = Field(
        default=1_000_000_000, ge=1_000_000, description="Longest answer that is taken from it, in bytes."
    )
    store_decimal_places: int | None = Field(
        default=None, ge=1, le=100, description="Places to which decimals are rounded for it; 15 for Virtuoso."
    )
    store_checks_here: bool | None = Field(
        default=None,
        description="Whether changes are checked in our own engine; they are for Virtuoso, which errs in some checks.",
    )
    store_queries_at_once: int = Field(
        default=8,
        ge=1,
        le=28,
        description="Strangers' queries that it works on at a time; others wait, or are refused.",
    )
    store_kept_bytes: int = Field(
        default=200_000_000,
        ge=0,
        description="Memory for graphs of the external engine that are kept for the next write, in bytes.",
    )
    beside: bool = Field(
        default=False,
        description="Whether to serve beside another `slmkg serve` on the same data folder, instead of being refused.",
    )
    seed_dir: Path | None = Field(
        default=None, description="Folder of seed data to load instead of the one that ships with slmkg."
    )
    self_review: bool = Field(default=False, description="Let people review what they proposed themselves.")
    agent: str = Field(
        default="operator",
        description="Who acts on the command line: an ORCID iD, or a short name of small letters, digits and hyphens.",
    )
    max_page: int = Field(default=200, ge=1, le=1000, description="Largest page of a list, in items.")
    max_query_bytes: int = Field(default=100_000, ge=1_000, description="Longest SPARQL query that is read, in bytes.")
    max_result_bytes: int = Field(default=50_000_000, ge=1_000, description="Largest SPARQL answer, in bytes.")
    max_result_rows: int = Field(default=100_000, ge=1, description="Most rows or triples of a SPARQL answer.")
    max_update_bytes: int = Field(
        default=50_000_000, ge=1_000, description="Longest SPARQL update, or graph sent to the graph store, in bytes."
    )
    query_seconds: float = Field(default=10, gt=0, description="Longest time of one SPARQL query, without a key.")
    key_query_seconds: float = Field(default=60, gt=0, description="Longest time of one SPARQL query, with a key.")
    queries_at_once: int = Field(default=4, ge=1, description="Queries of one address at a time, without a key.")
    key_queries_at_once: int = Field(default=16, ge=1, description="Queries of one key at a time.")
    seconds_per_minute: float = Field(
        default=60, gt=0, description="Seconds of query time that one address may use in a minute, without a key."
    )
    key_seconds_per_minute: float = Field(
        default=600, gt=0, description="Seconds of query time that one key may use in a minute."
    )
    readers: int = Field(default=2, ge=1, le=64, description="Reader processes that are kept ready.")
    max_readers: int = Field(default=12, ge=1, le=256, description="Reader processes at a time, at the most.")
    max_waiting: int = Field(default=64, ge=0, description="Queries that may wait for a reader; more are refused.")
    reader_megabytes: int = Field(default=512, ge=64, description="Memory that one query may use, in megabytes.")
    in_memory_quads: int = Field(
        default=2_000_000, ge=0, description="Quads up to which readers hold a revision in memory, not on disk."
    )
    answer_cache_bytes: int = Field(
        default=64_000_000, ge=0, description="Memory for answers that are kept for the next one who asks the same."
    )
    picture_seconds: float = Field(default=10, gt=0, description="Longest time of drawing one picture of a chart.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning",
        description="Least weight of lines in the log on standard error; from `info` on, one for each request.",
    )
    metrics: Literal["open", "key", "off"] = Field(
        default="open",
        description="Who may read `/metrics`: everybody, those who send a key, or nobody.",
    )
    telemetry: bool = Field(
        default=False,
        description="Whether traces and metrics of requests go to an OpenTelemetry collector, which the standard "
        "variables name (`OTEL_EXPORTER_OTLP_ENDPOINT`); needs the extra `telemetry`.",
    )
    stop_seconds: int = Field(
        default=20,
        ge=1,
        le=3600,
        description="Longest time that requests have to end when the service stops; what is left is cut off.",
    )
    webhook_private: bool = Field(
        default=False, description="Whether webhooks may go to private and local addresses: for tests and closed nets."
    )
    webhook_tries: int = Field(
        default=12, ge=1, le=100, description="Tries of one delivery before it becomes a dead letter."
    )
    webhook_seconds: float = Field(default=10, gt=0, le=300, description="Longest time of one try of a delivery.")
    webhook_first_pause: float = Field(
        default=5, gt=0, description="Seconds before the second try; each further pause is twice as long, to an hour."
    )
    jobs_worker: bool = Field(
        default=True, description="Whether the service measures the cells of jobs itself; workers elsewhere may anyway."
    )
    jobs_cell_seconds: float = Field(
        default=3600, gt=0, le=604_800, description="Longest time of measuring one cell, in seconds."
    )
    jobs_cell_megabytes: int | None = Field(
        default=None,
        ge=16,
        description="Memory that measuring one cell may take, in megabytes; four fifths of the machine's by default.",
    )
    orkg_url: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Address of the Open Research Knowledge Graph (ORKG); `https://orkg.org` to read from and the "
        "sandbox to write to when left out.",
    )
    orkg_accounts_url: str = Field(
        default="https://accounts.orkg.org", pattern=_ADDRESS, description="Address of its identity service."
    )
    orkg_user: str | None = Field(default=None, min_length=1, description="Name of an ORKG account, to write with.")
    orkg_password: SecretStr | None = Field(default=None, description="Its password.")
    orkg_contact: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]{3,200}$",
        description="Address of a person, which the ORKG is told with each request.",
    )
    orkg_per_second: float = Field(
        default=2, gt=0, le=1_000, description="Most requests to it in a second; never more than 2 to orkg.org itself."
    )
    orkg_settle_seconds: float = Field(
        default=20,
        ge=0,
        le=600,
        description="Seconds after an answer of the ORKG to a write was lost, until what became of it is looked for.",
    )
    projections_kept: int = Field(
        default=20, ge=1, le=10_000, description="Revisions whose columns for comparisons are kept on disk."
    )
    prune: bool = Field(
        default=True,
        description="Whether the service lets go once a day, when nobody asks, of what lies outside of the bounds that "
        "other settings give (`slmkg prune`).",
    )
    jobs_kept_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        description="Days for which a job stays listed after it ended and its results were brought into the graph.",
    )
    jobs_models_bytes: int = Field(
        default=20_000_000_000,
        ge=0,
        description="Room for model files that were made to be measured, in bytes; those unused for longest go first.",
    )
    orkg_pulls_kept: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Pulls of one comparison of the ORKG that are kept with their raw answers; the first always is.",
    )
    revisions_kept: int | None = Field(
        default=None,
        ge=1,
        description="Revisions whose graph is kept, in a folder; all when left out. Those of releases, those after "
        "them, and those of which webhooks are still to be told are kept in any case, and records and patches of all.",
    )
    scratch: bool = Field(
        default=False, description="Throw-away service: no shapes, no history, and a default graph of its own."
    )

    @model_validator(mode="after")
    def _fit(self) -> Self:
        """What only makes sense with, or without, an external engine."""
        if self.scratch and self.store_url is not None:
            raise ValueError("SLMKG_SCRATCH keeps its graph in a folder; leave SLMKG_STORE_URL out")
        if self.scratch and self.read_only:
            raise ValueError("SLMKG_SCRATCH begins with nothing to read; leave SLMKG_READ_ONLY out")
        if self.store_password is not None and self.store_user is None:
            raise ValueError("SLMKG_STORE_PASSWORD needs SLMKG_STORE_USER")
        if (self.orkg_password is None) != (self.orkg_user is None):
            raise ValueError("SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD need each other")
        return self

    @property
    def faces_others(self) -> bool:
        """Whether others than this machine itself can reach the address to listen on."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def guessable(self) -> bool:
        """Whether the engine's password is one that everybody knows."""
        password = self.store_password
        return password is not None and password.get_secret_value().lower() in _WELL_KNOWN

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Variables for a process of ours that shall have these settings, whatever they were read from.

        Passwords are among them in clear: hand them to our own processes only.
        """
        given: dict[str, str] = {}
        for name, value in self.model_dump().items():
            if value is not None:
                plain = value.get_secret_value() if isinstance(value, SecretStr) else value
                given[f"{_PREFIX}{name}".upper()] = str(plain)
        return {**{name: value for name, value in inherited.items() if not name.startswith(_PREFIX)}, **given}
