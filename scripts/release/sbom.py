"""The software bill of materials of a version, in CycloneDX: what is handed out, and what its extras bring.

It follows from the lock files alone, so that the same checkout gives the same bytes. Every package hangs on slmkg
itself: which of them asks for which is not told. Writes nothing.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from scripts.release.packages import Package, groups

HANDED_OUT = {
    "service": ComponentScope.REQUIRED,
    "browser": ComponentScope.REQUIRED,
    "telemetry": ComponentScope.OPTIONAL,
    "measure": ComponentScope.OPTIONAL,
}
"""The groups of packages that are in it. What builds and tests is not."""
_SPACE = uuid.UUID("6f1c1b0e-5d0a-5f58-9a4e-0c8d6f1f9b11")
_LICENCES = LicenseFactory()


def bill(version: str, moment: datetime) -> str:
    """The bill as JSON, for a version that was made at a moment."""
    own = Component(
        name="slmkg",
        version=version,
        type=ComponentType.APPLICATION,
        licenses=[_LICENCES.make_from_string("Apache-2.0")],
        purl=PackageURL("pypi", name="slmkg", version=version),
        bom_ref=f"slmkg@{version}",
    )
    bom = Bom()
    bom.metadata.component = own
    bom.metadata.timestamp = moment
    found = groups()
    parts = [_component(one, scope) for group, scope in HANDED_OUT.items() for one in found[group]]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(own, parts)
    names = " ".join(sorted(str(part.bom_ref) for part in parts))
    bom.serial_number = uuid.uuid5(_SPACE, f"{version} {moment.isoformat()} {names}")
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(package: Package, scope: ComponentScope) -> Component:
    space, _, name = package.name.rpartition("/")
    purl = PackageURL(package.kind, namespace=space or None, name=name, version=package.version)
    return Component(
        name=name,
        group=space or None,
        version=package.version,
        type=ComponentType.LIBRARY,
        scope=scope,
        licenses=[_LICENCES.make_from_string(package.licence)],
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=package.sha512)] if package.sha512 else (),
        # one for each file of the package (wheels of several machines, source): any of them may be installed
        properties=[Property(name="slmkg:locked:sha256", value=digest) for digest in package.sha256],
    )
