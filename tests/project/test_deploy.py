"""Units of systemd and files of proxies: their commands, settings, limits and paths are those of the program."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from app.settings import Settings
from app.web.application import create_app
from app.web.patience import HEAD_BYTES, OPTIONS
from app.wiring import build
from tests.project.checkout import ROOT, files, text
from tests.project.deployed import known_command, unknown_variables

UNITS = [path.relative_to(ROOT).as_posix() for path in files(".service", under="docs/deploy")]
EXAMPLES = [path.relative_to(ROOT).as_posix() for path in files(".example", under="docs/deploy")]
DEFAULTS = Settings.model_construct()
PAGE = text("docs/how-to/deploy.md")


def options(unit: str) -> dict[str, list[str]]:
    """The settings of a unit with their values, in order; a name may come several times."""
    found: dict[str, list[str]] = {}
    for line in text(unit).splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def seconds(told: str) -> int:
    """A time as proxies write it: 90s, 1h."""
    return int(told[:-1]) * {"s": 1, "m": 60, "h": 3600}[told[-1]]


# ---- systemd ----


def test_there_are_units() -> None:
    assert len(UNITS) == 3
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_runs_a_command_that_there_is(unit: str) -> None:
    (line,) = options(unit)["ExecStart"]
    words = shlex.split(line.replace("%%", "%"))
    if words[0] == "/bin/sh":
        words = shlex.split(words[2])[1:]
    assert words[0] == "/srv/slmkg/bin/slmkg"
    assert known_command(words), line


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_takes_rights_away(unit: str) -> None:
    found = options(unit)
    assert found["User"] == found["Group"] == ["slmkg"]
    assert found["CapabilityBoundingSet"] == [""]
    assert found["ProtectSystem"] == ["strict"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateDevices", "RestrictNamespaces", "ProtectKernelModules"):
        assert found[name] == ["yes"], name
    assert "MemoryDenyWriteExecute" not in found, "charts are drawn by a program that translates while it runs"
    assert ("PrivateTmp" in found) is (unit != "docs/deploy/systemd/slmkg-worker.service"), "the lock of workers"


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_has_known_settings_and_writes_where_it_may(unit: str) -> None:
    found = options(unit)
    set_here = dict(pair.split("=", 1) for pair in found["Environment"])
    assert unknown_variables(set_here) == []
    folder = set_here["SLMKG_DATA_DIR"]
    allowed = [f"/var/lib/{name}" for name in found.get("StateDirectory", ())]
    assert folder in [*allowed, *" ".join(found.get("ReadWritePaths", ())).split()]


def test_the_service_has_time_to_stop() -> None:
    (time,) = options("docs/deploy/systemd/slmkg.service")["TimeoutStopSec"]
    assert int(time) >= DEFAULTS.stop_seconds + 10
    assert int(time) <= int(re.findall(r"stop_grace_period: (\d+)s", text("docker-compose.yml"))[0])


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_settings_names_settings(example: str) -> None:
    lines = [line.removeprefix("#") for line in text(example).splitlines() if re.match(r"#?[A-Z_]+=", line)]
    given = dict(line.split("=", 1) for line in lines)
    assert given
    assert unknown_variables(given) == []
    of_ours = {name.removeprefix("SLMKG_").lower(): value for name, value in given.items() if value}
    Settings(**{name: value for name, value in of_ours.items() if name in Settings.model_fields})  # type: ignore[arg-type]


# ---- proxies ----


def test_nginx_waits_and_lets_through_what_the_service_takes() -> None:
    conf = text("docs/deploy/nginx.conf")
    waits = [seconds(told) for told in re.findall(r"proxy_read_timeout (\w+);", conf)]
    assert min(waits) > DEFAULTS.key_query_seconds
    (body,) = re.findall(r"client_max_body_size (\d+)m;", conf)
    assert int(body) * 1_000_000 > DEFAULTS.max_update_bytes
    ((number, size),) = re.findall(r"large_client_header_buffers (\d+) (\d+)k;", conf)
    assert int(size) * 1024 > DEFAULTS.max_query_bytes
    assert int(number) * int(size) * 1024 >= HEAD_BYTES
    (idle,) = re.findall(r"keepalive_timeout (\w+);", conf)
    assert seconds(idle) < OPTIONS["timeout_keep_alive"]
    assert f"server 127.0.0.1:{DEFAULTS.port};" in conf
    assert "gzip off;" in conf
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in conf, "and not what the client sent"
    assert conf.count("{") == conf.count("}")


def test_caddy_waits_and_lets_through_what_the_service_takes() -> None:
    conf = text("docs/deploy/Caddyfile")
    (wait,) = re.findall(r"response_header_timeout (\w+)", conf)
    assert seconds(wait) > DEFAULTS.key_query_seconds
    (body,) = re.findall(r"max_size (\d+)MB", conf)
    assert int(body) * 1_000_000 > DEFAULTS.max_update_bytes
    (idle,) = re.findall(r"keepalive (\w+)", conf)
    assert seconds(idle) < OPTIONS["timeout_keep_alive"]
    assert f"{{$SLMKG_UPSTREAM:127.0.0.1:{DEFAULTS.port}}}" in conf
    assert "\tencode" not in conf
    assert unknown_variables(re.findall(r"\{\$(\w+)", conf)) == []


def test_nginx_streams_and_keeps_the_addresses_that_are_meant(tmp_path: Path) -> None:
    paths = create_app(build(Settings(data_dir=tmp_path))).openapi()["paths"]
    streams = [path.replace("{id}", "8ae235fed83f") for path in paths if path.endswith("/events")]
    conf = text("docs/deploy/nginx.conf")
    kept, streamed = (re.compile(place) for place in re.findall(r"location ~ (\S+) \{", conf))
    assert streams
    assert all(streamed.search(path) for path in streams), streams
    assert all(kept.search(path) for path in ("/r/7/api/v1/compare", "/r/7/models", "/releases/2026.11/models.csv"))
    assert not any(kept.search(path) for path in ("/compare", "/releases/2026.11", "/r/7/sparql", "/r/2026.11/models"))


# ---- the page ----


def test_the_page_names_every_service_unit_and_file() -> None:
    for path in files(under="docs/deploy"):
        inside = path.relative_to(ROOT / "docs" / "deploy")
        assert f"../deploy/{inside}" in PAGE or inside.parts[0] == "virtuoso", inside
    for name in re.findall(r"^  ([a-z]+):$", text("docker-compose.yml").partition("services:")[2], re.MULTILINE):
        if name not in {"inside", "graph", "measuring", "engine"}:
            assert f"`{name}`" in PAGE, name


def test_the_shell_files_can_be_read_by_the_shell() -> None:
    for path in files(".sh", under="docs/deploy"):
        done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "set -euo pipefail" in path.read_text(encoding="utf-8")
