"""The container files say what they should: no root, nothing writable but volumes, health checks, few ways out.

There is no engine for containers here. What can be held without one: two checkers that know the formats, our own rules,
and every setting, command, path and address against the code. The steps themselves are done in `test_wheel.py`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.web.application import create_app
from app.wiring import build
from tests.project.checkout import ROOT, text
from tests.project.deployed import known_command, unknown_variables

DOCKERFILES = ("Dockerfile", "docs/deploy/virtuoso/Dockerfile")
COMPOSE: dict[str, Any] = yaml.safe_load(text("docker-compose.yml"))
SERVICES: dict[str, Any] = COMPOSE["services"]
STAYING = [name for name, service in SERVICES.items() if service["restart"] != "no"]
OUTSIDE = {"proxy", "curator"}
"""The only services that can reach the world."""


def instructions(name: str = "Dockerfile") -> list[tuple[str, str]]:
    """A Dockerfile's instructions with their arguments, continuation lines joined."""
    lines = [line for line in text(name).splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stages(name: str = "Dockerfile") -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name; those of the stage that it is made from come first."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for word, rest in instructions(name):
        if word == "FROM":
            base, _, own = rest.partition(" AS ")
            current = [*found.get(base, ()), (word, rest)]
            found[own or "last"] = current
        else:
            current.append((word, rest))
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A checker that lies beside the interpreter."""
    program = str(Path(sys.executable).parent / command[0])
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


# ---- what checkers of the formats say ----


def test_hadolint_finds_nothing() -> None:
    done = run("hadolint", "--failure-threshold", "style", *DOCKERFILES)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    command = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    done = run(*command, "docker-compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_compose_file_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    bad = tmp_path / "docker-compose.yml"
    bad.write_text(text("docker-compose.yml").replace("read_only: true", "readonly: true"), encoding="utf-8")
    assert run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(bad)).returncode == 1


# ---- the images ----


def test_every_base_has_a_version_and_nothing_is_fetched_by_address() -> None:
    for name in DOCKERFILES:
        own = set(stages(name))
        for word, rest in instructions(name):
            assert word != "ADD"
            if word == "FROM":
                base = rest.partition(" AS ")[0]
                assert base in own or re.fullmatch(r"[a-z]+:[0-9a-z.-]*\d[0-9a-z.-]*|debian:[a-z]+-slim", base), rest
            assert not re.search(r"https?://(?!127\.0\.0\.1|slmkg:)", rest), rest
    for name, service in SERVICES.items():
        assert re.search(r":.*\d", service["image"]), name


def test_no_compiler_and_no_installer_in_what_runs() -> None:
    for name in ("web", "worker"):
        ran = [rest for word, rest in stages()[name] if word == "RUN"]
        assert not any(re.search(r"\bpip\b|npm|build-essential|hatchling", rest) for rest in ran), name
    for name in ("web-environment", "worker-environment"):
        assert any("--without-pip" in rest for _, rest in stages()[name])


def test_packages_are_checked_against_hashes() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "--requirement" in rest]
    assert len(installs) == 3
    assert all("--require-hashes --no-deps" in rest for rest in installs)
    others = [rest for word, rest in instructions() if "pip" in rest and "install" in rest and rest not in installs]
    assert all("--no-deps --no-index" in rest for word, rest in instructions() if rest in others and word == "RUN")


def test_the_package_lists_of_debian_do_not_stay() -> None:
    for name in DOCKERFILES:
        for word, rest in instructions(name):
            if word == "RUN" and "apt-get install" in rest:
                assert "--no-install-recommends" in rest
                assert "rm -rf /var/lib/apt/lists/*" in rest


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    lines = text(".dockerignore").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    for name in allowed:
        assert (ROOT / name).exists(), name
    assert {"app", "data", "ontology", "shapes", "requirements", "pyproject.toml", "README.md", "LICENSE"} <= allowed
    for dockerfile in DOCKERFILES:
        context = (ROOT / dockerfile).parent
        for word, rest in instructions(dockerfile):
            if word == "COPY" and "--from" not in rest:
                *sources, _ = rest.split()
                assert [one for one in sources if not (context / one).exists()] == [], dockerfile
                if context == ROOT:
                    assert all(one == "." or PurePosixPath(one).parts[0] in allowed for one in sources)


def test_lock_files_are_copied_before_the_program() -> None:
    """So that a change of the program does not install every package anew."""
    for name in ("wheel", "web-environment", "worker-environment"):
        steps = [rest for _, rest in stages()[name]]
        locks = next(index for index, rest in enumerate(steps) if "--requirement" in rest)
        program = next(index for index, rest in enumerate(steps) if rest == ". ." or rest.endswith("/dist /dist"))
        assert locks < program, name


def test_the_user_is_not_root() -> None:
    for found in (stages()["web"], stages()["worker"], stages("docs/deploy/virtuoso/Dockerfile")["last"]):
        *_, last = [rest for word, rest in found if word == "USER"]
        assert int(last.partition(":")[0]) > 0
        assert [word for word, _ in found].index("USER") < [word for word, _ in found].index("CMD")
    assert all(int(service["user"].partition(":")[0]) > 0 for service in SERVICES.values())


def test_the_images_set_known_settings_and_write_into_their_volume_only() -> None:
    for name in ("web", "worker"):
        parts = [part for word, rest in stages()[name] if word == "ENV" for part in shlex.split(rest)]
        environment = dict(part.split("=", 1) for part in parts)
        assert unknown_variables(environment) == []
        (volume,) = [rest for word, rest in stages()[name] if word == "VOLUME"]
        assert environment["SLMKG_DATA_DIR"] == volume
        assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
        assert environment["HOME"] == "/tmp"


def test_the_images_start_known_commands() -> None:
    for name in ("web", "worker"):
        (command,) = [yaml.safe_load(rest) for word, rest in stages()[name] if word == "CMD" and "slmkg" in rest]
        assert known_command(command)


# ---- the services ----


@pytest.mark.parametrize("name", SERVICES)
def test_rights_are_taken_away(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) <= ({"NET_BIND_SERVICE"} if name == "proxy" else set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert [mount for mount in service["tmpfs"] if not re.match(r"/tmp:size=\d+[mg],", mount)] == []
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_only_proxy_and_curator_can_reach_the_world() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "outside" in service["networks"]} == OUTSIDE
    assert all("inside" in service["networks"] for service in SERVICES.values())


def test_only_the_proxy_is_published_and_on_this_machine_only() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    (port,) = SERVICES["proxy"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.rsplit(":", 1)[1] == SERVICES["proxy"]["environment"]["SLMKG_SITE"].lstrip(":")
    (exposed,) = [rest for word, rest in stages()["web"] if word == "EXPOSE"]
    assert SERVICES["proxy"]["environment"]["SLMKG_UPSTREAM"] == f"slmkg:{exposed}"
    assert SERVICES["slmkg"]["environment"]["SLMKG_PORT"] == exposed


def test_the_service_believes_the_proxy_and_nobody_else_who_asks() -> None:
    (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert SERVICES["slmkg"]["environment"]["FORWARDED_ALLOW_IPS"] == network["subnet"]


@pytest.mark.parametrize("name", STAYING)
def test_what_stays_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    if check["test"][1] == "python":
        compile(check["test"][3], "healthcheck", "exec")
    assert check["retries"] >= 2


def test_health_checks_ask_an_address_that_there_is(tmp_path: Path) -> None:
    application = create_app(build(Settings(data_dir=tmp_path)))
    known = set(application.openapi()["paths"])
    asked = re.findall(r"(?:8000|8080|\+ ')(/[a-z]+)\b", text("docker-compose.yml") + text("Dockerfile"))
    assert len(asked) >= 4
    assert set(asked) <= known


@pytest.mark.parametrize("name", SERVICES)
def test_variables_are_settings_and_commands_are_commands(name: str) -> None:
    service = SERVICES[name]
    assert unknown_variables(service.get("environment", {})) == []
    if "command" in service:
        assert known_command(service["command"])
    for file in service.get("env_file", ()):
        assert (ROOT / "docs" / "deploy" / f"{file['path']}.example").exists()
        assert file["required"] is False


def test_volumes_and_networks_are_declared_and_lie_where_the_image_writes() -> None:
    for name, service in SERVICES.items():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        for mount in service["volumes"]:
            source, target = mount.split(":")[:2]
            if source.startswith("."):
                assert (ROOT / source).is_file()
                continue
            assert source in COMPOSE["volumes"]
            file = f"{service['build']['context'].rstrip('.')}/Dockerfile".lstrip("/")
            stage = service["build"].get("target", "last")
            assert [rest for word, rest in stages(file)[stage] if word == "VOLUME"] == [target], name


def test_targets_exist_and_the_plain_build_is_the_service() -> None:
    targets = {service["build"]["target"] for service in SERVICES.values() if "target" in service.get("build", {})}
    assert targets == {"web", "worker"}
    assert targets <= stages().keys()
    assert list(stages())[-1] == "web"


def test_the_images_hold_what_their_commands_need() -> None:
    """Traces in the service, an engine in the worker, each from a lock file of its own."""
    assert any("requirements/telemetry.txt" in rest for _, rest in stages()["web-environment"])
    assert any("requirements/measure.txt" in rest for _, rest in stages()["worker-environment"])
    assert SERVICES["slmkg"]["environment"]["SLMKG_JOBS_WORKER"] == "false", "the service has no engine"
