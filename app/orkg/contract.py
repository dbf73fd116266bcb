"""The form of ORKG's answers as we know it, from the source of its backend 0.102: what `slmkg orkg check` holds it to.

Values only. The forms list every member that is known, also those that our client passes over: what appears or goes is
worth knowing before it matters. Which of them the client cannot do without, `app.orkg.reading` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.orkg.forms import ByClass, Form, Keyed, Many, Maybe, Nested

BACKEND: Final = "0.102"
"""The version of the backend that this was read from."""


_NAMED: Final[Mapping[str, Form]] = {"id": "text", "label": "text"}
_MADE: Final[Mapping[str, Form]] = {"created_at": "text", "created_by": "text"}
_HOW: Final[Mapping[str, Form]] = {"extraction_method": "text", "modifiable": "truth"}

_REFERENCE: Final = ByClass(
    {
        "resource_ref": {**_NAMED, "classes": Many("text"), "uri": Maybe("text")},
        "literal_ref": {"id": Maybe("text"), "label": "text", "datatype": "text"},
        "predicate_ref": {**_NAMED, "uri": Maybe("text")},
        "class_ref": {**_NAMED, "uri": Maybe("text")},
    }
)
_PATH: Final = Nested({**_NAMED, "description": Maybe("text"), "type": "text"}, "children")
_ROW: Final = Nested({"values": Many(Maybe(_REFERENCE))}, "children", keyed=True)
CONTENTS: Final[Form] = {
    "selected_paths": Many(_PATH),
    "titles": Many(_REFERENCE),
    "subtitles": Many(Maybe(_REFERENCE)),
    "values": Keyed(Many(_ROW)),
}

_IDENTIFIERS: Final = Keyed(Many("text"))
_AUTHORS: Final = Many(
    {"id": Maybe("text"), "name": "text", "identifiers": _IDENTIFIERS, "homepage": Maybe("text")},
)
_PUBLICATION: Final[Mapping[str, Form]] = {
    "published_month": Maybe("number"),
    "published_year": Maybe("number"),
    "published_in": Maybe(_NAMED),
    "url": Maybe("text"),
}
_VERSION: Final[Mapping[str, Form]] = {**_NAMED, **_MADE}
COMPARISON: Final[Form] = {
    "id": "text",
    "type": "text",
    "title": "text",
    "description": "text",
    "research_fields": Many(_NAMED),
    "identifiers": _IDENTIFIERS,
    "publication_info": _PUBLICATION,
    "authors": _AUTHORS,
    "search_protocol": {
        "inclusion_criteria": Maybe("text"),
        "exclusion_criteria": Maybe("text"),
        "search_engines": Many("text"),
        "search_strings": Many("text"),
        "research_questions": Many("text"),
        "number_of_studies_originally_returned": Maybe("number"),
        "number_of_studies_retained": Maybe("number"),
    },
    "sdgs": Many(_NAMED),
    "sources": Many({"id": "text", "type": "text"}),
    "visualizations": Many(_NAMED),
    "related_figures": Many(_NAMED),
    "related_resources": Many(_NAMED),
    "references": Many("text"),
    "observatories": Many("text"),
    "organizations": Many("text"),
    "extraction_method": "text",
    **_MADE,
    "versions": {"head": _VERSION, "published": Many({**_VERSION, "changelog": Maybe("text")})},
    "is_anonymized": "truth",
    "visibility": "text",
    "unlisted_by?": "text",
    "published": "truth",
    "_class": "text",
}
PAPER: Final[Form] = {
    "id": "text",
    "title": "text",
    "research_fields": Many(_NAMED),
    "identifiers": _IDENTIFIERS,
    "publication_info": _PUBLICATION,
    "authors": _AUTHORS,
    "versions": {"head": _VERSION, "published": Many({**_VERSION, "changelog": Maybe("text")})},
    "contributions": Many(_NAMED),
    "sdgs": Many(_NAMED),
    "mentionings": Many(_REFERENCE),
    "observatories": Many("text"),
    "organizations": Many("text"),
    **_HOW,
    **_MADE,
    "verified": "truth",
    "visibility": "text",
    "unlisted_by?": "text",
    "published": "truth",
    "_class": "text",
}
_THING: Final = ByClass(
    {
        "resource": {
            **_NAMED,
            "classes": Many("text"),
            "uri": Maybe("text"),
            "shared": "number",
            "featured": "truth",
            "unlisted": "truth",
            "visibility": "text",
            "verified": "truth",
            "unlisted_by?": "text",
            "formatted_label": Maybe("text"),
            "observatory_id": "text",
            "organization_id": "text",
            **_HOW,
            **_MADE,
        },
        "literal": {**_NAMED, "datatype": "text", **_HOW, **_MADE},
        "predicate": {**_NAMED, "description": Maybe("text"), "uri": Maybe("text"), **_HOW, **_MADE},
        "class": {**_NAMED, "description": Maybe("text"), "uri": Maybe("text"), **_HOW, **_MADE},
    }
)
STATEMENTS: Final[Form] = {
    "content": Many(
        {
            "id": "text",
            "subject": _THING,
            "predicate": _THING,
            "object": _THING,
            **_HOW,
            **_MADE,
            "index?": "number",
        }
    ),
    "page": {"size": "number", "number": "number", "total_elements": "number", "total_pages": "number"},
}

_V3: Final = "application/vnd.orkg.comparison.v3+json"
_PAPERS: Final = "application/vnd.orkg.paper.v2+json"
_PLAIN: Final = "application/json"
CALLS: Final[tuple[tuple[str, str, str | None], ...]] = (
    ("get", "/api/comparisons/{}", _V3),
    ("put", "/api/comparisons/{}", _V3),
    ("post", "/api/comparisons", _V3),
    ("delete", "/api/comparisons/{}", _V3),
    ("get", "/api/comparisons/{}/contents", _V3),
    ("put", "/api/comparisons/{}/contents", _V3),
    ("get", "/api/comparisons/{}/table-paths", _V3),
    ("post", "/api/comparisons/{}/publish", _PLAIN),
    ("get", "/api/papers/{}", _PAPERS),
    ("get", "/api/papers", _PAPERS),
    ("post", "/api/papers", _PAPERS),
    ("post", "/api/papers/{}/contributions", "application/vnd.orkg.contribution.v2+json"),
    ("get", "/api/statements", _PLAIN),
    ("post", "/api/statements", _PLAIN),
    ("put", "/api/statements/{}", _PLAIN),
    ("delete", "/api/statements/{}", None),
    ("get", "/api/things/{}", _PLAIN),
    ("get", "/api/things/{}/subgraph", _PLAIN),
    ("get", "/api/things", _PLAIN),
    ("post", "/api/resources", _PLAIN),
    ("put", "/api/resources/{}", _PLAIN),
    ("post", "/api/literals", _PLAIN),
    ("put", "/api/literals/{}", _PLAIN),
    ("post", "/api/predicates", _PLAIN),
    ("put", "/api/predicates/{}", _PLAIN),
    ("get", "/api/predicates/{}", _PLAIN),
)
"""What our client calls: method, address, and the media type that is read or sent."""
LARGEST_PAGE: Final = 2500
"""What a larger page is silently lowered to."""
