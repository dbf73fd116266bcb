"""The pages of disagreements: the queue, and one case with its claims, its history, and forms to decide and to propose.

A case is named by a model's slug, or by the kind and slug of another thing (`layer-group/…`), and a property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Query, Request
from starlette.responses import Response

from app import vocab
from app.access import Key, Scope
from app.compare.blame import Blame
from app.compare.reader import Reader
from app.compare.values import Property
from app.curate import decide, requests, told
from app.curate.cases import Case, read_cases, read_claims
from app.curate.decide import Dispute
from app.curate.steps import Work
from app.curate.tags import case_tag
from app.errors import AppError, BadParameter, BadValue, NotFound
from app.ingest.registry import CONCEPTS
from app.model.claims import resource
from app.model.rdf import IRI, iri
from app.services import Services
from app.web import curation, curation_forms
from app.web import curation_schemas as shapes
from app.web.caching import Use
from app.web.curation_forms import Doing, Form, Trouble
from app.web.sessions import Session
from app.web.writing import shaped

QUEUE = "/curate/disagreements"
CASE = "/curate/cases/{thing:path}/{property}"
ON_A_PAGE = 50
RULES = ("agreement", "trust-rank", "manual")
_RESOURCES = f"{vocab.BASE}resource/"
_MODELS = f"{_RESOURCES}model/"
_ARCHITECTURES = f"{_RESOURCES}architecture/"
_PARTS_SHOWN = 60
_CHOICES = {"none": "Keep no value", "open": "Open the case again", "rules": "Leave it to the rules"}
_DECIDE_FIELDS = {"/choice": "choice", "/claim": "choice", "/reported": "choice", "/reason": "reason"}
_PROPOSE_FIELDS = {
    "/title": "title",
    "/again": "again",
    "/items/0": "value",
    "/items/0/value": "value",
    "/items/0/reported": "value",
    "/items/0/missing": "missing",
    "/items/0/unit": "unit",
    "/items/0/locator": "locator",
    "/items/0/quote": "quote",
    "/items/0/reading": "reading",
    "/items/0/note": "note",
    "/items/0/source": "source",
    "/items/0/source/slug": "source",
    "/items/0/source/title": "source_title",
    "/items/0/source/type": "source_type",
    "/items/0/source/address": "source_address",
    "/items/0/source/dated": "source_dated",
}

Given = Annotated[str | None, Query(max_length=500)]
PageNumber = Annotated[str | None, Query(alias="page", max_length=10)]


@dataclass(frozen=True, slots=True)
class Pages:
    """One page of a list: which, of how many, and where the next and the last one are."""

    number: int
    count: int
    total: int
    first: int
    query: str

    @classmethod
    def of(cls, number: str | None, total: int, filters: Mapping[str, str | None]) -> Pages:
        """The page with this number; BadParameter when there is none."""
        count = max(1, -(-total // ON_A_PAGE))
        wanted = number or "1"
        if not (wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= count):
            raise BadParameter("page", f"{wanted!r} is no page of this list", advice=f"There are {count}.")
        kept = {name: value for name, value in filters.items() if value}
        return cls(int(wanted), count, total, (int(wanted) - 1) * ON_A_PAGE, urlencode(kept))

    def cut(self, everything: Sequence[Any]) -> Sequence[Any]:
        """What stands on this page."""
        return everything[self.first : self.first + ON_A_PAGE]

    def at(self, number: int) -> str:
        """The query of the address of another page."""
        return f"?{self.query}{'&' if self.query else ''}page={number}"


def queue(
    request: Request,
    services: Use,
    *,
    state: Given = None,
    rule: Given = None,
    kind: Given = None,
    model: Given = None,
    property: Given = None,
    page: PageNumber = None,
) -> Response:
    """Questions on which sources differ, the one that most waits for first."""
    filters = {"state": state, "rule": rule, "kind": kind, "model": model, "property": property}

    def show(session: Session | None) -> Response:
        head = services.store.head().number
        everything = services.curation.disputes(services.weights(), head)
        wanted = {name: (value or "").strip() or None for name, value in filters.items()}
        trouble: Trouble | None = None
        found: list[Dispute] = []
        pages = Pages(1, 1, 0, 0, "")
        try:
            _check("state", wanted["state"], ("open", "settled"))
            _check("rule", wanted["rule"], RULES)
            found = curation.chosen_disputes(everything, **wanted)
            pages = Pages.of(page, len(found), wanted)
        except AppError as error:
            trouble = curation_forms.told(error)
            if isinstance(error, NotFound):
                trouble = replace(trouble, field="property")
        return curation_forms.page(
            "disagreements.html",
            session,
            trouble,
            rows=queue_rows(services, head, pages.cut(found)),
            pages=pages,
            filters=Form({name: value or "" for name, value in filters.items()}),
            rules=RULES,
            kinds=sorted({one for dispute in everything for one in dispute.kinds}),
            properties=sorted({one.predicate.rsplit("#", 1)[-1] for one in everything}),
            models=sorted({slug for one in everything for slug in one.models}),
            open=sum(one.rule is None for one in everything),
        )

    return curation_forms.visited(request, services, show)


def one_case(thing: str, property: str, request: Request, services: Use) -> Response:
    """Everything that is known about one property of one thing, and how it is settled."""
    return curation_forms.visited(request, services, lambda session: _case(services, session, thing, property))


async def change_case(thing: str, property: str, request: Request, services: Use) -> Response:
    """Decides a case, or proposes another value for it, as a form says."""

    async def decided(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.REVIEW)
        await services.writer.take(_deciding(typed, thing, property), key.agent)
        return f"{address(thing, property)}#settled"

    async def proposed(typed: Form, key: Key) -> str:
        curation_forms.needs(key, Scope.PROPOSE)
        body = shaped(shapes.ProposalIn, _proposal(typed, _asked(thing), property))
        taken = await services.writer.take(curation.proposing(body), key.agent)
        assert taken.step.proposal is not None  # noqa: S101 - asked for a step about a proposal
        return f"/curate/proposals/{taken.step.proposal.number}"

    def show(session: Session | None, typed: Form, trouble: Trouble) -> Response:
        return _case(services, session, thing, property, {trouble.form: typed}, trouble)

    forms = {"decide": Doing(decided, lambda _: _DECIDE_FIELDS), "propose": Doing(proposed, lambda _: _PROPOSE_FIELDS)}
    return await curation_forms.submitted(request, services, show, forms)


ROUTES = (
    ("GET", QUEUE, queue),
    ("GET", CASE, one_case),
    ("POST", CASE, change_case),
)


def queue_rows(services: Services, revision: int, disputes: Iterable[Dispute]) -> list[dict[str, Any]]:
    """Disagreements as lines of a table: words only."""
    chosen = list(disputes)
    snapshot = services.curation.at(revision)
    claims = read_claims(snapshot, {one.subject for one in chosen})
    reader = Reader(snapshot)
    models = {slug: resource("model", slug) for one in chosen for slug in one.models}
    reader.learn([*models.values(), *(one.subject for one in chosen), *(iri(one.predicate) for one in chosen)])
    return [
        {
            **told.dispute(one, claims.get(one.key, ())),
            "address": address(_thing_of(one.subject), one.predicate.rsplit("#", 1)[-1]),
            "label": ", ".join(reader.thing(models[slug]).label for slug in one.models)
            or reader.thing(one.subject).label,
            "name": reader.thing(iri(one.predicate)).label,
        }
        for one in chosen
    ]


def address(thing: str, property: str) -> str:
    """Where the page of a case is."""
    return f"/curate/cases/{quote(thing, safe='/')}/{quote(property, safe='')}"


def address_of(subject: str, predicate: str) -> str | None:
    """Where the page of the case of a claim is; None for what sources cannot state."""
    name = predicate.rsplit("#", 1)[-1]
    if name not in requests.PROPERTIES or not subject.startswith(_RESOURCES):
        return None
    return address(_thing_of(iri(subject)), name)


def bearer(subject: IRI) -> IRI:
    """Whose name people know a thing by: an architecture goes by its model's."""
    if subject.value.startswith(_ARCHITECTURES):
        return resource("model", subject.value.removeprefix(_ARCHITECTURES))
    return subject


