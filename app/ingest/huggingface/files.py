"""Files of one model (`config.json`, the card `README.md`) to claims and results with a finding for every key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from app import vocab
from app.errors import BadFile, BadParameter
from app.ingest.bulk import quantities, values
from app.ingest.bulk.fields import BY_NAME, Field
from app.ingest.bulk.names import Names
from app.ingest.bulk.sheets import Cell, decoded
from app.ingest.bulk.table import Account, Known, Reading, with_key
from app.ingest.bulk.verdicts import Finding, Refused, Verdict, shown
from app.ingest.huggingface import configs, places
from app.ingest.huggingface.places import Listed, Mapped, Node, Scalar
from app.ingest.registry import Model
from app.model.claims import Claim, Protocol, Result, Source, concept, digest, resource
from app.model.rdf import IRI

CONFIG = "config.json"
CARD = "README.md"
HUB = "https://huggingface.co"
_RELEASED = concept("quantisation", "None")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SHOTS = re.compile(r"\(?\s*(\d{1,3})\s*-?\s*shots?\s*\)?", re.IGNORECASE)
_LONGEST = 1_000
_SCORES = {"acc": "acc", "accuracy": None, "acc_norm": "acc_norm", "exact_match": "exact_match", "em": "exact_match"}
"""Metrics of a card that are accuracies, and how they pick an answer where their name says so."""
_FROM_CARD = (("datasets", "training_datasets"), ("base_model", "base_model"))
_BENCHMARKS = {
    "ai2 reasoning challenge": "arc-challenge",
    "arc_challenge": "arc-challenge",
    "arc_easy": "arc-easy",
    "ai2_arc": "",
    "truthful_qa": "truthfulqa-mc2",
    "truthfulqa": "truthfulqa-mc2",
    "cais/mmlu": "mmlu",
    "hendrycks_test": "mmlu",
}
"""What cards call benchmarks, besides the names of the registry."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one model: the text of each by name, and where they are from.

    `repository` is the model's id on the hub; `revision` the commit; `dated` its day. None: not known.
    """

    texts: dict[str, str]
    repository: str | None = None
    revision: str | None = None
    dated: str | None = None


def read_folder(path: Path, *, repository: str | None = None, revision: str | None = None) -> Files:
    """Read a file, or the two files of a folder; BadFile."""
    if repository is not None:
        check_repository(repository)
    if revision is not None and not _COMMIT.fullmatch(revision):
        raise BadParameter("revision", f"{revision!r} is no commit", advice="Give the commit's hexadecimal digits.")
    found = [path] if path.is_file() else [path / name for name in (CONFIG, CARD) if (path / name).is_file()]
    if not found:
        raise BadFile(path, f"is no file, and no folder with {CONFIG} or {CARD}", advice="Check the path.")
    texts: dict[str, str] = {}
    for file in found:
        texts[_name(file)] = text_of(file.read_bytes(), str(file))
    return Files(texts, repository, revision)


def text_of(data: bytes, name: str) -> str:
    """The text of a file of a repository; BadFile where it is too long or no UTF-8."""
    if len(data) > places.MAX_BYTES:
        raise BadFile(name, f"is larger than {places.MAX_BYTES} bytes", advice="Neither file is so large.")
    return decoded(data, name)


def check_repository(name: str) -> str:
    """A repository's id; BadParameter for anything else."""
    if not _REPOSITORY.fullmatch(name) or ".." in name:
        raise BadParameter("repository", f"{name!r} is no id of a model", advice="Write it as owner/name.")
    return name


def _name(file: Path) -> str:
    """Which of the two files it is."""
    if file.suffix.lower() == ".json":
        return CONFIG
    if file.suffix.lower() in {".md", ".markdown"}:
        return CARD
    raise BadFile(file, "is neither a configuration nor a card", advice=f"Give {CONFIG} or {CARD}.")


def read_files(files: Files, names: Names, known: Known, *, model: str | None, today: date) -> Reading:
    """Read the files of one model. `model` names it where the files do not. BadFile, BadParameter.

    What a file says and the graph cannot name is a question and leaves the rest untouched.
    """
    account = Account(known)
    parsed = {
        name: places.read_json(text, name) if name == CONFIG else places.read_card(text, name)
        for name, text in files.texts.items()
    }
    chosen = _model(files, parsed, names, model)
    for name, node in parsed.items():
        source = _source(files, name, chosen, names, today)
        if name == CONFIG:
            _read_config(node, chosen, source, names, account)
        else:
            _read_card(node, chosen, source, names, account)
    return Reading(tuple(account.items.values()), tuple(account.findings))


def _model(files: Files, parsed: dict[str, Mapped], names: Names, given: str | None) -> Model:
    """The model that is meant: as the caller says, else by its id on the hub, else by the file's own word."""
    own = parsed[CONFIG].members.get("_name_or_path") if CONFIG in parsed else None
    told = own.value if isinstance(own, Scalar) and isinstance(own.value, str) else None
    for candidate in (given, files.repository, told):
        if not candidate:
            continue
        try:
            return names.model(candidate)
        except Refused as refused:
            if candidate != told:
                raise BadParameter("model", refused.problem, advice=refused.advice) from refused
    raise BadParameter("model", "the files do not say which model they describe", advice="Name it by its slug.")


