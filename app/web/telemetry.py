"""Traces and metrics of requests for an OpenTelemetry collector, by FastAPI's own instrumentation. Off by default.

The instrumentation writes whole addresses into spans, and exceptions with their words into logs. What was asked must
not leave the service: spans get no parameters and only the plain part of a path, and no logs are sent. The standard
variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and its neighbours) say where to; what watches over the service is left out.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from fastapi.telemetry import TelemetryConfig

from app.errors import BadParameter, ExtraMissing
from app.settings import Settings
from app.web.logs import path_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

WATCHERS = frozenset({"/livez", "/readyz", "/metrics"})
NAME = "slmkg"
"""Name of the service in traces, unless OTEL_SERVICE_NAME says another."""
_OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_HIDDEN = "hidden"


def telemetry(settings: Settings) -> TelemetryConfig:
    """How FastAPI is to instrument the application; BadParameter without an address, ExtraMissing without packages."""
    if not settings.telemetry:
        return _OFF
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        raise BadParameter(
            "SLMKG_TELEMETRY",
            "nothing says where the collector is",
            advice=f"Set {_ENDPOINTS[0]}, to http://127.0.0.1:4318 for one on this machine.",
        )
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401, PLC0415 - only the extra brings it
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing("opentelemetry-exporter-otlp-proto-http", "telemetry") from error

    class Hiding(SpanProcessor):
        """Takes out of each span what was asked, before any exporter sees it."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            found = span.attributes or {}
            if "url.query" in found:
                span.set_attribute("url.query", _HIDDEN)
            path = found.get("url.path")
            if isinstance(path, str):
                span.set_attribute("url.path", path_of({"path": path}))

    os.environ.setdefault("OTEL_SERVICE_NAME", NAME)
    provider = TracerProvider(shutdown_on_exit=False)  # FastAPI ends the exporter that it adds
    provider.add_span_processor(Hiding())
    return {"tracer_provider": provider, "logs": False, "auto_configure": True, "exclude": _watches}


def _watches(scope: MutableMapping[str, Any]) -> bool:
    return scope.get("path") in WATCHERS
