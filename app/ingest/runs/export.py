"""Scores of one model in two formats of others: Every Eval Ever (JSON) and Hugging Face's `model-index` (YAML).

Values are written digit for digit. Both formats are about scores: what else is known of the model is counted in a note.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TypeAlias

from app import vocab
from app.ingest.bulk.values import plain_number
from app.ingest.registry import Model, notations
from app.ingest.runs.values import ACCURACY
from app.model.claims import Protocol, Result, Source, concept, resource
from app.model.rdf import IRI

SCHEMA = "0.3.0"
"""Version of Every Eval Ever that is written."""
_OWN = frozenset({"ModelCard", "MakerRepository", "TechnicalReport", "ConfigurationFile"})
"""Types of sources that makers write about their own models."""
_RUNS = frozenset({"RunLog", "ImportedRun"})
_CARD_METRICS = {"acc": "acc", "acc_norm": "acc_norm", "exact_match": "exact_match"}
_PERCENT = vocab.unit.PERCENT

Json: TypeAlias = "str | int | bool | Decimal | Sequence[Json] | Mapping[str, Json]"


@dataclass(frozen=True, slots=True)
class Named:
    """A model with what others call it. `repository` is its id on the hub, if it has one."""

    model: Model
    repository: str | None

    @property
    def identifier(self) -> str:
        """The id on the hub, or the slug."""
        return self.repository or self.model.slug


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The scores among results, and how many of each other kind there are."""

    scores: tuple[tuple[Result, Protocol], ...]
    others: Mapping[str, int]

    @property
    def note(self) -> str:
        """What the formats have no place for; empty where nothing is left out."""
        counted = [f"{count} of {kind}" for kind, count in sorted(self.others.items())]
        return f"Not in this file, which holds scores only: {', '.join(counted)}." if counted else ""


def every_eval_ever(named: Named, results: Iterable[Result], labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """A document for each source, harness and weights: pairs of file name and JSON. `labels` name benchmarks."""
    chosen = _chosen(results)
    groups: dict[tuple[str, str, str, str], list[tuple[Result, Protocol]]] = defaultdict(list)
    for result, protocol in chosen.scores:
        source = result.source
        groups[source.slug, source.retrieved, protocol.harness.value, result.artifact.value].append((result, protocol))
    return [
        (
            f"{number:02}-{slug}-{named.model.slug}.json",
            written(_document(named, group, labels, chosen.note)) + "\n",
        )
        for number, ((slug, *_), group) in enumerate(sorted(groups.items()), start=1)
    ]


def model_index(named: Named, results: Iterable[Result], labels: Mapping[str, str]) -> str:
    """The front matter of a card with all scores of a model, as fractions: the format has no unit."""
    chosen = _chosen(results)
    lines = ["---"]
    if chosen.note:
        lines.append(f"# {chosen.note}")
    lines += ["# All values are fractions.", "model-index:", f"  - name: {_quoted(named.identifier)}"]
    lines.append("    results:" if chosen.scores else "    results: []")
    for result, protocol in chosen.scores:
        lines += _index_entry(result, protocol, labels)
    return "\n".join([*lines, "---", ""])


def written(value: Json, indent: str = "") -> str:
    """JSON with numbers digit for digit, which the standard library cannot write."""
    deeper = indent + "  "
    if isinstance(value, Mapping):
        members = [f"{deeper}{json.dumps(key)}: {written(member, deeper)}" for key, member in value.items()]
        return "{\n" + ",\n".join(members) + f"\n{indent}}}" if members else "{}"
    if isinstance(value, Decimal):
        return plain_number(value)
    if isinstance(value, str | int):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(deeper + written(item, deeper) for item in value) + f"\n{indent}]" if value else "[]"


def _chosen(results: Iterable[Result]) -> _Chosen:
    scores: list[tuple[Result, Protocol]] = []
    others: Counter[str] = Counter()
    for result in results:
        if result.protocol is not None and result.metric == resource("metric", ACCURACY):
            scores.append((result, result.protocol))
        else:
            others[result.metric.value.rsplit("/", 1)[-1]] += 1
    scores.sort(key=lambda one: (one[1].benchmark.value, one[1].shots or 0, one[0].source.slug, one[0].key))
    return _Chosen(tuple(scores), others)


def _document(
    named: Named, group: Sequence[tuple[Result, Protocol]], labels: Mapping[str, str], note: str
) -> dict[str, Json]:
    source, harness = group[0][0].source, _last(group[0][1].harness.value)
    retrieved = str(int(datetime.combine(date.fromisoformat(source.retrieved), time(), UTC).timestamp()))
    developer = named.identifier.partition("/")[0] if named.repository else None
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{source.slug}/{named.identifier}/{retrieved}",
        **({"evaluation_timestamp": source.dated} if source.dated else {}),
        "retrieved_timestamp": retrieved,
        "source_metadata": _source(source, note),
        "eval_library": {"name": harness, "version": "unknown"},
        "model_info": {
            "name": named.model.label,
            "id": named.identifier,
            **({"developer": developer} if developer else {}),
            "additional_details": {
                "iri": named.model.iri.value,
                "quantisation": _quantisation(named.model, group[0][0].artifact),
                "deployment_type": "unknown",
                "model_availability": "open_weights" if named.repository else "unknown",
            },
        },
        "evaluation_results": [_result(result, protocol, labels) for result, protocol in group],
    }