def _source(files: Files, name: str, model: Model, names: Names, today: date) -> Source:
    """The source that a file is: one for each revision, the same whenever it is read again."""
    revision = files.revision or digest(files.texts[name])
    kind, word = ("ConfigurationFile", "config") if name == CONFIG else ("ModelCard", "card")
    slug = f"{word}-{model.slug}-{revision[:12]}"
    if slug in names.sources:
        return names.sources[slug][0]
    of = files.repository or model.label
    at = f", revision {files.revision}" if files.revision else ""
    address = f"{HUB}/{files.repository}/blob/{files.revision}/{name}" if files.repository and files.revision else None
    return Source(
        slug=slug,
        title=f"{name} of {of}{at}",
        kind=kind,
        retrieved=today.isoformat(),
        dated=files.dated,
        address=address,
        note=None if files.revision else "Read from a file; its revision is not known.",
    )


def _read_config(config: Mapped, model: Model, source: Source, names: Names, account: Account) -> None:
    kind = configs.kind_of(config)
    reason = configs.NO_TRANSFORMER.get(kind)
    encoder = config.members.get("is_encoder_decoder")
    if reason is None and isinstance(encoder, Scalar) and encoder.value is True:
        reason = "an encoder and a decoder have two sets of numbers"
    if reason is not None:
        raise BadFile(
            CONFIG,
            f"describes a model of type {kind!r}: {reason}",
            line=config.line,
            column=config.column,
            advice="Its configuration is not imported. Propose single values with their source instead.",
        )
    for said in configs.statements(config):
        finding = _finding(CONFIG, said.node)
        if isinstance(said, configs.Unread):
            account.findings.append(replace(finding, problem=said.reason))
            continue
        _claim(said.field, said.text, said.node, model, source, names, account, finding)


def _claim(
    name: str,
    text: str,
    node: Node,
    model: Model,
    source: Source,
    names: Names,
    account: Account,
    finding: Finding,
) -> None:
    prop = BY_NAME[name]
    try:
        _check(prop, text, node)
        found = values.read(prop, Cell(text), "", names)
    except Refused as refused:
        account.findings.append(finding.refused(refused))
        return
    subject = model.architecture if prop.of == "architecture" else model.iri
    for value in found:
        account.add(finding, _made(subject, prop.predicate, value, text, node, source, finding.file), value.shown)


def _check(prop: Field, text: str, node: Node) -> None:
    """Refused where a value is of another kind than its property."""
    if isinstance(node, Scalar) and node.is_text and prop.kind in values.NUMERIC:
        raise Refused("not-a-number", "a text stands where a number is wanted", "Correct the file.")
    if "\n" in text or len(text) > _LONGEST:
        raise Refused("too-long", "the text is too long for a value", "Correct the file.")


def _made(subject: IRI, predicate: str, value: values.Value, text: str, node: Node, source: Source, file: str) -> Claim:
    listed = not isinstance(node, Scalar)
    return Claim(
        subject=subject,
        predicate=predicate,
        value=value.term,
        reported=node.quote.partition(":")[2].strip()[:_LONGEST] if listed else text,
        source=source,
        locator=f"{file}#{node.path}",
        quote=node.quote[:4_000],
    )


def _read_card(card: Mapped, model: Model, source: Source, names: Names, account: Account) -> None:
    licence = card.members.get("license")
    named = card.members.get("license_name")
    if isinstance(licence, Scalar) and licence.value == "other" and isinstance(named, Scalar):
        licence = named
    if isinstance(licence, Scalar) and isinstance(licence.value, str):
        _claim("license", licence.value, licence, model, source, names, account, _finding(CARD, licence))
    for key, field in _FROM_CARD:
        node = card.members.get(key)
        if node is not None:
            _things(field, node, model, source, names, account)
    index = card.members.get("model-index")
    if index is not None:
        _read_scores(index, model, source, names, account)


def _things(field: str, node: Node, model: Model, source: Source, names: Names, account: Account) -> None:
    """A list of datasets or models: whole or not at all, since a source's list counts as complete."""
    prop = BY_NAME[field]
    scalars = list(places.walk(node)) if isinstance(node, Listed) else [node] if isinstance(node, Scalar) else []
    found: list[tuple[Scalar, IRI]] = []
    refusals = 0
    for scalar in scalars:
        if not isinstance(scalar.value, str) or not scalar.value:
            continue
        try:
            found.append((scalar, _thing(prop.among, scalar.value, names)))
        except Refused as refused:
            refusals += 1
            account.findings.append(_finding(CARD, scalar).refused(refused))
    for scalar, thing in found:
        finding = _finding(CARD, scalar)
        if refusals and prop.many:
            account.findings.append(replace(finding, problem="another member of the list is not known"))
            continue
        value = values.Value(thing, vocab.shrink(thing.value))
        account.add(
            finding,
            _made(model.iri, prop.predicate, value, str(scalar.value), scalar, source, CARD),
            value.shown,
        )