def shown(reader: Reader, value: Any) -> str:
    """A value in words: a thing by its label, a number with marks between its thousands."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        found = reader.value(iri(value))
        return found.thing.label if found.thing is not None else value
    return "" if value is None else str(value)


def _case(
    services: Services,
    session: Session | None,
    thing: str,
    property: str,
    typed: Mapping[str, Form] | None = None,
    trouble: Trouble | None = None,
) -> Response:
    """The page of a case at the newest revision, with what was typed into its forms."""
    forms = typed or {}
    revision = services.store.head().number
    snapshot = services.curation.at(revision)
    key = requests.case_key(snapshot, _asked(thing), property)
    case = read_cases(snapshot, [key])[key]
    reader = Reader(snapshot)
    predicate = iri(case.predicate)
    reader.learn([bearer(case.subject), predicate, *(claim.value for claim in case.claims)])
    if not case.claims and not reader.records([case.subject]):
        raise NotFound("thing", thing, advice="Start from the list of disagreements, or from a model.")
    name = case.predicate.rsplit("#", 1)[-1]
    described = _described(services, revision, name)
    found = told.case(snapshot, case, revision, decide.judgements(snapshot, key))
    for claim in found["claims"]:
        claim["shown"] = shown(reader, claim["value"])
        claim["link"] = link(claim["source"]["address"])
    return curation_forms.page(
        "case.html",
        session,
        trouble,
        case=found,
        values=[shown(reader, value) for value in found["values"]],
        here=address(thing, property),
        thing=thing,
        name=name,
        label=reader.thing(bearer(case.subject)).label,
        title=reader.thing(predicate).label,
        about=described,
        notations=_notations(case.predicate),
        value_hint=_hint(case.predicate),
        tag=f"{revision}-{case_tag(case)}",
        adds_up=case.predicate in vocab.ADDITIVE,
        choices=_choices(case, found["claims"]),
        others=_others(case),
        decision=forms.get("decide", Form()),
        proposal=forms.get("propose", Form()),
        source_types=requests.SOURCE_TYPES,
        readings=requests.READINGS,
        reasons=list(requests.MISSING),
        sources={claim["source"]["slug"]: claim["source"]["title"] for claim in found["claims"]},
        history=_blame(services, thing, name, revision),
    )


def _asked(thing: str) -> str:
    """What the use cases know a thing by: a model by its slug, anything else by its IRI."""
    return f"{_RESOURCES}{thing}" if "/" in thing else thing


def _thing_of(subject: IRI) -> str:
    """A thing as addresses of these pages name it."""
    for prefix in (_MODELS, _ARCHITECTURES):
        if subject.value.startswith(prefix):
            return subject.value.removeprefix(prefix)
    return subject.value.removeprefix(_RESOURCES)


def _choices(case: Case, claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The claims whose value a person can keep: those that cite a source."""
    cited = {claim.iri.value for claim in case.claims if not claim.recalled}
    return [claim for claim in claims if claim["iri"] in cited]


