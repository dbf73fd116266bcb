"""A fictional but faithful R753434: what Table 1 of the survey says, in the shapes in which ORKG would hold it.

Nobody here has read the real comparison. What is known of it is its title, its dates (from its DOI's record), that it
has 53 models and that it follows Table 1; which 53 is not known, so these are the 59 models of the table's version of
October 2024 without six that were tuned from another model. Ids of predicates are those of ORKG's sibling comparisons
where such are known, all others are invented (P9900…), as are people, times and ids.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.orkg_double import base, clock, table
from tests.orkg_double.state import ADA, BO, CY, Comparison, Json, Paper, State, Thing

DATA = Path(__file__).parents[2] / "data" / "claims"
COMPARISON = "R753434"
OTHER_VERSION = "R753854"
HEAD_OF_VERSIONS = "R753400"
"""The head's id when R753434 itself is a frozen version."""
TITLE = "ORKG Comparison Small Language Models (SLMs)"
DESCRIPTION = (
    "This comparison lists 53 state-of-the-art small language models as of October 2024, after Table 1 of the survey "
    "by Lu et al. (arXiv:2409.15790)."
)
FROM = "2024-10-18T09:00:00+02:00"
PUBLISHED = "2024-10-21T14:12:07.511223+02:00"
LEFT_OUT = frozenset(
    {"bloomz-560m", "bloomz-1b1", "lamini-gpt-774m", "lamini-gpt-1.5b", "dolly-v2-3b", "stablelm-zephyr-3b"}
)
LATER = ("llama-3.2-1b", "llama-3.2-3b", "smollm2-360m", "smollm2-1.7b")
"""Models that somebody adds to the head later, with the option `later_rows`."""


@dataclass(frozen=True, slots=True)
class Property:
    """A row of the comparison: the predicate and the column of Table 1. `as_thing` names the class of its values."""

    id: str
    label: str
    column: str
    as_thing: str | None = None


PROPERTIES = (
    Property("HAS_MODEL", "model", "name"),
    Property("P18097", "organization", "affiliation", "Organization"),
    Property("P103002", "number of parameters", "size"),
    Property("P49020", "date created", "date"),
    Property("P990001", "attention type", "attention", ""),
    Property("P990002", "layer number", "layers"),
    Property("P990003", "hidden size", "hidden_size"),
    Property("P990004", "head num", "heads"),
    Property("P990005", "activation", "activation"),
    Property("P990006", "vocabulary size", "vocabulary_size"),
    Property("P990007", "open training datasets", "open_training_datasets"),
    Property("P990008", "max context window", "max_context_window"),
)
TRAINING_DATA = "P990009"
SIZE_IN_TOKENS = "P990010"
PROBLEM = "R602335"

