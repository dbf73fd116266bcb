"""Traces and metrics for a collector: what it gets from a real service, and what it never gets."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.errors import BadParameter, ExtraMissing
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.web import telemetry as module
from tests.cli.run import slmkg
from tests.store.quads import change, quad
from tests.web.serving import serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
WORD = "zebracorn"


@pytest.fixture
def collector() -> Iterator[tuple[str, dict[str, list[bytes]]]]:
    """A collector on the loopback: its address, and what it got by path."""
    got: dict[str, list[bytes]] = defaultdict(list)

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got[self.path].append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_a_collector_gets(
    tmp_path: Path, collector: tuple[str, dict[str, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    EmbeddedStore(tmp_path / "var" / "store").apply(change([quad("s", 1)]), expect=0)
    log = tmp_path / "log"
    with serving(tmp_path / "var", log=log, telemetry="true", log_level="info") as base:
        parent = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        query = {"query": f"ASK {{ ?{WORD} ?p ?o }}"}
        answer = httpx.get(f"{base}/sparql", params=query, headers=parent)
        assert answer.status_code == 200
        httpx.get(f"{base}/api/v1/models/{WORD}%3Fx", params={WORD: "1"})
        httpx.get(f"{base}/SELECT%20*%20{WORD}")
        for path in module.WATCHERS:
            httpx.get(base + path)
    assert got.keys() == {"/v1/traces", "/v1/metrics"}, "no logs are sent"
    spans = [
        span
        for body in got["/v1/traces"]
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    served = [span for span in spans if _attributes(span).get("http.request.method")]
    asked = next(span for span in served if _attributes(span)["url.path"] == "/sparql")
    known = _attributes(asked)
    assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, CALLER)
    assert known["http.response.status_code"] == "200"
    assert known["url.query"] == "hidden"
    assert known["slmkg.request"] == answer.headers["x-request-id"]
    assert known["slmkg.revision"] == "1"
    assert len(known["slmkg.query"]) == 16
    line = next(line for line in log.read_text().splitlines() if answer.headers["x-request-id"] in line)
    assert f'"trace":"{TRACE}","span":"{asked.span_id.hex()}"' in line
    assert not {_attributes(span)["url.path"] for span in served} & module.WATCHERS
    names = {
        metric.name
        for body in got["/v1/metrics"]
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert "http.server.request.duration" in names
    bodies = b"".join(body for bodies in got.values() for body in bodies)
    assert b"slmkg" in bodies, "the name of the service"
    assert b"?zebracorn" not in bodies
    assert b"zebracorn=1" not in bodies
    assert b"SELECT * " not in bodies


def _attributes(span: Any) -> dict[str, str]:
    return {one.key: str(getattr(one.value, one.value.WhichOneof("value"))) for one in span.attributes}


def test_without_the_setting_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    assert module.telemetry(Settings()) == {
        "tracing": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }


def test_a_collector_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module._ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadParameter, match="nothing says where"):
        module.telemetry(Settings(telemetry=True))
    done = slmkg(tmp_path, "serve", telemetry="true")
    assert (done.returncode, "SLMKG_TELEMETRY" in done.stderr) == (2, True)
    assert "serving on" not in done.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(ExtraMissing) as told:
        module.telemetry(Settings(telemetry=True))
    assert "slmkg[telemetry]" in told.value.advice
