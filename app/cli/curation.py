"""Commands of curation: propose, review, commit, list claims and disagreements, decide. The same steps as over REST.

Whoever may read and write the data folder may do all of it here; nobody reviews their own proposal all the same,
unless the setting says so. `--as`, or SLMKG_AGENT, says who acts; see `acting`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.cli.acting import As, acting, agent
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.curate import decide as deciding
from app.curate import proposals, requests, review, told
from app.curate.cases import read_cases, read_claims
from app.curate.proposals import Filter
from app.curate.requests import ClaimRequest, Request, SourceRequest
from app.curate.review import Answer
from app.curate.steps import Bench, Step, Taken
from app.errors import BadParameter, BadValue
from app.model.agents import Agent
from app.model.claims import resource
from app.model.proposals import Choice, State
from app.model.rdf import iri
from app.services import Services
from app.settings import Settings
from app.web.curation_schemas import ProposalIn, claim_request, result_request

Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the proposal.")]
Model = Annotated[str, typer.Argument(help="Slug of a model, or the IRI of another thing.")]
Property = Annotated[str, typer.Argument(help="Local name of a property, e.g. vocabularySize.")]

app = typer.Typer(
    help="List, show, comment, review, withdraw and commit proposals.", no_args_is_help=True, rich_markup_mode=None
)


def propose(
    model: Annotated[str | None, typer.Argument(help="Slug of a model.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="[PROPERTY]", help="Local name of a property.")] = None,
    value: Annotated[str | None, typer.Argument(help="Its value; or leave it out and give --reported.")] = None,
    *,
    title: Annotated[str, typer.Option("--title", help="What the proposal is about, and why.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="JSON file with a whole proposal, as REST takes it.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Slug of a recorded source, or of a new one.")] = None,
    source_title: Annotated[str | None, typer.Option("--source-title", help="Title of a new source.")] = None,
    source_type: Annotated[str | None, typer.Option("--source-type", help="Its type, e.g. TechnicalReport.")] = None,
    address: Annotated[str | None, typer.Option("--address", help="Its address.")] = None,
    dated: Annotated[str | None, typer.Option("--dated", help="Its day or month: 2024-07-16, 2024-07.")] = None,
    retrieved: Annotated[str | None, typer.Option("--retrieved", help="Day on which you read it.")] = None,
    locator: Annotated[str, typer.Option("--locator", help="Where in the source the value stands.")] = "",
    reported: Annotated[str | None, typer.Option("--reported", help="The source's own characters.")] = None,
    quote: Annotated[str | None, typer.Option("--quote", help="The words around the value.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="The property's own unit.")] = None,
    missing: Annotated[str | None, typer.Option("--missing", help="Why there is no value, e.g. not-reported.")] = None,
    again: Annotated[str | None, typer.Option("--again", help="What is new, if it was rejected before.")] = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Propose a value with its source, or a whole file of them. Nothing of it counts before somebody accepts it."""
    services, who = _services(as_)
    wanted: list[Request]
    if file is not None:
        body = _body(file)
        wanted = [*map(claim_request, body.items), *map(result_request, body.results)]
        title, again = title or body.title, again or body.again
    else:
        if model is None or name is None:
            raise BadParameter("MODEL", "a model and a property are needed", advice="Or give --file.")
        described = SourceRequest(source, source_title, source_type, address, dated, retrieved)
        wanted = [
            ClaimRequest(
                model,
                name,
                described,
                locator,
                None if value is None else _plain(value),
                missing,
                reported if reported is not None else value,
                unit,
                quote,
            )
        ]
        title = title or f"{name} of {model}"

    def work(bench: Bench) -> Step:
        contents = requests.contents_of(bench.snapshot, wanted, today=bench.now.date())
        return proposals.propose(contents, title=title, again=again)(bench)

    _tell(services, services.curation.take(work, who), as_json=as_json)


@app.command("list")
def list_proposals(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Only those of this author.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only those about this model.")] = None,
    property_name: Annotated[str | None, typer.Option("--property", help="Only those about this property.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Only those from this source.")] = None,
    as_json: Json = False,
) -> None:
    """List proposals, newest first."""
    snapshot = opened(Settings()).curation.at()
    wanted = Filter(
        state,
        None if author is None else agent("--author", author).iri,
        None if model is None else (resource("model", model), resource("architecture", model)),
        None if property_name is None else iri(requests.property_iri(property_name)),
        None if source is None else resource("source", source),
    )
    numbers = proposals.find(snapshot, wanted)
    found = proposals.read_many(snapshot, numbers)
    heads = told.heads(snapshot, (found[number] for number in numbers))
    if as_json:
        write_json(heads)
        return
    for one in heads:
        write(f"{one['number']}\t{one['state']}\t{one['items']} item(s)\t{one['author']['name']}\t{one['title']}")
    if not heads:
        console.print("no proposal fits")


