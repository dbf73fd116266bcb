"""The container files say what they should: no root, nothing writable but the volume, a health check, no open port."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath
from typing import Any

import yaml

from app.settings import Settings
from tests.project.checkout import ROOT, text

INSTRUCTIONS = {
    *("FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR"),
    *("ARG", "HEALTHCHECK", "STOPSIGNAL", "SHELL"),
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continuation lines joined."""
    lines = [line for line in text("Dockerfile").splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(name, " ".join(rest.split())) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def service() -> dict[str, Any]:
    compose = yaml.safe_load(text("docker-compose.yml"))
    assert list(compose["services"]) == ["slmkg"]
    found: dict[str, Any] = compose["services"]["slmkg"]
    return found


def test_every_instruction_is_one() -> None:
    assert {name for name, _ in instructions()} <= INSTRUCTIONS
    assert instructions()[0][0] == "FROM"


def test_two_stages_and_no_build_tools_in_the_last() -> None:
    assert sum(name == "FROM" for name, _ in instructions()) == 2
    assert not any("pip install" in rest or "npm" in rest for _, rest in last_stage())


def test_packages_are_checked_against_hashes() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "requirements/" in rest]
    assert installs
    assert all("--require-hashes" in rest for rest in installs)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert text(".dockerignore").splitlines()[0] == "*"
    for name in allowed:
        assert (ROOT / name).exists(), name
    needed = ("app", "data", "ontology", "shapes", "requirements", "pyproject.toml", "README.md", "LICENSE")
    assert set(needed) <= allowed


def test_the_user_is_not_root() -> None:
    users = [rest for name, rest in last_stage() if name == "USER"]
    assert len(users) == 1
    assert int(users[0]) > 0


def test_the_image_sets_known_settings_and_writes_into_its_volume_only() -> None:
    (environment,) = [
        dict(part.split("=", 1) for part in shlex.split(rest)) for name, rest in last_stage() if name == "ENV"
    ]
    own = {name for name in environment if name.startswith("SLMKG_")}
    assert {name.removeprefix("SLMKG_").lower() for name in own} <= set(Settings.model_fields)
    (volume,) = [rest for name, rest in last_stage() if name == "VOLUME"]
    assert environment["SLMKG_DATA_DIR"] == volume
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_both_files_ask_the_service_whether_it_lives() -> None:
    (check,) = [rest for name, rest in last_stage() if name == "HEALTHCHECK"]
    assert "/livez" in check
    test = service()["healthcheck"]["test"]
    assert test[0] == "CMD"
    assert "/livez" in test[-1]


def test_the_program_of_the_compose_check_compiles() -> None:
    compile(service()["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_compose_publishes_on_this_machine_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in service()["ports"])
    (exposed,) = [rest for name, rest in last_stage() if name == "EXPOSE"]
    assert all(port.rsplit(":", 1)[1] == exposed for port in service()["ports"])


def test_compose_mounts_its_volume_where_the_image_writes() -> None:
    compose = yaml.safe_load(text("docker-compose.yml"))
    (mount,) = service()["volumes"]
    name, _, target = mount.partition(":")
    assert name in compose["volumes"]
    assert PurePosixPath(target) == PurePosixPath(next(rest for key, rest in last_stage() if key == "VOLUME"))


def test_compose_takes_rights_away() -> None:
    assert service()["read_only"] is True
    assert service()["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service()["security_opt"]
