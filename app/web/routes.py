"""Starlette's own routes, which cost less than FastAPI's, and say in the scope which they are, as FastAPI's do."""

from __future__ import annotations

from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Scope


class PlainRoute(Route):
    """A route without FastAPI's parameters and checks."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route serves a request, and what it adds to its scope."""
        return _named(self, *super().matches(scope))


class PlainMount(Mount):
    """An application below a path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request goes there, and what this adds to its scope."""
        return _named(self, *super().matches(scope))


def _named(route: BaseRoute, match: Match, child: Scope) -> tuple[Match, Scope]:
    return match, child if match is Match.NONE else {**child, "route": route}