def _thing(kind: str, name: str, names: Names) -> IRI:
    """A dataset or model by its id on the hub, or by the id's last part."""
    if kind == "model":
        return names.model(name).iri
    try:
        return names.thing(kind, name)
    except Refused:
        return names.thing(kind, name.rsplit("/", 1)[-1])


@dataclass(frozen=True, slots=True)
class _Score:
    """One metric of one result of a card's model-index."""

    node: Scalar
    metric: str
    dataset: Mapped
    amount: Decimal


def _read_scores(index: Node, model: Model, source: Source, names: Names, account: Account) -> None:
    scores = list(_scores(index, account))
    percent = any(score.amount > 1 for score in scores)
    for score in scores:
        finding = _finding(CARD, score.node)
        try:
            result = _result(score, percent, model, source, names)
        except Refused as refused:
            account.findings.append(finding.refused(refused))
            continue
        unit = "percent" if percent else "a fraction"
        protocol = result.protocol
        shots = "" if protocol is None or protocol.shots is None else f", {protocol.shots}-shot"
        account.add(finding, result, f"{values.plain_number(score.amount)} as {unit} of {_last(protocol)}{shots}")


def _last(protocol: Protocol | None) -> str:
    return "" if protocol is None else protocol.benchmark.value.rsplit("/", 1)[-1]


def _scores(index: Node, account: Account) -> Iterable[_Score]:
    for entry in _mappings(index):
        for result in _mappings(entry.members.get("results")):
            dataset = result.members.get("dataset")
            for metric in _mappings(result.members.get("metrics")):
                node, kind = metric.members.get("value"), _word(metric, "type")
                if not isinstance(node, Scalar) or not isinstance(node.value, str) or not isinstance(dataset, Mapped):
                    at = node if node is not None else metric
                    refused = Refused("missing", "the result has no dataset, or no value", "Correct the card.")
                    account.findings.append(_finding(CARD, at).refused(refused))
                    continue
                if kind.lower() not in _SCORES:
                    told = replace(_finding(CARD, node), problem=f"{kind!r} is no accuracy")
                    account.findings.append(told)
                    continue
                try:
                    amount = quantities.amount(quantities.plain(node.value), whole=False)
                except Refused as refused:
                    account.findings.append(_finding(CARD, node).refused(refused))
                    continue
                yield _Score(node, kind.lower(), dataset, amount.value)


def _result(score: _Score, percent: bool, model: Model, source: Source, names: Names) -> Result:
    if percent and 0 < score.amount <= 1:
        raise Refused(
            "percent-or-fraction",
            f"{score.amount} stands among percentages and may be a fraction",
            "Propose this score by itself, with its unit.",
        )
    fraction = score.amount / 100 if percent else score.amount
    if not 0 <= fraction <= 1:
        raise Refused("out-of-range", f"{score.amount} is no score", "A score lies between nothing and everything.")
    shots = _shots(score.dataset)
    scoring = _SCORES[score.metric]
    untold = ["split", *([] if scoring else ["answerScoring"]), *([] if shots is not None else ["numShots"])]
    result = Result(
        model=model.iri,
        artifact=model.artifact(_RELEASED),
        metric=resource("metric", "accuracy"),
        number=score.amount,
        unit=vocab.unit.PERCENT if percent else vocab.unit.FRACTION,
        canonical=fraction,
        reported=str(score.node.value),
        source=source,
        locator=f"{CARD}#{score.node.path}",
        reading="Transcribed",
        protocol=Protocol(
            _benchmark(score.dataset, names),
            resource("engine", "harness-not-reported"),
            scoring,
            shots,
            untold=tuple(sorted(untold)),
        ),
    )
    return with_key(result)


def _benchmark(dataset: Mapped, names: Names) -> IRI:
    """The benchmark that a card's dataset is, by its configuration, its name, or its id; Refused."""
    texts = [_SHOTS.sub("", _word(dataset, key)).strip(" ,") for key in ("config", "name", "type")]
    last: Refused | None = None
    for text in filter(None, texts):
        known = _BENCHMARKS.get(text.lower(), text)
        try:
            return names.thing("benchmark", known or text)
        except Refused as refused:
            last = last if last is not None and text != texts[1] else refused
    raise last or Refused("missing", "the dataset has no name", "Correct the card.")


def _shots(dataset: Mapped) -> int | None:
    arguments = dataset.members.get("args")
    told = _word(arguments, "num_few_shot") if isinstance(arguments, Mapped) else ""
    match = re.fullmatch(r"\d{1,3}", told, re.ASCII) or _SHOTS.search(_word(dataset, "name"))
    return int(match[1] if match.re is _SHOTS else match[0]) if match else None


def _word(node: Mapped, key: str) -> str:
    found = node.members.get(key)
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""


def _mappings(node: Node | None) -> Iterable[Mapped]:
    return [item for item in node.items if isinstance(item, Mapped)] if isinstance(node, Listed) else []


def _finding(file: str, node: Node) -> Finding:
    value = node.value if isinstance(node, Scalar) else node.quote
    cell = "true" if value is True else "false" if value is False else str(value)
    return Finding(file, node.line, node.column, node.path, shown(cell), Verdict.IGNORED)
