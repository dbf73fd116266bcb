"""REST of curation: proposals and their review, claims of a case, the queue of disagreements, decisions.

Reading is open. Writing needs a key: `propose` to propose and comment, `review` to review and to decide, `commit` to
commit. Writes on something that others may change need `If-Match` with the ETag of the last look: 428 without, 412 with
what changed since. Only turns values into HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.access import Scope
from app.curate import decide, proposals, requests, review, told
from app.curate.cases import read_cases, read_claims
from app.curate.decide import Dispute
from app.curate.derive import Key
from app.curate.proposals import Filter
from app.curate.review import Answer
from app.curate.steps import Bench, Step, Taken, Work
from app.curate.tags import Expected, case_tag, expecting_case, expecting_proposal, proposal_tag
from app.errors import BadParameter, BadValue, Conflict, PreconditionNeeded
from app.model.agents import Agent, agent_named
from app.model.claims import resource
from app.model.proposals import Choice, Proposal, State
from app.model.rdf import IRI, iri
from app.services import Services
from app.validation.findings import Report
from app.web import curation_schemas as shapes
from app.web import problems
from app.web.caching import Identity, Use, unless_known
from app.web.catalogue import links
from app.web.clients import Asking
from app.web.parameters import strict
from app.web.writing import JSON, json_of, tags

PROPOSALS = "/api/v1/proposals"
PROPOSAL = "/api/v1/proposals/{number:int}"
"""Only digits: `/api/v1/proposals/import` is another address."""
CLAIMS = "/api/v1/claims"
DISAGREEMENTS = "/api/v1/disagreements"
DECISION = "/api/v1/cases/{model}/{property}/decision"

Number = Annotated[int, Query(ge=1, le=10**6, description="Page, from 1.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items on a page.")]
Name = Annotated[str | None, Query(max_length=500)]


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    get, post = "GET", "POST"
    reading = ("bad-parameter", "not-found")
    writing = (
        "bad-input",
        "bad-parameter",
        "bad-value",
        "unauthorized",
        "forbidden",
        "conflict",
        "unsupported-media",
        "query-refused",
        "too-busy",
        "store-busy",
    )
    stale = ("not-found", "condition-failed", "precondition-needed")
    out = shapes.ProposalOut
    _add(app, get, PROPOSALS, list_proposals, "listProposals", "List proposals", shapes.ProposalsOut, codes=reading)
    _add(
        app, post, PROPOSALS, propose, "propose", "Propose values", out, 201, shapes.ProposalIn, (*writing, "not-found")
    )
    _add(app, get, PROPOSAL, show_proposal, "showProposal", "Show a proposal", out, codes=reading)
    for name, endpoint, operation, summary, status, body, more in (
        ("comments", comment, "commentOnProposal", "Comment on a proposal", 201, shapes.CommentIn, ("not-found",)),
        ("review", judge, "reviewProposal", "Review a proposal", 200, shapes.ReviewIn, (*stale, "self-review")),
        ("withdraw", withdraw, "withdrawProposal", "Withdraw a proposal", 200, shapes.ReasonIn, stale),
        ("commit", commit, "commitProposal", "Commit what was accepted", 200, None, stale),
    ):
        codes = (*writing, *more, "invalid-graph", "stale-revision")
        _add(app, post, f"{PROPOSAL}/{name}", endpoint, operation, summary, out, status, body, codes)
    case = shapes.CaseOut
    _add(app, get, CLAIMS, list_claims, "listClaims", "List the claims of a case", case, codes=reading)
    _add(
        app,
        get,
        DISAGREEMENTS,
        list_disagreements,
        "listDisagreements",
        "List disagreements",
        shapes.DisputesOut,
        codes=reading,
    )
    codes = (*writing, *stale, "invalid-graph", "stale-revision")
    _add(app, get, DECISION, show_decision, "showDecision", "Show a case and its decisions", case, codes=reading)
    _add(app, "PUT", DECISION, put_decision, "decide", "Decide a case", case, 200, shapes.DecisionIn, codes)
    _add(app, "DELETE", DECISION, delete_decision, "undecide", "Leave a case to the rules", case, 200, None, codes)


def list_proposals(
    request: Request,
    services: Use,
    identity: Identity,
    *,
    state: Annotated[State | None, Query(description="State of the proposals.")] = None,
    author: Annotated[Name, Query(description="Author: an ORCID iD, or the last part of the agent's IRI.")] = None,
    model: Annotated[Name, Query(description="Slug of a model that an item is about.")] = None,
    property: Annotated[Name, Query(description="Local name of a property that an item is about.")] = None,
    source: Annotated[Name, Query(description="Slug of a source that an item comes from.")] = None,
    page: Number = 1,
    limit: Limit = 50,
) -> Response:
    """Proposals that fit all filters, newest first, in pages."""
    _check_limit(services, limit)
    snapshot = services.curation.at(identity.revision)
    numbers = proposals.find(snapshot, wanted(state, author, model, property, source))
    chosen = numbers[(page - 1) * limit : page * limit]
    found = proposals.read_many(snapshot, chosen)
    answer = shapes.ProposalsOut(
        revision=identity.revision,
        total=len(numbers),
        page=page,
        limit=limit,
        items=[shapes.ProposalHead(**one) for one in told.heads(snapshot, (found[number] for number in chosen))],
    )
    headers = {**identity.headers, "Link": links(request, page, limit, len(numbers))}
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def wanted(
    state: State | None, author: str | None, model: str | None, property: str | None, source: str | None
) -> Filter:
    """Which proposals a list shall hold; BadParameter, NotFound."""
    return Filter(
        state=state,
        author=None if author is None else resource("agent", _agent_slug(author)),
        subjects=None if model is None else _subjects(model),
        predicate=None if property is None else iri(requests.property_iri(property)),
        source=None if source is None else _named("source", source, "source"),
    )


def show_proposal(number: int, request: Request, services: Use) -> Response:
    """A proposal with its items, verdicts, comments, and what validation would find if it were recorded now.

    The ETag stands for what people did to the proposal, not for the findings, which depend on the rest of the graph.
    """
    head, report = services.curation.findings(number)
    snapshot = services.curation.at(head)
    return unless_known(request, _proposal(services, head, proposals.read(snapshot, number), validation=(head, report)))


async def propose(request: Request, services: Use, client: Asking) -> Response:
    """Proposes values with their sources; nothing of it counts before somebody else has accepted it.

    Refused is what stands in the graph already, what waits in another proposal, and what was rejected before: the
    answer says by whom, when and why. With `again` it is proposed once more.
    """
    agent = client.needs(Scope.PROPOSE).agent
    body = await json_of(request, shapes.ProposalIn, limit=services.settings.max_update_bytes)
    work = proposing(body)
    taken = await services.writer.take(work, agent)
    return await _after(services, taken, status=201)


def proposing(body: shapes.ProposalIn) -> Work:
    """The step that makes a proposal; an error points into the body."""
    items, results = len(body.items), len(body.results)
    if items + results == 0:
        raise BadValue("/items", "there is none", advice="Propose one value at least.")

    def work(bench: Bench) -> Step:
        try:
            wanted: list[requests.Request] = [
                *map(shapes.claim_request, body.items),
                *map(shapes.result_request, body.results),
            ]
            contents = requests.contents_of(bench.snapshot, wanted, today=bench.now.date())
            return proposals.propose(contents, title=body.title, again=body.again)(bench)
        except (BadValue, Conflict) as error:
            raise _moved(error, items) from error

    return work


async def comment(number: int, request: Request, services: Use, client: Asking) -> Response:
    """Says something about a proposal. Needs the scope `propose` or `review`."""
    agent = client.needs(Scope.PROPOSE, Scope.REVIEW).agent
    body = await json_of(request, shapes.CommentIn, limit=services.settings.max_update_bytes)
    taken = await services.writer.take(proposals.comment(number, body.text), agent)
    return await _after(services, taken, status=201)


async def judge(number: int, request: Request, services: Use, client: Asking) -> Response:
    """Gives verdicts on single items, or on the rest of them.

    A rejection needs a reason. An item that would break a constraint cannot be accepted; one with warnings needs a
    reason why it is right all the same.
    """
    agent = client.needs(Scope.REVIEW).agent
    expected = _expected(request)
    body = await json_of(request, shapes.ReviewIn, limit=services.settings.max_update_bytes)
    work = judging(number, body, expected, self_review=services.curation.self_review)
    return await _after(services, await services.writer.take(work, agent))


def judging(number: int, body: shapes.ReviewIn, expected: Expected, *, self_review: bool) -> Work:
    """The step that gives verdicts; an error points into the body."""
    answers: dict[int, Answer] = {}
    for position, one in enumerate(body.items):
        if one.item in answers:
            raise BadValue(f"/items/{position}/item", f"item {one.item} has two verdicts", advice="Give one.")
        answers[one.item] = Answer(one.verdict == "accept", one.reason)
    return review.review(
        number,
        answers,
        rest=None if body.rest is None else Answer(body.rest.verdict == "accept", body.rest.reason),
        self_review=self_review,
        check=expecting_proposal(expected, number),
    )


async def withdraw(number: int, request: Request, services: Use, client: Asking) -> Response:
    """Takes a proposal back, as long as nothing of it is committed. Its author may, or an administrator."""
    key = client.needs(Scope.PROPOSE)
    expected = _expected(request)
    body = await json_of(request, shapes.ReasonIn, limit=services.settings.max_update_bytes)
    work = proposals.withdraw(
        number, body.reason, anyone=key.allows(Scope.ADMIN), check=expecting_proposal(expected, number)
    )
    return await _after(services, await services.writer.take(work, key.agent))


async def commit(number: int, request: Request, services: Use, client: Asking) -> Response:
    """Records what was accepted and is not recorded yet, as one revision, and settles the cases that it touches."""
    agent = client.needs(Scope.COMMIT).agent
    work = review.commit(number, check=expecting_proposal(_expected(request), number))
    return await _after(services, await services.writer.take(work, agent))


def list_claims(
    request: Request,
    services: Use,
    identity: Identity,
    model: Annotated[str, Query(max_length=500, description="Slug of a model, or the IRI of another thing.")],
    property: Annotated[str, Query(max_length=500, description="Local name of a property.")],
) -> Response:
    """All claims of a case, the most trusted first, with the rule or the person that settled it and why."""
    snapshot = services.curation.at(identity.revision)
    return unless_known(request, _case(services, requests.case_key(snapshot, model, property), identity.revision))


def list_disagreements(
    request: Request,
    services: Use,
    identity: Identity,
    *,
    state: Annotated[Literal["open", "settled"] | None, Query(description="Open, or settled.")] = None,
    rule: Annotated[
        Literal["agreement", "trust-rank", "manual"] | None, Query(description="How it was settled.")
    ] = None,
    model: Annotated[Name, Query(description="Slug of a model.")] = None,
    property: Annotated[Name, Query(description="Local name of a property.")] = None,
    kind: Annotated[Name, Query(description="Kind of the disagreement, as the evidence names it.")] = None,
    page: Number = 1,
    limit: Limit = 50,
) -> Response:
    """Questions on which sources differ, the one that most waits for first; `state=open` is the work queue."""
    _check_limit(services, limit)
    queue = services.curation.disputes(services.weights(), identity.revision)
    found = chosen_disputes(queue, state=state, rule=rule, model=model, property=property, kind=kind)
    chosen = found[(page - 1) * limit : page * limit]
    claims = read_claims(services.curation.at(identity.revision), {one.subject for one in chosen})
    answer = shapes.DisputesOut(
        revision=identity.revision,
        total=len(found),
        page=page,
        limit=limit,
        items=[shapes.DisputeOut(**told.dispute(one, claims.get(one.key, ()))) for one in chosen],
    )
    headers = {**identity.headers, "Link": links(request, page, limit, len(found))}
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def chosen_disputes(
    disputes: Iterable[Dispute],
    *,
    state: str | None,
    rule: str | None,
    model: str | None,
    property: str | None,
    kind: str | None,
) -> list[Dispute]:
    """The disagreements that fit all filters, in their order; NotFound for an unknown property."""
    predicate = None if property is None else requests.property_iri(property)
    return [
        one
        for one in disputes
        if (state is None or (one.rule is None) == (state == "open"))
        and (rule is None or one.rule == rule)
        and (model is None or model in one.models)
        and (predicate is None or one.predicate == predicate)
        and (kind is None or kind in one.kinds)
    ]


def show_decision(model: str, property: str, request: Request, services: Use) -> Response:
    """A case with everything that people decided about it; its ETag is what a decision needs as `If-Match`."""
    revision = services.store.head().number
    key = requests.case_key(services.curation.at(revision), model, property)
    return unless_known(request, _case(services, key, revision))


async def put_decision(model: str, property: str, request: Request, services: Use, client: Asking) -> Response:
    """Decides a case: keeps a value that a source gives, keeps none, or opens the case again.

    The decision stands until a claim that was not there disagrees with what it keeps.
    """
    agent = client.needs(Scope.REVIEW).agent
    expected = _expected(request)
    body = await json_of(request, shapes.DecisionIn, limit=services.settings.max_update_bytes)
    work = deciding(model, property, body, expected)
    return await _decided(services, work, agent, model, property)


def deciding(model: str, property: str, body: shapes.DecisionIn, expected: Expected) -> Work:
    """The step that decides a case; an error points into the body."""
    try:
        claim = None if body.claim is None else iri(body.claim)
    except ValueError as error:
        raise BadValue("/claim", "is no IRI", advice="GET /api/v1/claims lists the claims.") from error
    if body.choice != "value" and (body.claim or body.reported):
        raise BadValue("/choice", "keeps no value, yet one is named", advice='Use "value".')

    def work(bench: Bench) -> Step:
        key = requests.case_key(bench.snapshot, model, property)
        choice = Choice(body.choice)
        check = expecting_case(expected)
        return decide.decide(key, choice, body.reason, claim=claim, reported=body.reported, check=check)(bench)

    return work


async def delete_decision(
    model: str,
    property: str,
    request: Request,
    services: Use,
    client: Asking,
    reason: Annotated[str, Query(min_length=1, max_length=2000, description="Why the rules shall settle it.")],
) -> Response:
    """Takes a person's decision back: the rules settle the case again."""
    agent = client.needs(Scope.REVIEW).agent
    expected = _expected(request)

    work = leaving_to_rules(model, property, reason, expected)
    return await _decided(services, work, agent, model, property)


