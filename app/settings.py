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
    data_dir: Path = Field(default=Path("var"), description="Folder of the embedded store; made when missing.")
    seed_dir: Path | None = Field(
        default=None, description="Folder of seed data to load instead of the one that ships with slmkg."
    )
    max_page: int = Field(default=200, ge=1, le=1000, description="Largest page of a list, in items.")
    max_query_bytes: int = Field(default=100_000, ge=1_000, description="Longest SPARQL query that is read, in bytes.")
    max_result_bytes: int = Field(default=50_000_000, ge=1_000, description="Largest SPARQL answer, in bytes.")
