"""REST answers: models, one model, properties and example queries. Only turns values into HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.compare.models import Choice
from app.compare.questions import questions
from app.errors import BadParameter
from app.web import problems, schemas
from app.web.caching import Identity, Representation, Use
from app.web.parameters import strict

MODELS = "/api/v1/models"
MODEL = "/api/v1/models/{slug}"
PREDICTIONS = "/api/v1/models/{slug}/predictions"
PROPERTIES = "/api/v1/properties"
QUERIES = "/api/v1/queries"

_MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"

Month = Annotated[str | None, Query(pattern=_MONTH, examples=["2024-07"])]
Name = Annotated[str | None, Query(max_length=200)]
Tokens = Annotated[int, Query(le=1_000_000)]
Count = Annotated[int | None, Query(ge=0, le=10**15)]


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    _add(app, MODELS, list_models, schemas.Models, "listModels", "List models")
    _add(app, MODEL, show_model, schemas.Model, "showModel", "Show a model")
    _add(
        app,
        PREDICTIONS,
        predict,
        schemas.Predictions,
        "predictModel",
        "Predict what a model costs where others were measured",
    )
    _add(app, PROPERTIES, list_properties, schemas.Properties, "listProperties", "List properties")
    _add(app, QUERIES, list_queries, schemas.ExampleQueries, "listQueries", "List example queries")


def list_models(
    request: Request,
    services: Use,
    identity: Identity,
    *,
    search: Annotated[
        str | None,
        Query(max_length=200, description="Words that must all stand in label, identifier, other names or family."),
    ] = None,
    family: Annotated[Name, Query(description="Short name of a family.", examples=["opt"])] = None,
    maker: Annotated[Name, Query(description="Short name of a maker.", examples=["meta"])] = None,
    license: Annotated[Name, Query(description="Short name of a licence.", examples=["Apache-2.0"])] = None,
    attention: Annotated[Name, Query(description="Notation of an attention type.", examples=["GQA"])] = None,
    architecture_class: Annotated[Name, Query(description="Class in the model's configuration.")] = None,
    released_from: Annotated[Month, Query(description="First month of release, included.")] = None,
    released_to: Annotated[Month, Query(description="Last month of release, included.")] = None,
    min_parameters: Annotated[Count, Query(description="Least number of parameters.")] = None,
    max_parameters: Annotated[Count, Query(description="Greatest number of parameters.")] = None,
    has_open_data: Annotated[bool | None, Query(description="Whether the training data are open.")] = None,
    include_baselines: Annotated[bool, Query(description="Also larger models kept for comparison.")] = False,
    sort: Annotated[
        str, Query(description="label, slug, released or parameters; a hyphen before it turns it.")
    ] = "label",
    page: Annotated[int, Query(ge=1, le=10**6, description="Page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=1000, description="Models on a page.")] = 50,
) -> Response:
    """Models that fit all filters, in pages; the header `Link` names the neighbouring pages.

    A name that no model bears is an error, not an empty list.
    """
    if limit > services.settings.max_page:
        raise BadParameter("limit", f"at most {services.settings.max_page} models fit on a page")
    choice = Choice(
        search=search,
        family=family,
        maker=maker,
        license=license,
        attention=attention,
        architecture_class=architecture_class,
        released_from=released_from,
        released_to=released_to,
        min_parameters=min_parameters,
        max_parameters=max_parameters,
        has_open_data=has_open_data,
        include_baselines=include_baselines,
        sort=sort,
    )
    found = services.models(choice, page=page, limit=limit, revision=identity.revision)
    neighbours = links(request, page, limit, found.total)
    return _json(schemas.models(found, identity.revision), identity, Link=neighbours)


def show_model(slug: str, services: Use, identity: Identity) -> Response:
    """One model: each property with every claim on it, the claims' sources, and how disagreements were settled.

    Missing properties are listed too, with the reason.
    """
    return _json(schemas.model(services.model(slug, revision=identity.revision), identity.revision), identity)


def predict(
    slug: str,
    services: Use,
    identity: Identity,
    *,
    prompt: Annotated[Tokens, Query(ge=1, description="Tokens of the prompt.")] = 256,
    depth: Annotated[Tokens, Query(ge=0, description="Tokens in the cache before the prompt.")] = 0,
    generated: Annotated[Tokens, Query(ge=1, description="Tokens generated after it.")] = 50,
) -> Response:
    """What a model would take on each machine on which enough others were measured: first token, prefill, decode.

    Worked out by formula from its architecture and the cost model of a run; each number has the interval that held
    nine in ten models that the fit had not seen. Nothing here was measured.
    """
    found = services.predictions(slug, prompt=prompt, generated=generated, depth=depth, revision=identity.revision)
    answer = schemas.Predictions(
        revision=identity.revision,
        model=found.model,
        prompt=found.prompt,
        generated=found.generated,
        depth=found.depth,
        proposed=list(found.proposed),
        outlooks=[schemas.Outlook.model_validate(one) for one in found.outlooks],
    )
    return _json(answer, identity)


def list_properties(services: Use, identity: Identity) -> Response:
    """Every property that can be compared, with label, definition and unit from the ontology."""
    found = services.properties(revision=identity.revision)
    answer = schemas.Properties(
        revision=identity.revision, properties=[schemas.Property.model_validate(one) for one in found]
    )
    return _json(answer, identity)


def list_queries(identity: Identity) -> Response:
    """Example queries, each with the address that runs it."""
    answer = schemas.ExampleQueries(
        queries=[
            schemas.ExampleQuery(
                name=one.name,
                title=one.title,
                about=one.about,
                text=one.text,
                run=f"/sparql?{urlencode({'query': one.text})}",
            )
            for one in questions()
        ]
    )
    return _json(answer, identity)


def _add(app: FastAPI, path: str, endpoint: Any, model: type[BaseModel], name: str, summary: str) -> None:
    app.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        dependencies=[Depends(strict)],
        operation_id=name,
        summary=summary,
        tags=["Models"],
        response_model=model,
        response_class=JSONResponse,
        responses={
            200: {
                "description": "The answer.",
                "headers": _HEADERS,
                "content": {"application/json": {}},
            },
            304: {"description": "The client has this answer already."},
            **problems.documented("bad-parameter", "not-found"),
        },
    )


def _json(answer: BaseModel, identity: Representation, **headers: str) -> Response:
    return Response(answer.model_dump_json(), headers={**identity.headers, **headers}, media_type="application/json")


def links(request: Request, page: int, limit: int, total: int) -> str:
    """The Link header (RFC 8288) with the neighbouring pages of a list."""
    last = max(1, -(-total // limit))
    pages = {"first": 1, "last": last}
    if page > 1:
        pages["prev"] = min(page - 1, last)
    if page < last:
        pages["next"] = page + 1
    path = request.url.path
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    return ", ".join(f'<{path}?{urlencode([*kept, ("page", number)])}>; rel="{rel}"' for rel, number in pages.items())


_HEADERS = {
    "X-Revision": {"description": "Revision that the answer is made from.", "schema": {"type": "integer"}},
    "ETag": {"description": "Tag of this answer.", "schema": {"type": "string"}},
}