def leaving_to_rules(model: str, property: str, reason: str, expected: Expected) -> Work:
    """The step that takes a person's decision back."""

    def work(bench: Bench) -> Step:
        key = requests.case_key(bench.snapshot, model, property)
        return decide.decide(key, Choice.RULES, reason, check=expecting_case(expected))(bench)

    return work


async def _decided(services: Services, work: Work, agent: Agent, model: str, property: str) -> Response:
    taken = await services.writer.take(work, agent)

    def answer() -> Response:
        key = requests.case_key(services.curation.at(taken.revision), model, property)
        return _case(services, key, taken.revision)

    return await to_thread.run_sync(answer)


def _case(services: Services, key: Key, revision: int) -> Response:
    """The answer that shows a case at a revision."""
    snapshot = services.curation.at(revision)
    case = read_cases(snapshot, [key])[key]
    answer = shapes.CaseOut(**told.case(snapshot, case, revision, decide.judgements(snapshot, key)))
    return _answered(answer, revision, case_tag(case))


async def _after(services: Services, taken: Taken, *, status: int = 200) -> Response:
    """The answer to a write on a proposal: the proposal as it is now."""
    proposal = taken.step.proposal
    assert proposal is not None  # noqa: S101 - asked for steps about proposals only
    return await to_thread.run_sync(lambda: _proposal(services, taken.revision, proposal, status=status))