def _others(case: Case) -> dict[str, str]:
    """What else can be decided: nothing that would leave all as it is."""
    useless = {"open"} if case.outcome.is_open else set()
    if case.outcome.decision is None:
        useless.add("rules")
    return {choice: text for choice, text in _CHOICES.items() if choice not in useless}


def _described(services: Services, revision: int, name: str) -> Property | None:
    return next((one for one in services.properties(revision=revision) if one.name == name), None)


def _notations(predicate: str) -> list[str]:
    """What a property whose values are concepts may say."""
    scheme = vocab.SCHEMES.get(predicate)
    if scheme is None:
        return ["true", "false"] if vocab.DATATYPES.get(predicate) == vocab.xsd.boolean else []
    return sorted(one.rsplit("/", 1)[-1] for one in CONCEPTS if one.rsplit("/", 1)[0].rstrip("/") == scheme.rstrip("/"))


def _hint(predicate: str) -> str:
    """What to write as the value."""
    if _notations(predicate):
        return "One of those that the field offers."
    kind = vocab.DATATYPES.get(predicate)
    if kind in {vocab.xsd.integer, vocab.xsd.decimal}:
        return "A number without commas, such as 2048 or 1.1B."
    if kind == vocab.xsd.gYearMonth:
        return "A month, such as 2024-07."
    return "As the source prints it." if kind is not None else "Its short name, its name, or its address."


