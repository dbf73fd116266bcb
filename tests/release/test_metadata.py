"""What a release says of itself: DCAT, DataCite and CITATION agree with the manifest and with their own rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
import yaml

from app import vocab
from app.release.values import FILES
from app.services import Services

# DataCite 4.5: what a record must have, and the words it may use where they are fixed.
MANDATORY = ("creators", "titles", "publisher", "publicationYear", "types", "schemaVersion")
RELATIONS = {"IsNewVersionOf", "IsVersionOf", "IsDerivedFrom"}
RELATED_TYPES = {"URL", "arXiv", "DOI"}
DESCRIPTIONS = {"Abstract", "TechnicalInfo"}


@pytest.fixture(params=["2026.11", "2026.12"])
def release(request: pytest.FixtureRequest, released: Services) -> tuple[Services, str, Path]:
    name: str = request.param
    return released, name, released.settings.data_dir / "releases" / name


def test_datacite_has_what_a_doi_needs(release: tuple[Services, str, Path]) -> None:
    services, name, folder = release
    manifest = services.releases.find(name)
    record: dict[str, Any] = json.loads((folder / "datacite.json").read_text(encoding="utf-8"))
    assert all(record[one] for one in MANDATORY)
    assert "doi" not in record, "a person mints it"
    assert record["schemaVersion"] == "http://datacite.org/schema/kernel-4"
    assert re.fullmatch(r"\d{4}", record["publicationYear"])
    assert record["types"]["resourceTypeGeneral"] == "Dataset"
    assert record["version"] == name
    assert all(one["nameType"] == "Organizational" and one["name"] for one in record["creators"])
    assert {one["contributorType"] for one in record["contributors"]} == {"DataCurator"}
    assert all(
        re.fullmatch(r"\d{4}-\d{2}-\d{2}", one["date"]) and one["dateType"] == "Created" for one in record["dates"]
    )
    for one in record["relatedIdentifiers"]:
        assert one.keys() == {"relatedIdentifier", "relatedIdentifierType", "relationType"}
        assert one["relationType"] in RELATIONS
        assert one["relatedIdentifierType"] in RELATED_TYPES
        assert one["relatedIdentifier"].startswith(("https://", "http://", "arXiv:"))
    (rights,) = record["rightsList"]
    assert (rights["rightsIdentifier"], rights["rightsIdentifierScheme"]) == ("CC-BY-4.0", "SPDX")
    assert {one["descriptionType"] for one in record["descriptions"]} == DESCRIPTIONS
    assert manifest.graph_sha256 in json.dumps(record)
    older = [one for one in record["relatedIdentifiers"] if one["relationType"] == "IsNewVersionOf"]
    assert [one["relatedIdentifier"] for one in older] == ([f"{vocab.release.NS}2026.11"] if name == "2026.12" else [])


def test_the_citation_file_is_yaml_with_what_cff_asks_for(release: tuple[Services, str, Path]) -> None:
    _, name, folder = release
    record = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= record.keys()
    assert (record["cff-version"], record["type"], record["version"]) == ("1.2.0", "dataset", name)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", record["date-released"])
    assert record["authors"] == [{"name": "The slmkg team"}]
    assert record["license"] == "CC-BY-4.0"


def test_dcat_lists_the_files_with_their_sums(release: tuple[Services, str, Path]) -> None:
    services, name, folder = release
    manifest = services.releases.find(name)
    store = ox.Store()
    store.bulk_load(path=str(folder / "dcat.ttl"), format=ox.RdfFormat.TURTLE)
    found = store.query(
        "SELECT ?address ?size ?sum ?type WHERE { ?r a dcat:Dataset ; dcat:distribution ?d . ?d a dcat:Distribution ; "
        "dcat:downloadURL ?address ; dcat:byteSize ?size ; dcat:mediaType ?type ; dct:license ?l ; "
        "spdx:checksum [ spdx:checksumValue ?sum ; spdx:algorithm spdx:checksumAlgorithm_sha256 ] }",
        prefixes={"dcat": vocab.dcat.NS, "dct": vocab.dct.NS, "spdx": vocab.spdx.NS},
    )
    assert isinstance(found, ox.QuerySolutions)
    listed = {row["address"].value: (int(row["size"].value), row["sum"].value) for row in found}
    data = {one for one in manifest.files if f"{manifest.iri}/{one.name}" in listed}
    assert listed == {f"{manifest.iri}/{one.name}": (one.bytes, one.sha256) for one in data}
    assert {one.name for one in data} >= {one for one, kind in FILES.items() if kind.data}


def test_the_record_in_json_ld_says_the_same(release: tuple[Services, str, Path]) -> None:
    _, _, folder = release
    turtle = frozenset(ox.parse(path=str(folder / "dcat.ttl"), format=ox.RdfFormat.TURTLE))
    json_ld = frozenset(ox.parse((folder / "dcat.jsonld").read_bytes(), format=ox.RdfFormat.JSON_LD))
    assert turtle == json_ld
    assert len(turtle) > 100


def test_the_readme_describes_every_file_and_column(release: tuple[Services, str, Path]) -> None:
    services, name, folder = release
    text = (folder / "README.md").read_text(encoding="utf-8")
    for file in FILES:
        assert f"| `{file}` |" in text
    for stem in ("models", "claims", "observations"):
        header = (folder / f"{stem}.csv").read_text(encoding="utf-8").splitlines()[0]
        for column in header.split(","):
            assert column.endswith(".status") or f"| {column} |" in text, column
    assert services.releases.find(name).graph_sha256 in text


def test_no_file_tells_of_the_machine_or_of_today(release: tuple[Services, str, Path]) -> None:
    _, _, folder = release
    for path in folder.iterdir():
        if path.suffix in {".md", ".json", ".jsonld", ".ttl", ".cff", ".csv"}:
            text = path.read_text(encoding="utf-8")
            assert str(folder.parent) not in text
