"""What the API answers to those who read. Everything here is public and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.orkg_double import clock, shapes, table
from tests.orkg_double.call import (
    COMPARISON,
    CONTRIBUTION,
    CSV,
    CSV_TRANSPOSED,
    PAPER,
    TEMPLATE,
    VISUALIZATION,
    Call,
    Route,
)
from tests.orkg_double.messages import Answer, Problem, as_json, not_found
from tests.orkg_double.paging import in_order, page
from tests.orkg_double.sign_in import USERS
from tests.orkg_double.state import NOBODY, Comparison, Json, Paper, State, Statement, Thing

T = TypeVar("T")

# comparisons


def comparison_of(call: Call) -> Comparison:
    """The comparison in the address."""
    found = call.state.comparisons.get(call.id)
    if found is None:
        raise not_found("comparison", "Comparison", call.id)
    return found


def _comparison(call: Call) -> Answer:
    return call.answer(shapes.comparison(call.state, comparison_of(call)))


def _comparisons(call: Call) -> Answer:
    title, doi, exact = call.request.one("title"), call.request.one("doi"), call.request.one("exact") == "true"
    published, visibility = call.request.one("published"), call.request.one("visibility") or "ALL_LISTED"
    created_by, field = call.request.one("created_by"), call.request.one("research_field")

    def fits(one: Comparison) -> bool:
        thing = call.state.things[one.id]
        return (
            (title is None or _label_fits(thing.label, title, exact=exact))
            and (doi is None or _has_doi(one.identifiers, doi))
            and (published is None or (published == "true") == one.published)
            and (published is not None or doi is not None or not one.published)
            and one.visibility in _VISIBLE.get(visibility, (visibility,))
            and (created_by is None or thing.created_by == created_by)
            and (field is None or field in one.research_fields)
        )

    found = (one for one in call.state.comparisons.values() if fits(one))
    return call.answer(
        _page(call, found, lambda one: call.state.things[one.id], lambda one: shapes.comparison(call.state, one))
    )


_VISIBLE = {"ALL_LISTED": ("DEFAULT", "FEATURED"), "NON_FEATURED": ("DEFAULT",)}


def _contents(call: Call) -> Answer:
    comparison_of(call)
    found = table.contents(call.state, call.id)
    if call.media.startswith(CSV):
        headers = (("Content-Type", f"{call.media};charset=UTF-8"),)
        return Answer(200, headers, table.as_csv(found, transposed=call.media == CSV_TRANSPOSED))
    return call.answer(found)


def _table_paths(call: Call) -> Answer:
    if comparison_of(call).published:
        raise not_found("comparison", "Comparison", call.id)
    return call.answer(table.paths(call.state, [one.object for one in call.state.sources(call.id)]))


def _authors(call: Call) -> Answer:
    comparison_of(call)
    papers = dict.fromkeys(call.state.paper_of(one.object) for one in call.state.sources(call.id))
    found = [shapes.author(author) for paper in papers if paper for author in call.state.papers[paper].authors]
    return call.answer(found)


def _related(call: Call) -> Answer:
    comparison_of(call)
    return call.answer(page(call.request, [], lambda one: one))


# papers and contributions


def _papers(call: Call) -> Answer:
    found = _find_papers(call)
    return call.answer(
        _page(call, found, lambda one: call.state.things[one.id], lambda one: shapes.paper(call.state, one))
    )


def _papers_head(call: Call) -> Answer:
    """Whether there is a paper of a DOI, or of exactly a title."""
    title = call.request.one("title")
    found = [one for one in _find_papers(call) if title is None or call.state.things[one.id].label == title]
    if not found:
        return Answer(404)
    return Answer(200, (("Location", call.location(f"/api/papers/{found[0].id}")),))


def _find_papers(call: Call) -> list[Paper]:
    title, doi, exact = call.request.one("title"), call.request.one("doi"), call.request.one("exact") == "true"
    return [
        one
        for one in call.state.papers.values()
        if (title is None or _label_fits(call.state.things[one.id].label, title, exact=exact))
        and (doi is None or _has_doi(one.identifiers, doi))
    ]


def _paper(call: Call) -> Answer:
    found = call.state.papers.get(call.id)
    if found is None:
        raise not_found("paper", "Paper", call.id)
    return call.answer(shapes.paper(call.state, found))


def _contribution(call: Call) -> Answer:
    found = call.state.things.get(call.id)
    if found is None or "Contribution" not in found.classes:
        raise not_found("contribution", "Contribution", call.id)
    return call.answer(shapes.contribution(call.state, found))


# statements


def _statements(call: Call) -> Answer:
    state, one = call.state, call.request.one
    subject, predicate, object_ = one("subject_id"), one("predicate_id"), one("object_id")
    subject_classes = set(call.request.many("subject_classes"))
    object_classes = set(call.request.many("object_classes"))
    subject_label, object_label, by = one("subject_label"), one("object_label"), one("created_by")
    start, end = _moment(call, "created_at_start"), _moment(call, "created_at_end")
    if subject is not None:
        found: Iterable[Statement] = state.about(subject)
    elif object_ is not None:
        found = state.naming(object_)
    else:
        found = state.statements.values()

    def fits(each: Statement) -> bool:
        made = clock.read(each.created_at)
        return (
            (predicate is None or each.predicate == predicate)
            and (object_ is None or each.object == object_)
            and (not subject_classes or bool(subject_classes & {*state.things[each.subject].classes}))
            and (not object_classes or bool(object_classes & {*state.things[each.object].classes}))
            and (subject_label is None or state.things[each.subject].label == subject_label)
            and (object_label is None or state.things[each.object].label == object_label)
            and (by is None or each.created_by == by)
            and (start is None or made >= start)
            and (end is None or made <= end)
        )

    return call.answer(_page(call, [each for each in found if fits(each)], _itself, _shown(call)))


def _moment(call: Call, name: str) -> int | None:
    text = call.request.one(name)
    if text is None:
        return None
    try:
        return clock.read(text)
    except ValueError:
        raise Problem(400, "type_mismatch", f'Parameter "{name}" is no time.') from None


def _statement(call: Call) -> Answer:
    found = call.state.statements.get(call.id)
    if found is None:
        raise not_found("statement", "Statement", call.id)
    return call.answer(_shown(call)(found))


def _bundle(call: Call) -> Answer:
    call.thing(call.id)
    most, least = _number(call, "max_level", 10), _number(call, "min_level", 0)
    walked = _walk(
        call, most=most, least=least, deny=call.request.many("blacklist"), allow=call.request.many("whitelist")
    )
    return call.answer({"root": call.id, "statements": [_shown(call)(one) for one in walked]})


def _subgraph(call: Call) -> Answer:
    call.thing(call.id)
    least, most = _number(call, "min_hops", 1), _number(call, "max_hops", 10)
    if not 1 <= least <= most <= 10:
        raise Problem(400, "invalid_argument", "Hops must be between 1 and 10.")
    many = call.request.many
    walked = _walk(
        call,
        most=most,
        least=least,
        deny=many("deny_classes"),
        allow=many("allow_classes"),
        end=many("termination_classes"),
    )
    return call.answer(_page(call, walked, _itself, _shown(call)))


def _walk(
    call: Call,
    *,
    most: int,
    least: int,
    deny: Iterable[str] = (),
    allow: Iterable[str] = (),
    end: Iterable[str] = (),
) -> list[Statement]:
    """The statements on paths that lead away from the thing in the address, in order of creation, each once.

    A path that is long enough brings all of its statements, also the first ones. With `end` only paths count that end
    in a thing of these classes, and none goes on from there.
    """
    state, denied, allowed, ends = call.state, set(deny), set(allow), set(end)
    seen: set[str] = set()
    found: set[str] = set()
    border: list[tuple[str, tuple[str, ...]]] = [(call.id, ())]
    for hop in range(1, most + 1):
        following = []
        for subject, path in border:
            for one in state.about(subject):
                thing = state.things[one.object]
                classes = {*thing.classes, thing.kind.capitalize(), "Thing"}
                if one.id in seen or classes & denied or (allowed and not classes & (allowed | ends)):
                    continue
                seen.add(one.id)
                whole = (*path, one.id)
                if hop >= least and (not ends or classes & ends):
                    found |= {*whole}
                if not classes & ends:
                    following.append((one.object, whole))
        border = following
    return sorted((state.statements[one] for one in found), key=lambda one: (clock.read(one.created_at), one.id))


# things


def _things(call: Call) -> Answer:
    uri = call.request.one("uri")
    found = [one for one in call.state.things.values() if uri is None or one.uri == uri]
    return call.answer(_page(call, found, _itself, lambda one: shapes.thing(call.state, one)))


def _list_of(kind: str) -> Callable[[Call], Answer]:
    def answered(call: Call) -> Answer:
        wanted, exact = call.request.one("q"), call.request.one("exact") == "true"
        classes = set(call.request.many("include"))
        found = [
            one
            for one in call.state.things.values()
            if (one.kind == kind or (kind == "list" and "List" in one.classes))
            and (wanted is None or _label_fits(one.label, wanted, exact=exact))
            and (not classes or bool(classes & {*one.classes}))
        ]
        shown = shapes.listed if kind == "list" else _thing_in_list
        return call.answer(_page(call, found, _itself, lambda one: shown(call.state, one)))

    return answered


def _thing_in_list(state: State, one: Thing) -> Json:
    return shapes.thing(state, one)


def _one_of(kind: str) -> Callable[[Call], Answer]:
    def answered(call: Call) -> Answer:
        found = call.thing(call.id, kind)
        return call.answer(
            shapes.listed(call.state, found)
            if kind == "list"
            else shapes.thing(call.state, found, formatted=_formatted(call))
        )

    return answered


def _timeline(call: Call) -> Answer:
    found = call.thing(call.id, "resource")
    changes = dict.fromkeys(
        [(found.created_by, found.created_at), *((one.created_by, one.created_at) for one in call.state.about(call.id))]
    )
    ordered = sorted(changes, key=lambda one: clock.read(one[1]), reverse=True)
    return call.answer(page(call.request, ordered, lambda one: {"created_by": one[0], "created_at": one[1]}))


# the rest


def _contributor(call: Call) -> Answer:
    user = USERS.get(call.id)
    if user is None:
        raise not_found("contributor", "Contributor", call.id)
    return as_json(
        {
            "id": user.id,
            "display_name": user.name,
            "joined_at": "2024-01-01T00:00:00+01:00",
            "organization_id": NOBODY,
            "observatory_id": NOBODY,
            "gravatar_id": "0" * 64,
            "avatar_url": "https://www.gravatar.com/avatar/" + "0" * 64,
        },
        headers=(("Cache-Control", "max-age=300"),),
    )


def _user(call: Call) -> Answer:
    user = call.user
    assert user is not None
    return call.answer(
        {
            "id": user.id,
            "email": user.email,
            "display_name": user.name,
            "created_at": "2024-01-01T00:00:00+01:00",
            "organization_id": None,
            "observatory_id": None,
            "is_curation_allowed": user.curator,
        }
    )


def _content_types(call: Call) -> Answer:
    wanted = call.request.many("classes") or ("COMPARISON", "PAPER")
    state = call.state
    found: list[Comparison | Paper] = []
    if "COMPARISON" in wanted:
        found += [one for one in state.comparisons.values() if not one.published]
    if "PAPER" in wanted:
        found += state.papers.values()
    return call.answer(
        _page(
            call,
            found,
            lambda one: state.things[one.id],
            lambda one: shapes.comparison(state, one) if isinstance(one, Comparison) else shapes.paper(state, one),
        )
    )


def _document(kind: str) -> Callable[[Call], Answer]:
    def answered(call: Call) -> Answer:
        found = call.state.documents.get(call.request.path)
        if found is None:
            raise not_found(kind, kind.capitalize(), call.id)
        return call.answer(found)

    return answered


def _formatted(call: Call) -> bool:
    return "formatted-labels=V1" in call.request.headers.get("accept", "")


def _shown(call: Call) -> Callable[[Statement], Json]:
    formatted = _formatted(call)
    return lambda one: shapes.statement(call.state, one, formatted=formatted)


def _itself(one: Statement | Thing) -> Statement | Thing:
    return one


def _page(call: Call, found: Iterable[T], record: Callable[[T], Thing | Statement], shown: Callable[[T], Json]) -> Json:
    return page(call.request, in_order(call.request, found, record), shown, shift=call.habits.paging_shift)


def _number(call: Call, name: str, otherwise: int) -> int:
    text = call.request.one(name)
    if text is None:
        return otherwise
    try:
        return int(text)
    except ValueError:
        raise Problem(400, "type_mismatch", f'Parameter "{name}" is no whole number.') from None


def _label_fits(label: str, wanted: str, *, exact: bool) -> bool:
    return label.casefold() == wanted.casefold() if exact else wanted.casefold() in label.casefold()


def _has_doi(identifiers: Json, doi: str) -> bool:
    return any(one.casefold() == doi.casefold() for one in identifiers.get("doi", ()))


_KINDS = {
    "resources": "resource",
    "predicates": "predicate",
    "classes": "class",
    "literals": "literal",
    "lists": "list",
}

ROUTES = [
    Route("GET", "/api/comparisons", _comparisons, (COMPARISON,)),
    Route("GET", "/api/comparisons/{}", _comparison, (COMPARISON,)),
    Route("GET", "/api/comparisons/{}/contents", _contents, (COMPARISON, CSV_TRANSPOSED, CSV)),
    Route("GET", "/api/comparisons/{}/table-paths", _table_paths, (COMPARISON,)),
    Route("GET", "/api/comparisons/{}/authors", _authors, (COMPARISON,)),
    Route("GET", "/api/comparisons/{}/related-resources", _related, (COMPARISON,)),
    Route("GET", "/api/comparisons/{}/related-figures", _related, (COMPARISON,)),
    Route("GET", "/api/papers", _papers, (PAPER,)),
    Route("HEAD", "/api/papers", _papers_head, (PAPER,)),
    Route("GET", "/api/papers/{}", _paper, (PAPER,)),
    Route("GET", "/api/contributions/{}", _contribution, (CONTRIBUTION,)),
    Route("GET", "/api/statements", _statements),
    Route("GET", "/api/statements/{}", _statement),
    Route("GET", "/api/statements/{}/bundle", _bundle),
    Route("GET", "/api/things", _things),
    Route("GET", "/api/things/{}", _one_of("thing")),
    Route("GET", "/api/things/{}/subgraph", _subgraph),
    *(Route("GET", f"/api/{path}", _list_of(kind)) for path, kind in _KINDS.items()),
    *(Route("GET", f"/api/{path}/{{}}", _one_of(kind)) for path, kind in _KINDS.items()),
    Route("GET", "/api/resources/{}/timeline", _timeline),
    Route("GET", "/api/contributors/{}", _contributor),
    Route("GET", "/api/user", _user, login=True),
    Route("GET", "/api/content-types", _content_types),
    Route("GET", "/api/templates/{}", _document("template"), (TEMPLATE,)),
    Route("GET", "/api/visualizations/{}", _document("visualization"), (VISUALIZATION,)),
]
