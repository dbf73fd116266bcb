"""Leases, machines, environments and schedules as JSON: what goes between a service and workers elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.errors import BadValue
from app.jobs.values import Lease, Machine
from app.measure.records import from_json, to_json
from app.measure.values import Cell, Environment

LONGEST_NAME = 200


def environment_record(environment: Environment) -> dict[str, Any]:
    """An environment as JSON."""
    return {
        "fingerprint": environment.fingerprint,
        "hardware": dict(environment.hardware),
        "software": dict(environment.software),
    }


def environment_of(record: Any, pointer: str = "/environment") -> Environment:
    """An environment from JSON; BadValue."""
    if not isinstance(record, Mapping):
        raise BadValue(pointer, "is no environment")
    fingerprint, hardware, software = (record.get(name) for name in ("fingerprint", "hardware", "software"))
    if not isinstance(fingerprint, str) or not 1 <= len(fingerprint) <= LONGEST_NAME:
        raise BadValue(f"{pointer}/fingerprint", "is no fingerprint")
    if not isinstance(hardware, Mapping):
        raise BadValue(f"{pointer}/hardware", "is no object")
    if not isinstance(software, Mapping):
        raise BadValue(f"{pointer}/software", "is no object")
    try:
        return Environment(fingerprint, dict(hardware), dict(software))
    except ValueError as error:
        raise BadValue(f"{pointer}/hardware", str(error)) from error


def machine_record(machine: Machine) -> dict[str, str]:
    """A machine as JSON."""
    return {"identity": machine.identity, "name": machine.name, "worker": machine.worker}


def lease_record(lease: Lease) -> dict[str, Any]:
    """A lease as JSON."""
    return {
        "token": lease.token,
        "job": lease.job,
        "number": lease.number,
        "attempt": lease.attempt,
        "seconds": lease.seconds,
        "cell": to_json(lease.cell),
    }


def lease_of(record: Mapping[str, Any]) -> Lease:
    """A lease from JSON; BadValue."""
    try:
        return Lease(
            str(record["token"]),
            str(record["job"]),
            int(record["number"]),
            int(record["attempt"]),
            from_json(Cell, record["cell"]),
            float(record["seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadValue("", f"is no lease: {error}") from error