def _quantisation(model: Model, artifact: IRI) -> str:
    """The notation of the weights' storage format; "None" for weights as released."""
    fitting = (one for one in notations("quantisation") if model.artifact(concept("quantisation", one)) == artifact)
    return next(fitting, "not known")


def _source(source: Source, note: str) -> dict[str, Json]:
    details = {
        "slug": source.slug,
        "type": source.kind,
        **({"address": source.address} if source.address else {}),
        **({"source_note": source.note} if source.note else {}),
        **({"note": note} if note else {}),
    }
    return {
        "source_name": source.title,
        "source_type": "evaluation_run" if source.kind in _RUNS else "documentation",
        "source_organization_name": "not reported",
        "evaluator_relationship": "first_party" if source.kind in _OWN else "third_party",
        "additional_details": details,
    }


def _result(result: Result, protocol: Protocol, labels: Mapping[str, str]) -> dict[str, Json]:
    percent = result.unit == _PERCENT
    told: dict[str, Json] = {"num_fewshot": str(protocol.shots)} if protocol.shots is not None else {}
    if protocol.untold:
        told["not_reported"] = ", ".join(protocol.untold)
    scoring: dict[str, Json] = {"answer_scoring": protocol.scoring} if protocol.scoring else {}
    details = {
        "reported": result.reported,
        "locator": result.locator,
        "reading": result.reading,
        **({"note": result.note} if result.note else {}),
    }
    return {
        "evaluation_result_id": result.key,
        "evaluation_name": _last(protocol.benchmark.value),
        "source_data": {"dataset_name": _label(protocol, labels), "source_type": "other"},
        "metric_config": {
            "evaluation_description": protocol.scoring or ACCURACY,
            "metric_id": ACCURACY,
            "metric_name": ACCURACY,
            "metric_unit": "percent" if percent else "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 100 if percent else 1,
            **({"additional_details": scoring} if scoring else {}),
        },
        "score_details": {"score": result.number, "details": details},
        **({"generation_config": {"additional_details": told}} if told else {}),
    }


def _index_entry(result: Result, protocol: Protocol, labels: Mapping[str, str]) -> list[str]:
    shots = f" ({protocol.shots}-shot)" if protocol.shots is not None else ""
    kind = _CARD_METRICS.get(protocol.scoring or "", ACCURACY)
    arguments = {} if kind != ACCURACY or not protocol.scoring else {"answer_scoring": protocol.scoring}
    source = result.source
    return [
        "      - task:",
        "          type: text-generation",
        "        dataset:",
        f"          name: {_quoted(_label(protocol, labels) + shots)}",
        f"          type: {_quoted(_last(protocol.benchmark.value))}",
        *(["          args:", f"            num_few_shot: {protocol.shots}"] if protocol.shots is not None else []),
        "        metrics:",
        f"          - type: {kind}",
        f"            name: {ACCURACY}",
        f"            value: {plain_number(result.canonical)}",
        *(["            args:"] if arguments else []),
        *(f"              {name}: {_quoted(value)}" for name, value in arguments.items()),
        "        source:",
        f"          name: {_quoted(source.title)}",
        *([f"          url: {_quoted(source.address)}"] if source.address else []),
    ]


def _label(protocol: Protocol, labels: Mapping[str, str]) -> str:
    return labels.get(protocol.benchmark.value) or _last(protocol.benchmark.value)


def _quoted(text: str) -> str:
    """A text as YAML: a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _last(iri: str) -> str:
    return iri.rsplit("/", 1)[-1]