def _proposal(
    services: Services,
    revision: int,
    proposal: Proposal,
    *,
    validation: tuple[int, Report] | None = None,
    status: int = 200,
) -> Response:
    snapshot = services.curation.at(revision)
    answer = shapes.ProposalOut(**told.proposal(snapshot, proposal, validation))
    more = {"Location": f"{PROPOSALS}/{proposal.number}"} if status == 201 else {}
    return _answered(answer, revision, proposal_tag(proposal), status=status, **more)


def _answered(answer: BaseModel, revision: int, tag: str, *, status: int = 200, **more: str) -> Response:
    headers = {"ETag": f'"{revision}-{tag}"', "X-Revision": str(revision), "Cache-Control": "no-cache", **more}
    return Response(answer.model_dump_json(), status_code=status, media_type=JSON, headers=headers)


def _expected(request: Request) -> Expected:
    """What `If-Match` says; PreconditionNeeded without it."""
    found = tags(request, "if-match")
    if found is None:
        raise PreconditionNeeded
    return Expected(frozenset(found.as_set()), anything=found.star_tag)


def _moved(error: BadValue | Conflict, items: int) -> BadValue | Conflict:
    """An error about a result points into `results`, where the client put it."""
    found = re.fullmatch(r"/items/(\d+)(.*)", error.pointer or "")
    if found is None or int(found[1]) < items:
        return error
    pointer = f"/results/{int(found[1]) - items}{found[2]}"
    if isinstance(error, BadValue):
        return BadValue(pointer, error.problem, advice=error.advice)
    return Conflict(error.message, advice=error.advice, pointer=pointer)