TITLES = {
    "arXiv:2205.01068": "OPT: Open Pre-trained Transformer Language Models",
    "arXiv:2211.09085": "Galactica: A Large Language Model for Science",
    "arXiv:2211.05100": "BLOOM: A 176B-Parameter Open-Access Multilingual Language Model",
    "arXiv:2304.01373": "Pythia: A Suite for Analyzing Large Language Models Across Training and Scaling",
    "arXiv:2304.03208": "Cerebras-GPT: Open Compute-Optimal Language Models Trained on the Cerebras Wafer-Scale "
    "Cluster",
    "arXiv:2306.11644": "Textbooks Are All You Need",
    "arXiv:2309.05463": "Textbooks Are All You Need II: phi-1.5 technical report",
    "arXiv:2404.14219": "Phi-3 Technical Report: A Highly Capable Language Model Locally on Your Phone",
    "arXiv:2401.02385": "TinyLlama: An Open-Source Small Language Model",
    "arXiv:2312.16886": "MobileVLM: A Fast, Strong and Open Vision Language Assistant for Mobile Devices",
    "arXiv:2309.16609": "Qwen Technical Report",
    "arXiv:2407.10671": "Qwen2 Technical Report",
    "arXiv:2402.16840": "MobiLlama: Towards Accurate and Lightweight Fully Transparent GPT",
    "arXiv:2403.08295": "Gemma: Open Models Based on Gemini Research and Technology",
    "arXiv:2408.00118": "Gemma 2: Improving Open Language Models at a Practical Size",
    "arXiv:2404.06395": "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
    "arXiv:2404.14619": "OpenELM: An Efficient Language Model Family with Open Training and Inference Framework",
    "arXiv:2407.09276": "H2O-Danube3 Technical Report",
    "arXiv:2406.11794": "DataComp-LM: In search of the next generation of training sets for language models",
    "arXiv:2402.00838": "OLMo: Accelerating the Science of Language Models",
    "arXiv:2502.02737": "SmolLM2: When Smol Goes Big",
    "phi-2": "Phi-2: The surprising power of small language models",
    "qwen1.5": "Introducing Qwen1.5",
    "qwen2.5": "Qwen2.5: A Party of Foundation Models",
    "smollm": "SmolLM: blazingly fast and remarkably powerful",
    "fox": "Fox-1: a small language model of TensorOpera AI",
    "llama-3.2": "Llama 3.2: model card",
}
BLOGS = (
    ("phi-2", "phi-2"),
    ("qwen1.5", "qwen1.5"),
    ("qwen2.5", "qwen2.5"),
    ("smollm-", "smollm"),
    ("fox", "fox"),
    ("llama-3.2", "llama-3.2"),
)
"""Models of a beginning whose paper in ORKG is a page on the web, without a DOI."""
NO_DOI = frozenset({"arXiv:2306.11644"})
"""A paper that was entered without its DOI."""
SIZES = {"The Pile": "825B tokens", "RefinedWeb": "600B tokens", "FineWeb-Edu": "1.3T tokens"}

DIRT: dict[tuple[str, str], str] = {
    ("opt-125m", "HAS_MODEL"): "OPT (125M)",
    ("opt-1.3b", "P990003"): "2,048",
    ("pythia-1b", "P990003"): "2 048",
    ("pythia-410m", "P990002"): "24*",
    ("cerebras-gpt-256m", "P103002"): "Base = 256M, Large = 590M",
    ("phi-1-5", "P990006"): "Same as Phi-1",
    ("tinyllama-1.1b", "P990008"): "2k tokens",
    ("gemma-2b", "P990008"): "8192 (8k)",
    ("openelm-270m", "P990004"): "12 to 20",
    ("galactica-125m", "P990006"): "50.000",
    ("qwen1.5-4b", "P49020"): "Feb. 2024",
    ("olmo-1b-hf", "P990007"): "Yes (Dolma)",
    ("mobillama-1b", "P990004"): "n/a",
}
DIRTY_LABELS = {
    "opt-125m": "Contribution 1",
    "opt-350m": "Contribution 2",
    "galactica-1.3b": "Contribution 1",
    "qwen2-0.5b": "Qwen2 (small)",
    "phi-2": "  Phi-2  ",
    "smollm-135m": "SmolLM",
    "smollm-360m": "SmolLM",
}
"""With `dirt`: labels of columns from which no model can be told, or two may be meant."""


def world(
    *,
    id_is: str = "head",
    version_table: str = "migrated",
    dirt: bool = False,
    later_rows: bool = False,
    edited: bool = True,
) -> State:
    """R753434 and what belongs to it.

    `id_is`: whether R753434 is the `head` (then R753854 is its version) or a `version` (then R753400 is the head, and
    R753854 a second version). `version_table`: `migrated`, or `empty` when the conversion of 2026 lost it. `dirt`:
    cells as people type them. `later_rows`: the head has four columns more. `edited`: the head was changed in three
    cells since it was published.
    """
    if id_is not in ("head", "version") or version_table not in ("migrated", "empty"):
        raise ValueError(f"no such world: id_is={id_is!r}, version_table={version_table!r}")
    state = base.world()
    state.counters = dict.fromkeys("RPCLS", 753_500)
    base.at(state, FROM)
    builder = _Builder(state, dirt=dirt)
    head = COMPARISON if id_is == "head" else HEAD_OF_VERSIONS
    _head(state, head)
    rows = _table()
    for slug in rows:
        if rows[slug]["among_october_2024_models"] == "yes" and slug not in LEFT_OUT:
            state.say(head, "compareContribution", builder.column(slug, rows[slug]), by=BO)
    state.write(state.comparisons[head], selected_paths=_chosen())
    for version in (OTHER_VERSION,) if id_is == "head" else (COMPARISON, OTHER_VERSION):
        _publish(state, head, version, version_table)
    if edited:
        builder.edit()
    if later_rows:
        base.at(state, "2025-03-03T10:00:00+01:00")
        for slug in LATER:
            state.say(head, "compareContribution", builder.column(slug, rows[slug]), by=CY)
    state.counters = dict.fromkeys("RPCLS", 2_000_000)
    state.now = clock.START
    return state