@app.command("show")
def show(number: Number, as_json: Json = False) -> None:
    """Show a proposal: its items, verdicts and comments, and what validation would find if it were recorded."""
    curation = opened(Settings()).curation
    head, report = curation.findings(number)
    snapshot = curation.at(head)
    _show(told.proposal(snapshot, proposals.read(snapshot, number), (head, report)), as_json=as_json)


@app.command("comment")
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="What you have to say.")],
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Say something about a proposal."""
    services, who = _services(as_)
    _tell(services, services.curation.take(proposals.comment(number, text), who), as_json=as_json)


@app.command("review")
def judge(
    number: Number,
    accept: Annotated[list[int] | None, typer.Option("--accept", help="Number of an item to accept.")] = None,
    reject: Annotated[list[int] | None, typer.Option("--reject", help="Number of an item to reject.")] = None,
    accept_rest: Annotated[bool, typer.Option("--accept-rest", help="Accept all other items that wait.")] = False,
    reject_rest: Annotated[bool, typer.Option("--reject-rest", help="Reject all other items that wait.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; needed to reject, and for warnings.")] = "",
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Accept or reject items of a proposal."""
    services, who = _services(as_)
    both = set(accept or ()) & set(reject or ())
    if both or (accept_rest and reject_rest):
        raise BadParameter("--accept", "an item is accepted and rejected at once", advice="Choose one.")
    answers = {item: Answer(True, reason) for item in accept or ()}
    answers |= {item: Answer(False, reason) for item in reject or ()}
    rest = Answer(accept_rest, reason) if accept_rest or reject_rest else None
    work = review.review(number, answers, rest=rest, self_review=services.curation.self_review)
    _tell(services, services.curation.take(work, who), as_json=as_json)


@app.command("withdraw")
def withdraw(number: Number, reason: Reason, as_: As = None, as_json: Json = False) -> None:
    """Take your proposal back."""
    services, who = _services(as_)
    _tell(services, services.curation.take(proposals.withdraw(number, reason), who), as_json=as_json)


@app.command("commit")
def commit(number: Number, as_: As = None, as_json: Json = False) -> None:
    """Record what was accepted, and settle the cases that it touches, as one revision."""
    services, who = _services(as_)
    _tell(services, services.curation.take(review.commit(number), who), as_json=as_json)


def claims(model: Model, name: Property, as_json: Json = False) -> None:
    """List all claims of a case with their sources, and how it is settled."""
    _show_case(opened(Settings()), model, name, as_json=as_json)


def disagreements(
    is_open: Annotated[bool, typer.Option("--open", help="Only those that wait for a person.")] = False,
    settled: Annotated[bool, typer.Option("--settled", help="Only those that are settled.")] = False,
    rule: Annotated[str | None, typer.Option("--rule", help="agreement, trust-rank or manual.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only those about this model.")] = None,
    property_name: Annotated[str | None, typer.Option("--property", help="Only those about this property.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only those of this kind.")] = None,
    as_json: Json = False,
) -> None:
    """List questions on which sources differ, the one that most waits for first."""
    services = opened(Settings())
    predicate = None if property_name is None else requests.property_iri(property_name)
    found = [
        one
        for one in services.curation.disputes(services.weights())
        if (not is_open or one.rule is None)
        and (not settled or one.rule is not None)
        and (rule is None or one.rule == rule)
        and (model is None or model in one.models)
        and (predicate is None or one.predicate == predicate)
        and (kind is None or kind in one.kinds)
    ]
    known = read_claims(services.curation.at(), {one.subject for one in found})
    rows = [told.dispute(one, known.get(one.key, ())) for one in found]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        where, what = ",".join(row["models"]) or row["subject"], row["property"].rsplit("#", 1)[-1]
        write(f"{row['views']}\t{row['rule'] or 'open'}\t{where}\t{what}\t{' | '.join(row['candidates'])}")