def _subjects(model: str) -> tuple[IRI, ...]:
    """What an item about a model may speak of: the model, its architecture, or the thing with this IRI."""
    if model.startswith(("http://", "https://")):
        try:
            return (iri(model),)
        except ValueError as error:
            raise BadParameter("model", "is no IRI") from error
    return _named("model", model, "model"), _named("architecture", model, "model")


def _named(kind: str, slug: str, parameter: str) -> IRI:
    try:
        return resource(kind, slug)
    except ValueError as error:
        raise BadParameter(parameter, "is no slug", advice="Use letters, digits, dots and hyphens.") from error


def _agent_slug(author: str) -> str:
    try:
        return agent_named(author).slug
    except ValueError as error:
        raise BadParameter("author", str(error)) from error


def _check_limit(services: Services, limit: int) -> None:
    if limit > services.settings.max_page:
        raise BadParameter("limit", f"at most {services.settings.max_page} items fit on a page")


def _add(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Any,
    name: str,
    summary: str,
    answer: type[BaseModel],
    status: int = 200,
    body: type[BaseModel] | None = None,
    codes: Sequence[str] = (),
) -> None:
    headers: dict[str, Any] = {
        "X-Revision": {"description": "Revision that the answer is made from.", "schema": {"type": "integer"}},
        "ETag": {"description": "Tag of what the answer shows.", "schema": {"type": "string"}},
    }
    if status == 201:
        headers["Location"] = {"description": "Address of the proposal.", "schema": {"type": "string"}}
    more: dict[str, Any] = {}
    if body is not None:
        content = {JSON: {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
        more["requestBody"] = {"required": True, "content": content}
    if "precondition-needed" in codes:
        more["parameters"] = [_IF_MATCH]
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": "The answer.", "headers": headers, "content": {JSON: {}}},
        **problems.documented(*codes),
    }
    if method == "GET":
        responses[304] = {"description": "The client has this answer already."}
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        status_code=status,
        dependencies=[Depends(strict)],
        operation_id=name,
        summary=summary,
        tags=["Curation"],
        response_model=answer,
        response_class=JSONResponse,
        responses=responses,
        openapi_extra=more,
    )


_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of your last look at it, or * for whatever it is now.",
    "schema": {"type": "string"},
}
