"""The pages of proposals: the list, and one with its items, findings, verdicts, remarks, and forms for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app import vocab
from app.access import Key, Scope
from app.compare.reader import Reader
from app.curate import proposals, review, told
from app.curate.tags import expecting_proposal, proposal_tag
from app.errors import AppError, BadParameter, BadValue, NotFound
from app.model.proposals import ItemState, Proposal, State
from app.model.rdf import IRI, iri
from app.services import Services
from app.validation.findings import Report
from app.web import case_pages, curation, curation_forms
from app.web import curation_schemas as shapes
from app.web.caching import Use
from app.web.case_pages import Given, PageNumber, Pages
from app.web.curation_forms import Doing, Form, Trouble
from app.web.sessions import Session
from app.web.writing import shaped

LIST = "/curate/proposals"
ONE = "/curate/proposals/{number}"
_NUMBER_LENGTH = 9
_NO_VERDICT = "has a reason and no verdict"
_CHOOSE = "Accept or reject, or empty the reason."


def listed(
    request: Request,
    services: Use,
    *,
    state: Given = None,
    author: Given = None,
    model: Given = None,
    property: Given = None,
    source: Given = None,
    page: PageNumber = None,
) -> Response:
    """Proposals that fit all filters, newest first."""
    filters = {"state": state, "author": author, "model": model, "property": property, "source": source}

    def show(session: Session | None) -> Response:
        head = services.store.head().number
        snapshot = services.curation.at(head)
        wanted = {name: (value or "").strip() or None for name, value in filters.items()}
        trouble: Trouble | None = None
        numbers: list[int] = []
        pages = Pages(1, 1, 0, 0, "")
        try:
            if wanted["state"] is not None and wanted["state"] not in tuple(State):
                raise BadParameter("state", f"{wanted['state']!r} is unknown", advice=f"Use {', '.join(State)}.")
            chosen = None if wanted["state"] is None else State(wanted["state"])
            numbers = proposals.find(
                snapshot,
                curation.wanted(chosen, wanted["author"], wanted["model"], wanted["property"], wanted["source"]),
            )
            pages = Pages.of(page, len(numbers), wanted)
        except AppError as error:
            trouble = curation_forms.told(error)
            if isinstance(error, NotFound):
                trouble = replace(trouble, field="property")
        shown = pages.cut(numbers)
        found = proposals.read_many(snapshot, shown)
        return curation_forms.page(
            "proposals.html",
            session,
            trouble,
            rows=told.heads(snapshot, (found[number] for number in shown)),
            pages=pages,
            filters=Form({name: value or "" for name, value in filters.items()}),
            states=tuple(State),
        )

    return curation_forms.visited(request, services, show)


def one(number: str, request: Request, services: Use, page: PageNumber = None) -> Response:
    """One proposal, and what validation would find if it were recorded now."""
    return curation_forms.visited(request, services, lambda session: _page(services, session, number, page))


async def change(number: str, request: Request, services: Use, page: PageNumber = None) -> Response:
    """Gives verdicts, says something, withdraws or commits, as a form says."""
    here = f"{LIST}/{number}{'' if page is None else f'?page={page}'}"

    async def judged(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.REVIEW)
        work = curation.judging(
            _number(number),
            shaped(shapes.ReviewIn, _verdicts(typed)),
            curation_forms.expected(typed),
            self_review=services.curation.self_review,
        )
        await services.writer.take(work, key.agent)
        return here

    async def said(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.PROPOSE, Scope.REVIEW)
        body = shaped(shapes.CommentIn, {"text": typed["text"]})
        await services.writer.take(proposals.comment(_number(number), body.text), key.agent)
        return f"{here}#comments"

    async def withdrawn(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.PROPOSE)
        body = shaped(shapes.ReasonIn, {"reason": typed["reason"]})
        check = expecting_proposal(curation_forms.expected(typed), _number(number))
        work = proposals.withdraw(_number(number), body.reason, anyone=key.allows(Scope.ADMIN), check=check)
        await services.writer.take(work, key.agent)
        return here

    async def committed(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.COMMIT)
        check = expecting_proposal(curation_forms.expected(typed), _number(number))
        await services.writer.take(review.commit(_number(number), check=check), key.agent)
        return here

    def show(session: Session | None, typed: Form, trouble: Trouble) -> Response:
        return _page(services, session, number, page, {trouble.form: typed}, trouble)

    forms = {
        "review": Doing(judged, _fields),
        "comment": Doing(said, lambda _: {"/text": "text"}),
        "withdraw": Doing(withdrawn, lambda _: {"/reason": "reason"}),
        "commit": Doing(committed),
    }
    return await curation_forms.submitted(request, services, show, forms)


ROUTES = (("GET", LIST, listed), ("GET", ONE, one), ("POST", ONE, change))


def _page(
    services: Services,
    session: Session | None,
    written: str,
    page: str | None,
    typed: Mapping[str, Form] | None = None,
    trouble: Trouble | None = None,
) -> Response:
    """The page of a proposal at the newest revision, with what was typed into its forms."""
    number = _number(written)
    head, report = services.curation.findings(number)
    snapshot = services.curation.at(head)
    proposal = proposals.read(snapshot, number)
    found = told.proposal(snapshot, proposal)
    reader = Reader(snapshot)
    pages = Pages.of(page, len(found["items"]), {})
    items = [dict(item) for item in pages.cut(found["items"])]
    _name(reader, items)
    forms = typed or {}
    return curation_forms.page(
        "proposal.html",
        session,
        trouble,
        one=found,
        items=items,
        pages=pages,
        here=f"{LIST}/{number}{'' if page is None else f'?page={pages.number}'}",
        revision=head,
        findings=_findings(report, proposal),
        tag=f"{head}-{proposal_tag(proposal)}",
        waiting=sum(item.state is ItemState.PENDING for item in proposal.items),
        to_commit=len(proposal.to_commit),
        committed=any(item.state is ItemState.COMMITTED for item in proposal.items),
        standing=proposal.withdrawal is None,
        own=session is not None and session.key.agent.iri == proposal.author,
        self_review=services.curation.self_review,
        verdicts=forms.get("review", Form()),
        comment=forms.get("comment", Form()),
        withdrawal=forms.get("withdraw", Form()),
        typed=forms,
    )


def _name(reader: Reader, items: list[dict[str, Any]]) -> None:
    """Put words beside the IRIs of items."""
    terms: list[IRI] = []
    for item in items:
        terms += [case_pages.bearer(iri(item["subject"])), iri(item["property"])]
        if isinstance(item["value"], str) and item["value"].startswith(("http://", "https://")):
            terms.append(iri(item["value"]))
    reader.learn(terms)
    for item in items:
        item["label"] = reader.thing(case_pages.bearer(iri(item["subject"]))).label
        item["name"] = reader.thing(iri(item["property"])).label
        item["shown"] = case_pages.shown(reader, item["value"])
        item["link"] = case_pages.link(item["source"]["address"])
        item["case"] = case_pages.address_of(item["subject"], item["property"]) if item["kind"] == "claim" else None
        item["unit"] = None if item["unit"] is None else vocab.shrink(item["unit"]).rpartition(":")[2]


def _findings(report: Report, proposal: Proposal) -> list[dict[str, Any]]:
    """What validation would find, with the items that each finding looks at."""
    about: dict[str, list[int]] = {}
    for item in proposal.items:
        content = item.content
        subject = getattr(content, "subject", None) or getattr(content, "model", None)
        for node in (item.recorded_as.value, "" if subject is None else subject.value):
            about.setdefault(node, []).append(item.number)
    return [{**one, "items": about.get(one["focus"], [])} for one in told.findings(report)]


def _verdicts(typed: Form) -> dict[str, Any]:
    """The form as the body of the same request over REST: the items that have a verdict, and the rest."""
    items: list[dict[str, Any]] = []
    for name in typed.values:
        prefix, _, number = name.partition("-")
        verdict = typed.text(name)
        if prefix != "verdict" or not verdict:
            continue
        if not (number.isascii() and number.isdecimal() and len(number) <= _NUMBER_LENGTH):
            raise BadValue("", f"{name!r} is no field of this form", advice="Send the form as the page has it.")
        items.append({"item": int(number), "verdict": verdict, "reason": typed[f"reason-{number}"]})
    body: dict[str, Any] = {"items": items}
    for number in _reasoned(typed):
        if not typed.text(f"verdict-{number}"):
            raise BadValue(f"/verdict-{number}", _NO_VERDICT, advice=_CHOOSE)
    rest = typed.text("rest")
    if typed.text("rest-reason") and not rest:
        raise BadValue("/rest", _NO_VERDICT, advice=_CHOOSE)
    if rest:
        body["rest"] = {"verdict": rest, "reason": typed["rest-reason"]}
    return body


def _fields(typed: Form) -> dict[str, str]:
    """The fields of the form for verdicts, by pointers into the body that `_verdicts` makes of it."""
    fields = {"/rest": "rest", "/rest/reason": "rest-reason"}
    numbers = [
        name.removeprefix("verdict-") for name in typed.values if name.startswith("verdict-") and typed.text(name)
    ]
    for position, number in enumerate(numbers):
        fields |= {f"/items/{position}": f"verdict-{number}", f"/items/{position}/reason": f"reason-{number}"}
    fields |= {f"/verdict-{number}": f"verdict-{number}" for number in _reasoned(typed)}
    fields["/reason"] = f"reason-{numbers[0]}" if numbers and not typed.text("rest") else "rest-reason"
    return fields


def _reasoned(typed: Form) -> list[str]:
    """Numbers of the items that got a reason."""
    return [name.removeprefix("reason-") for name in typed.values if name.startswith("reason-") and typed.text(name)]


def _number(written: str) -> int:
    """The number of a proposal; NotFound for what is none."""
    if not (written.isascii() and written.isdecimal() and len(written) <= _NUMBER_LENGTH):
        raise NotFound("proposal", written, advice="The list of proposals has them all.")
    return int(written)