def _blame(services: Services, thing: str, name: str, revision: int) -> Blame | None:
    """Who put what into the cell; None for what is no cell of a model."""
    try:
        found = services.history.blame(thing, name, revision=revision)
    except AppError:
        return None
    return replace(found, parts=found.parts[:_PARTS_SHOWN])


def link(written: str | None) -> str | None:
    """An address that may be followed: nothing but the web."""
    return written if written is not None and written.startswith(("https://", "http://")) else None


def _deciding(typed: Form, thing: str, property: str) -> Work:
    """The step that the form for a decision asks for."""
    expected = curation_forms.expected(typed)
    choice = typed.text("choice")
    if choice == "rules":
        return curation.leaving_to_rules(_asked(thing), property, typed["reason"], expected)
    kept = choice.startswith("claim:")
    if not kept and choice not in _CHOICES:
        raise BadValue("/choice", "nothing is chosen", advice="Choose a claim, or what else shall happen.")
    values = {"choice": "value" if kept else choice, "reason": typed["reason"]}
    if kept:
        values["claim"] = choice.removeprefix("claim:")
    return curation.deciding(_asked(thing), property, shaped(shapes.DecisionIn, values), expected)


def _proposal(typed: Form, model: str, property: str) -> dict[str, Any]:
    """The form as the body of the same request over REST."""
    value, reported = typed.given("value"), typed.given("reported")
    item: dict[str, Any] = {
        "model": model,
        "property": property,
        "locator": typed.text("locator"),
        "source": {
            name: given
            for name, field in (
                ("slug", "source"),
                ("title", "source_title"),
                ("type", "source_type"),
                ("address", "source_address"),
                ("dated", "source_dated"),
            )
            if (given := typed.given(field)) is not None
        },
        "missing": typed.given("missing"),
        "unit": typed.given("unit"),
        "quote": typed.given("quote"),
        "note": typed.given("note"),
    }
    if reported is None:
        item["reported"] = value
    else:
        item |= {"value": None if value is None else _plain(value), "reported": reported}
    if item["missing"] is not None and value is not None:
        raise BadValue("/items/0/missing", "says that there is no value, yet one is given", advice="Empty one of both.")
    if item["source"].get("title") and not item["source"].get("slug") and not item["source"].get("type"):
        raise BadValue("/items/0/source/type", "is not chosen", advice="Say what kind of document it is.")
    if typed.given("reading") is not None:
        item["reading"] = typed.text("reading")
    return {"title": typed["title"], "items": [item], "again": typed.given("again")}


def _plain(value: str) -> int | Decimal | str:
    """A number that is written plainly, so that it is held against the source's characters; else the text."""
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 30:
        return int(value)
    whole, dot, part = digits.partition(".")
    is_decimal = dot and all(one.isascii() and one.isdecimal() and len(one) <= 30 for one in (whole, part))
    return Decimal(value) if is_decimal else value


def _check(name: str, value: str | None, known: Iterable[str]) -> None:
    choices = tuple(known)
    if value is not None and value not in choices:
        raise BadParameter(name, f"{value!r} is unknown", advice=f"Use {', '.join(choices)}.")