def decide(
    model: Model,
    name: Property,
    reason: Reason,
    keep: Annotated[str | None, typer.Option("--keep", help="Keep the value that a source prints like this.")] = None,
    claim: Annotated[str | None, typer.Option("--claim", help="Keep the value of the claim with this IRI.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Keep no value.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Leave it to the rules again.")] = False,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open the case again.")] = False,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Decide a case: keep a value, keep none, leave it to the rules, or open it again."""
    services, who = _services(as_)
    chosen = [
        choice
        for choice, given in (
            (Choice.VALUE, keep is not None or claim is not None),
            (Choice.NONE, none),
            (Choice.RULES, rules),
            (Choice.OPEN, reopen),
        )
        if given
    ]
    if len(chosen) != 1 or (keep is not None and claim is not None):
        raise BadParameter(
            "--keep", "exactly one choice is needed", advice="--keep, --claim, --none, --rules or --reopen."
        )
    try:
        node = None if claim is None else iri(claim)
    except ValueError as error:
        raise BadParameter("--claim", "is no IRI", advice="`slmkg claims` lists the claims.") from error

    def work(bench: Bench) -> Step:
        key = requests.case_key(bench.snapshot, model, name)
        return deciding.decide(key, chosen[0], reason, claim=node, reported=keep)(bench)

    services.curation.take(work, who)
    _show_case(services, model, name, as_json=as_json)


def _services(named: str | None) -> tuple[Services, Agent]:
    settings = Settings()
    return opened(settings), acting(named, settings)


def _body(path: Path) -> ProposalIn:
    try:
        return ProposalIn.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadParameter("--file", f"{path} cannot be read", advice="Give a JSON file.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise BadValue(pointer, first["msg"], advice="See docs/reference/api.md for the shape.") from None


def _plain(value: str) -> requests.Plain | None:
    """A number where the text is one; anything else is read by the rules for tables."""
    try:
        return Decimal(value) if value.strip("+-0123456789.") == "" else value
    except InvalidOperation:
        return value


def _tell(services: Services, taken: Taken, *, as_json: bool) -> None:
    proposal = taken.step.proposal
    assert proposal is not None  # noqa: S101 - asked for steps about proposals only
    _show(told.proposal(services.curation.at(taken.revision), proposal), as_json=as_json)
    if not as_json:
        console.print(f"revision {taken.revision}: {taken.step.reason}", markup=False, soft_wrap=True)


def _show(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        write_json(one)
        return
    write(f"proposal {one['number']} ({one['state']}) by {one['author']['name']}: {one['title']}")
    for item in one["items"]:
        said = item["value"] if item["missing"] is None else item["missing"]
        place = f"{item['source']['title']}, {item['locator']}"
        about, what = item["subject"].rsplit("/", 1)[-1], item["property"].replace("#", "/").rsplit("/", 1)[-1]
        write(f"  {item['number']}\t{item['state']}\t{about}\t{what}\t{said}\t{place}")
        for verdict in item["verdicts"]:
            done = "accepted" if verdict["accepted"] else "rejected"
            write(f"     {done} by {verdict['by']['name']}{': ' + verdict['reason'] if verdict['reason'] else ''}")
    for remark in one["comments"]:
        write(f"  {remark['by']['name']}: {remark['text']}")
    if one["withdrawal"]:
        write(f"  withdrawn: {one['withdrawal']['reason']}")
    for finding in (one["validation"] or {}).get("findings", ()):
        write(f"  {finding['severity']}: {finding['message']}")


def _show_case(services: Services, model: str, name: str, *, as_json: bool) -> None:
    revision = services.store.head().number
    snapshot = services.curation.at(revision)
    key = requests.case_key(snapshot, model, name)
    case = told.case(snapshot, read_cases(snapshot, [key])[key], revision, deciding.judgements(snapshot, key))
    if as_json:
        write_json(case)
        return
    how = f" by {case['rule']}" if case["rule"] else ""
    by = f" ({case['decided_by']['name']}, {case['decided_on']}: {case['reason']})" if case["decided_by"] else ""
    values = ", ".join(map(str, case["values"])) or "no value"
    write(f"{case['state']}{how}: {values}{by}")
    for claim in case["claims"]:
        place = f"{claim['source']['title']}, {claim['locator']}"
        write(f"  {claim['status']}\t{claim['reported']}\trank {claim['trust_rank']}\t{place}\t{claim['iri']}")
