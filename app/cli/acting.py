"""Who acts at the command line: `--as`, or SLMKG_AGENT; `operator` where nobody says who it is."""

from __future__ import annotations

from typing import Annotated

import typer

from app.errors import BadParameter
from app.model.agents import Agent, agent_named
from app.settings import Settings

As = Annotated[str | None, typer.Option("--as", help="Who acts: ORCID iD or short name; SLMKG_AGENT by default.")]


def acting(named: str | None, settings: Settings) -> Agent:
    """The agent that an option or else the setting names; BadParameter."""
    return agent("SLMKG_AGENT", settings.agent) if named is None else agent("--as", named)


def agent(parameter: str, written: str) -> Agent:
    """The agent with this ORCID iD or short name; BadParameter."""
    try:
        return agent_named(written)
    except ValueError as error:
        raise BadParameter(parameter, str(error), advice="Write e.g. ada-lovelace or 0000-0002-1825-0097.") from error
