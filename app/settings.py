"""Settings of one process, read once from the environment (`SLMKG_…`) by `wiring` and `cli`; never changed."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where to listen and where the data lies. Every field is an environment variable with prefix `SLMKG_`."""

    model_config = SettingsConfigDict(env_prefix="SLMKG_", frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s<>\"{}|^`\\]+$",
        description="Address under which the world reaches the service; each request says it when left out.",
    )
    data_dir: Path = Field(default=Path("var"), description="Folder of the embedded store; made when missing.")
    seed_dir: Path | None = Field(
        default=None, description="Folder of seed data to load instead of the one that ships with slmkg."
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
    projections_kept: int = Field(
        default=20, ge=1, le=10_000, description="Revisions whose columns for comparisons are kept on disk."
    )
    scratch: bool = Field(
        default=False, description="Throw-away service: no shapes, no history, and a default graph of its own."
    )
