"""The double without a socket: a transport for httpx that asks it directly. For campaigns of thousands of runs.

Same code, same state, same control routes as over a socket; only time does not pass: a slow answer comes at once, or
the client's patience ends at once when its limit is shorter.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import httpx

from tests.orkg_double.double import Double
from tests.orkg_double.messages import Request
from tests.orkg_double.steering import Steering

ADDRESS = "http://orkg.test"


class Crashed(BaseException):
    """The client dies here. No `except Exception` can hold it up, as nothing can hold up a killed process."""


class Inside(httpx.BaseTransport):
    """Carries requests to a double in this process, and lets it cut connections, be slow, or kill the client."""

    def __init__(self, double: Double) -> None:
        self.double = double

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outcome = self.double.outcome(
            Request(
                request.method,
                unquote(request.url.raw_path.decode("ascii").partition("?")[0]),
                tuple(parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)),
                {name.lower(): value for name, value in request.headers.items()},
                request.read(),
            )
        )
        if outcome.crash:
            raise Crashed
        patience = request.extensions.get("timeout", {}).get("read")
        if outcome.delay and patience is not None and outcome.delay > patience:
            raise httpx.ReadTimeout("the answer is too late", request=request)
        if outcome.answer is None:
            raise httpx.RemoteProtocolError("the server cut the connection without an answer", request=request)
        return httpx.Response(
            outcome.answer.status, headers=list(outcome.answer.headers), content=outcome.answer.body, request=request
        )


def inside(world: str = "synthetic", **options: object) -> tuple[Inside, Steering]:
    """A new double in this process: a transport that reaches it under ADDRESS, and what steers it."""
    transport = Inside(Double(world, **options))
    return transport, Steering(httpx.Client(transport=transport, base_url=ADDRESS))