def _head(state: State, head: str) -> None:
    state.put(Thing(head, "resource", TITLE, FROM, BO, classes=("Comparison",)))
    state.comparisons[head] = Comparison(
        head,
        head,
        DESCRIPTION,
        research_fields=("R133",),
        authors=({"name": "Bo Example"},),
        references=("https://arxiv.org/abs/2409.15790",),
    )


def _chosen() -> list[Json]:
    chosen = [{"id": one.id, "type": "PREDICATE", "children": []} for one in PROPERTIES]
    children = [{"id": SIZE_IN_TOKENS, "type": "PREDICATE", "children": []}]
    return [*chosen, {"id": TRAINING_DATA, "type": "PREDICATE", "children": children}]


def _publish(state: State, head: str, version: str, version_table: str) -> None:
    """A version of 2024, as the migration of 2026 left it."""
    base.at(state, PUBLISHED)
    if version == OTHER_VERSION:
        state.now += 3 * 24 * 3600 * clock.SECOND
    made = state.tick()
    empty: Json = {"selected_paths": [], "titles": [], "subtitles": [], "values": {}}
    state.tables[version] = table.contents(state, head) if version_table == "migrated" else empty
    state.put(Thing(version, "resource", TITLE, made, BO, classes=("ComparisonPublished",)))
    state.comparisons[version] = replace(
        state.comparisons[head],
        id=version,
        identifiers={"doi": [f"10.48366/{version.lower()}"]},
        publication_info={"published_year": 10},
        selected_paths=(),
    )
    for one in state.sources(head):
        state.say(version, "compareContribution", one.object, by=BO)
    state.say(head, "hasPublishedVersion", version, by=BO)


