"""What can be compared, checked against the vocabulary that the program was built with."""

from __future__ import annotations

import pytest

from app import vocab
from app.compare.properties import DEFAULT, choose
from app.compare.reader import stored_queries
from app.errors import BadParameter
from app.services import Services


def test_every_claimable_property_of_models_is_there(seed_services: Services) -> None:
    found = {one.iri: one for one in seed_services.properties()}
    assert vocab.CLAIMABLE - set(found) == {vocab.slm.tokenCount}, "a property of datasets"
    derived = {iri for iri, one in found.items() if one.kind == "derived"}
    assert set(found) == (vocab.CLAIMABLE - {vocab.slm.tokenCount}) | derived
    assert vocab.slm.computedParameterCount in derived


def test_units_and_ranges_are_those_of_the_vocabulary(seed_services: Services) -> None:
    for one in seed_services.properties():
        assert (one.unit.iri if one.unit else None) == vocab.UNITS.get(one.iri), one.name
        assert one.several == (one.iri in vocab.COMPLETE_SET | vocab.ADDITIVE), one.name
        if one.iri in vocab.DATATYPES:
            assert one.range == vocab.shrink(vocab.DATATYPES[one.iri]), one.name


def test_the_usual_properties_exist(seed_services: Services) -> None:
    known = {one.name: one for one in seed_services.properties()}
    assert [one.name for one in choose(known, [])] == list(DEFAULT)
    with pytest.raises(BadParameter, match="numLayer") as caught:
        choose(known, ["numLayer"])
    assert caught.value.advice == "Did you mean 'numLayers'?"


def test_every_stored_query_says_what_it_is_for() -> None:
    for name, query in stored_queries().items():
        assert query.text.startswith("# "), name
        assert "Parameters:" in query.about, name