class _Builder:
    """Enters rows of the table as somebody did in October 2024."""

    def __init__(self, state: State, *, dirt: bool) -> None:
        self.state, self.dirt = state, dirt
        self.shared: dict[tuple[str, str], str] = {}
        self.papers: dict[str, str] = {}
        self.columns: dict[str, str] = {}
        for one in PROPERTIES:
            state.put(Thing(one.id, "predicate", one.label, FROM, BO))
        state.put(Thing(TRAINING_DATA, "predicate", "training data", FROM, BO))
        state.put(Thing(SIZE_IN_TOKENS, "predicate", "size in tokens", FROM, BO))
        # a predicate of the same label that is not meant: rows are told apart by id alone
        state.put(Thing("P990102", "predicate", "layer number", FROM, CY))
        state.put(Thing(PROBLEM, "resource", "Large Language Models (LLMs)", FROM, CY, classes=("Problem",)))

    def column(self, slug: str, row: dict[str, str]) -> str:
        """One model: a contribution of its paper, or of none."""
        printed = f"{row['name']} {row['size']}".strip()
        label = DIRTY_LABELS.get(slug, printed) if self.dirt else printed
        made = self.state.resource(label, by=BO, classes=("Contribution",)).id
        paper = self._paper(slug)
        if paper is not None:
            self.state.say(paper, "P31", made, by=BO)
        if len(self.columns) % 3 == 0:  # the research problem stands on some only
            self.state.say(made, "P32", PROBLEM, by=BO)
        for one in PROPERTIES:
            value = row[one.column]
            if self.dirt:
                value = DIRT.get((slug, one.id), value)
            if value:
                self._cell(made, one, value)
        self._training_data(made, slug)
        self.columns[slug] = made
        return made

    def _cell(self, contribution: str, one: Property, value: str) -> None:
        # with dirt, every fifth column has the attention as text
        plain = self.dirt and one.column == "attention" and len(self.columns) % 5 == 2
        if one.as_thing is None or plain:
            label = value.lower() if plain else value
            object_ = self.state.literal(label, by=BO).id
        else:
            object_ = self._shared(value, one.as_thing)
        self.state.say(contribution, one.id, object_, by=BO)

    def _shared(self, label: str, kind: str) -> str:
        # with dirt there are two resources for MHA, as there are in ORKG for so much
        twin = "2" if self.dirt and label == "MHA" and len(self.columns) % 7 == 3 else ""
        key = (kind, label + twin)
        if key not in self.shared:
            self.shared[key] = self.state.resource(label, by=BO, classes=(kind,) if kind else ()).id
        return self.shared[key]

    def _training_data(self, contribution: str, slug: str) -> None:
        corpora = _corpora().get(slug, ())
        if self.dirt and slug.startswith("opt-") and corpora:
            joined = self.state.literal(", ".join(corpora), by=BO)
            self.state.say(contribution, TRAINING_DATA, joined.id, by=BO)
            return
        for corpus in corpora:
            known = self._shared(corpus, "Dataset")
            self.state.say(contribution, TRAINING_DATA, known, by=BO)
            if corpus in SIZES and not self.state.about(known, SIZE_IN_TOKENS):
                size = self.state.literal(SIZES[corpus], by=BO)
                self.state.say(known, SIZE_IN_TOKENS, size.id, by=BO)

    def _paper(self, slug: str) -> str | None:
        key = next((blog for start, blog in BLOGS if slug.startswith(start)), None) or _papers().get(slug)
        if key not in TITLES:
            return None
        if key in self.papers:
            return self.papers[key]
        made = self.state.resource(TITLES[key], by=BO, classes=("Paper",)).id
        number = key.removeprefix("arXiv:") if key.startswith("arXiv:") else None
        identifiers = {"doi": [f"10.48550/arXiv.{number}"]} if number and key not in NO_DOI else {}
        when = {"published_month": int(number[2:4]), "published_year": 2000 + int(number[:2])} if number else {}
        self.state.papers[made] = Paper(made, ("R133",), identifiers, when)
        self.state.say(made, "P30", "R133", by=BO)
        for doi in identifiers.get("doi", ()):
            self.state.say(made, "P26", self.state.literal(doi, by=BO).id, by=BO)
        self.papers[key] = made
        return made

    def edit(self) -> None:
        """What people changed after the version: one cell corrected, one filled by a machine, one removed."""
        state = self.state
        base.at(state, "2026-04-07T11:30:00+02:00")
        (old,) = state.about(self.columns["tinyllama-1.1b"], "P990006")
        state.put_statement(replace(old, object=state.literal("32,000", by=CY, method="MANUAL").id, method="MANUAL"))
        method = "AI_GENERATED_WITH_MANUAL_REVIEW"
        gqa = self._shared("GQA", "")
        state.say(self.columns["qwen2-0.5b"], "P990001", gqa, by=ADA, method=method)
        (gone,) = state.about(self.columns["pythia-160m"], "P990007")
        state.remove_statement(gone.id)


@cache
def _table() -> dict[str, dict[str, str]]:
    return {row["model"]: row for row in _rows("survey-table-1.csv")}


@cache
def _papers() -> dict[str, str]:
    return {row["model"]: row["paper"] for row in _rows("configurations.csv")}


@cache
def _corpora() -> dict[str, tuple[str, ...]]:
    """The corpora of each model, as the spreadsheet of the survey's authors names them."""
    return {
        row["model"]: tuple(one.strip() for one in row["datasets"].split(",") if one.strip())
        for row in _rows("training-datasets.csv")
        if row["source"] == "survey-leaderboard"
    }


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
