"""Mistakes to seed into the good example, as data: what each is, and which constraints must notice.

`also` names constraints that notice too, because the mistake breaks more rules. HARMLESS holds changes that
look odd and are right: facts of real models that no constraint may complain about.
"""

from __future__ import annotations

from dataclasses import dataclass

from app import vocab

PREFIXES = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in vocab.PREFIXES.items())
GRAPH = f"{vocab.BASE}graph/"

A, M = "arch:examplelm-135m", "model:examplelm-135m"
L, LM = "arch:examplelm-300m-layered", "model:examplelm-300m-layered"
PHI = "arch:phi-3-mini-4k-instruct"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One seeded mistake. `at` is where the finding must stand, where that is worth saying."""

    id: str
    note: str
    update: str
    also: frozenset[str] = frozenset()
    at: str | None = None

    def __str__(self) -> str:
        return f"{self.id} {self.note}"


def swap(subject: str, predicate: str, value: str) -> str:
    """Replace every value of a property by one."""
    return (
        f"DELETE {{ {subject} {predicate} ?o }} INSERT {{ {subject} {predicate} {value} }} "
        f"WHERE {{ {subject} {predicate} ?o }}"
    )


def drop(subject: str, predicate: str) -> str:
    """Remove every value of a property."""
    return f"DELETE WHERE {{ {subject} {predicate} ?o }}"


def add(triples: str) -> str:
    """Add triples."""
    return f"INSERT DATA {{ {triples} }}"


def forget(subject: str) -> str:
    """Remove everything said of a node."""
    return f"DELETE WHERE {{ {subject} ?p ?o }}"


def mutant(id_: str, note: str, *updates: str, also: str = "", at: str | None = None) -> Mutant:
    """Build a mutant from one or more updates."""
    return Mutant(id_, note, " ;\n".join(updates), frozenset(also.split()), at)


def claim(name: str, subject: str, predicate: str, value: str, status: str) -> str:
    """Add a complete claim."""
    return add(
        f"claim:{name} a slm:Claim ; rdf:subject {subject} ; rdf:predicate {predicate} ; "
        f"rdf:object {value} ; "
        f'slm:valueAsReported "x" ; slm:locator "line 1" ; slm:status cstat:{status} ; '
        "prov:wasDerivedFrom src:examplelm-135m-card ; prov:wasGeneratedBy ing:example-03"
    )


DECODE = "obs:rt-0001-decode"
SCORE = "obs:card-hellaswag"
CELLED = "obs:rt-0002-prefill"
RUN = "run:rt-0001"
CFG = "cfg:b1-t8-p512-g128-kvf16"
PROTOCOL = "proto:hellaswag-0shot-harness-x"

MUTANTS = (
    # ---- architecture
    mutant("C01", "no layer count", drop(A, "slm:numLayers"), at=A),
    mutant(
        "C01",
        "open claims turned rejected",
        swap("claim:layered-vocab-one", "slm:status", "cstat:Rejected"),
        swap("claim:layered-vocab-two", "slm:status", "cstat:Rejected"),
        at=L,
    ),
    mutant("C01", "heads vary by layer, unsaid", drop(L, "slm:variesByLayer"), at=L),
    mutant("C01", "two layer counts", add(f"{A} slm:numLayers 32"), at=A),
    mutant("C01", "a layer count as text", swap(A, "slm:numLayers", '"30"'), at=A),
    mutant("C01", "a layer count with a fraction", swap(A, "slm:numLayers", "30.5"), at=A),
    mutant("C01", "a vocabulary of 12", swap(A, "slm:vocabularySize", "12"), also="C12", at=A),
    mutant("C01", "key-value heads of 0", swap(PHI, "slm:numKeyValueHeads", "0"), also="C02", at=PHI),
    mutant("C01", "attention type as text", swap(L, "slm:attentionType", '"SWA"'), at=L),
    mutant("C02", "the Phi-3-mini mistake", swap(A, "slm:attentionType", "attn:MHA"), at=A),
    mutant("C02", "one key-value head called grouped", swap(A, "slm:numKeyValueHeads", "1"), at=A),
    mutant("C02", "three key-value heads called multi-query", swap(A, "slm:attentionType", "attn:MQA"), at=A),
    mutant("C03", "nine heads over four", swap(A, "slm:numKeyValueHeads", "4"), at=A),
    mutant("C03", "a layer group's heads", swap("layers:low", "slm:numKeyValueHeads", "5"), at="layers:low"),
    mutant("C04", "head dimension doubled", swap(A, "slm:headDimension", "128"), at=A),
    mutant("C05", "577 over nine heads", drop(A, "slm:headDimension"), swap(A, "slm:hiddenSize", "577"), at=A),
    mutant("C06", "gate and up added together", swap(A, "slm:intermediateSize", "5184"), at=A),
    mutant("C07", "a sibling's count", swap(M, "slm:parameterCount", "360000000"), also="C34", at=M),
    mutant("C08", "counts swapped", swap(M, "slm:nonEmbeddingParameterCount", "200000000"), at=M),
    mutant(
        "C09",
        "far below the scope",
        swap(M, "slm:parameterCount", "90000000"),
        drop(M, "slm:computedParameterCount"),
        also="C08 C34",
        at=M,
    ),
    mutant("C09", "a large model not marked baseline", add(f"{LM} slm:parameterCount 7000000000"), at=LM),
    mutant("C10", "size in words", swap(M, "slm:nominalSize", '"135 million"'), at=M),
    mutant("C11", "32000 for 32768", swap(A, "slm:maxContextLength", "32000"), at=A),
    mutant("C11", "2000 for 2048", swap(A, "slm:maxContextLength", "2000"), at=A),
    mutant("C12", "fewer rows than tokens", swap("tok:examplelm", "slm:vocabularySize", "50304"), at=M),
    mutant("C12", "another tokenizer", swap("tok:examplelm", "slm:vocabularySize", "32000"), at=M),
    mutant("C13", "no window", drop(L, "slm:slidingWindowSize"), at=L),
    mutant("C13", "window longer than context", swap(L, "slm:slidingWindowSize", "16384"), at=L),
    mutant("C14", "a group lost", f"DELETE DATA {{ {L} slm:hasLayerGroup layers:low }}", at=L),
    mutant("C14", "groups overlap", swap("layers:low", "slm:lastLayer", "9"), at=L),
    # ---- training
    mutant(
        "C15",
        "shares add to 1.2",
        swap("use:examplelm-135m-1-b", "slm:mixtureShare", "0.4"),
        at="stage:examplelm-135m-1",
    ),
    mutant(
        "C16",
        "unique tokens for tokens seen",
        swap("use:examplelm-135m-1-b", "slm:tokensSeen", "12000000000"),
        at=M,
    ),
    mutant("C17", "billion and million", swap(M, "slm:trainingTokens", "600000000"), also="C16", at=M),
    mutant("C18", "an unregistered version", add(f"{M} slm:trainedOn ds:corpus-b-v3"), at="ds:corpus-b-v3"),
    mutant("C18", "no version and no word about it", drop("ds:corpus-a-v1", "dcat:version"), at="ds:corpus-a-v1"),
    mutant("C18", "two versions", add('ds:corpus-a-v1 dcat:version "2"'), at="ds:corpus-a-v1"),
    mutant("C18", "no title", drop("ds:corpus-a-v1", "dct:title"), at="ds:corpus-a-v1"),
    mutant(
        "C19",
        "drag-filled version",
        add(f'ds:b3 a dcat:Dataset ; dct:title "Corpus B"@en ; dcat:version "3" . {LM} slm:trainedOn ds:b3'),
        at="fam:examplelm",
    ),
    mutant("C20", "data from the future", swap("ds:corpus-b-v2", "dct:issued", '"2025-01-01"^^xsd:date'), at=M),
    mutant(
        "C21",
        "no teacher",
        drop("stage:examplelm-300m-layered-1", "slm:teacher"),
        at="stage:examplelm-300m-layered-1",
    ),
    mutant(
        "C21",
        "its own teacher",
        swap("stage:examplelm-300m-layered-1", "slm:teacher", LM),
        at="stage:examplelm-300m-layered-1",
    ),
    mutant("C22", "a loop of bases", add(f"{M} slm:baseModel {LM}"), at=M),
    mutant(
        "C22",
        "a loop of derivations",
        add(f"{M} prov:wasDerivedFrom model:x . model:x prov:wasDerivedFrom {M}"),
        at=M,
    ),
    mutant("C23", "an instruct model called base", swap(LM, "slm:tuningState", "tune:Base"), at=LM),
    # ---- results
    mutant("C24", "no model", drop(DECODE, "slm:ofModel"), at=DECODE),
    mutant("C24", "two metrics", add(f"{SCORE} sosa:observedProperty metric:accuracy-gain"), at=SCORE),
    mutant("C24", "a metric that nobody registered", swap(SCORE, "sosa:observedProperty", "metric:new"), at=SCORE),
    mutant("C24", "about a model, not an artifact", swap(SCORE, "sosa:hasFeatureOfInterest", M), at=SCORE),
    mutant(
        "C24",
        "a number as text",
        swap("obs:card-gain", "sosa:hasSimpleResult", '"-0.012"'),
        at="obs:card-gain",
    ),
    mutant(
        "C24",
        "not a number",
        swap("obs:card-gain", "sosa:hasSimpleResult", '"NaN"^^xsd:double'),
        also="C43",
        at="obs:card-gain",
    ),
    mutant("C01", "letters typed as an integer", swap(A, "slm:numAttentionHeads", '"abc"^^xsd:integer'), at=A),
    mutant("C24", "value without unit", drop("val:card-gain", "qudt:hasUnit"), at="obs:card-gain"),
    mutant("C24", "value without characters", drop("val:card-gain", "slm:valueAsReported"), at="obs:card-gain"),
    mutant("C24", "no run", drop(SCORE, "slm:inRun"), at=SCORE),
    mutant("C24", "no source", drop(SCORE, "dct:source"), at=SCORE),
    mutant("C24", "no statistic", drop(SCORE, "slm:statistic"), at=SCORE),
    mutant(
        "C25",
        "milliseconds for a rate",
        swap("val:rt-0001-decode", "qudt:hasUnit", "unit:MilliSEC"),
        also="C26",
        at=DECODE,
    ),
    mutant(
        "C26",
        "percent kept as fraction",
        swap("obs:card-gain", "sosa:hasSimpleResult", "-0.12"),
        at="obs:card-gain",
    ),
    mutant("C27", "an accuracy of 1.7", swap(SCORE, "sosa:hasSimpleResult", "1.7"), also="C26", at=SCORE),
    mutant(
        "C28",
        "nothing measured",
        swap("obs:rt-0001-ttft", "sosa:hasSimpleResult", "0.0"),
        swap("val:rt-0001-ttft", "qudt:numericValue", "0"),
        at="obs:rt-0001-ttft",
    ),
    mutant(
        "C29",
        "far below chance",
        swap(SCORE, "sosa:hasSimpleResult", "0.12"),
        swap("val:card-hellaswag", "qudt:numericValue", "12"),
        at=SCORE,
    ),
    mutant("C30", "shots not told, unsaid", drop(PROTOCOL, "slm:numShots"), at=SCORE),
    mutant("C30", "shots of minus one", swap(PROTOCOL, "slm:numShots", "-1"), at=SCORE),
    mutant("C30", "no benchmark", drop(PROTOCOL, "slm:onBenchmark"), at=SCORE),
    mutant("C30", "no protocol", drop(SCORE, "sosa:usedProcedure"), at=SCORE),
    mutant("C30", "harness version not told, unsaid", drop("eng:harness-x-0-4", "dct:hasVersion"), at=SCORE),
    mutant(
        "C30",
        "not looked for is no excuse",
        drop(PROTOCOL, "slm:split"),
        add(f"{PROTOCOL} slm:notLookedFor slm:split"),
        at=SCORE,
    ),
    mutant("C31", "no device", drop(RUN, "slm:onDevice"), at=DECODE),
    mutant("C31", "a device that nobody registered", swap(RUN, "slm:onDevice", "dev:new"), at=DECODE),
    mutant(
        "C31",
        "engine version not told, unsaid",
        drop("eng:engine-y-untold", "slm:notReported"),
        at="obs:phone-rate",
    ),
    mutant(
        "C31",
        "quantisation not told, unsaid",
        drop("art:examplelm-300m-layered-4bit", "slm:quantisation"),
        at="obs:phone-rate",
    ),
    mutant("C31", "lengths not told, unsaid", drop("cfg:phone", "slm:notReported"), at="obs:phone-rate"),
    mutant("C31", "no configuration", drop("obs:phone-rate", "slm:underConfiguration"), at="obs:phone-rate"),
    mutant("C31", "a batch of none", swap(CFG, "slm:batchSize", "0"), at=DECODE),
    mutant(
        "C32",
        "prefill in the decode column",
        swap(DECODE, "sosa:hasSimpleResult", "2400.0"),
        swap("val:rt-0001-decode", "qudt:numericValue", "2400"),
        at=DECODE,
    ),
    mutant("C33", "a prompt of 4096", swap(CFG, "slm:promptTokens", "4096"), at=DECODE),
    mutant(
        "C33",
        "a memory figure for a longer context",
        add("cfg:phone slm:contextTokens 32768"),
        at="obs:phone-rate",
    ),
    mutant(
        "C34",
        "a float16 file labelled Q4",
        swap("art:examplelm-135m-q4km", "dcat:byteSize", "269030016"),
        at="art:examplelm-135m-q4km",
    ),
    mutant("C35", "a mean of one", swap(DECODE, "slm:sampleSize", "1"), at=DECODE),
    mutant("C35", "a mean without spread", drop(DECODE, "slm:standardDeviation"), at=DECODE),
    mutant(
        "C36",
        "ends before it starts",
        swap(RUN, "prov:endedAtTime", '"2026-08-20T09:00:00Z"^^xsd:dateTime'),
        at=RUN,
    ),
    mutant(
        "C36",
        "a result after the end",
        swap(DECODE, "sosa:resultTime", '"2026-08-20T11:00:00Z"^^xsd:dateTime'),
        at=RUN,
    ),
    # ---- claims, sources, concepts, text
    *(
        mutant("C37", f"no {part.split(':')[1]}", drop("claim:card-params", part), at="claim:card-params")
        for part in (
            "rdf:subject",
            "rdf:predicate",
            "rdf:object",
            "slm:locator",
            "slm:valueAsReported",
            "slm:status",
            "prov:wasDerivedFrom",
            "prov:wasGeneratedBy",
        )
    ),
    mutant(
        "C37",
        "a property that is not claimable",
        swap("claim:card-params", "rdf:predicate", "slm:inFamily"),
        at="claim:card-params",
    ),
    mutant(
        "C37",
        "an empty locator",
        swap("claim:card-params", "slm:locator", '""'),
        also="C42",
        at="claim:card-params",
    ),
    mutant(
        "C38",
        "two accepted",
        swap("claim:survey-attn", "slm:status", "cstat:Accepted"),
        at="claim:survey-attn",
    ),
    mutant(
        "C38",
        "two accepted, outside the interval",
        claim("two", M, "slm:trainingTokens", "700000000000", "Accepted"),
        also="C39",
        at="claim:two",
    ),
    mutant(
        "C39",
        "a resolution and its record lost",
        forget("reso:phi-3-mini-attn"),
        forget("disa:phi-3-mini-attn"),
        at="claim:phi3mini-lb-attn",
    ),
    mutant(
        "C39",
        "an open disagreement",
        drop("disa:examplelm-135m-attn", "slm:settledBy"),
        at="disa:examplelm-135m-attn",
    ),
    mutant(
        "C40",
        "an impossible date",
        swap("src:examplelm-135m-card", "dct:date", '"2024-16-04"^^xsd:date'),
        at="src:examplelm-135m-card",
    ),
    mutant(
        "C40",
        "an impossible month",
        swap("src:examplelm-135m-card", "dct:date", '"2024-13"^^xsd:gYearMonth'),
        at="src:examplelm-135m-card",
    ),
    mutant(
        "C40",
        "a date as text",
        swap("src:examplelm-135m-card", "dct:date", '"2024-07-20"'),
        at="src:examplelm-135m-card",
    ),
    mutant(
        "C40",
        "no date and no word about it",
        drop("src:examplelm-layered-card", "slm:notReported"),
        at="src:examplelm-layered-card",
    ),
    mutant("C40", "no title", drop("src:examplelm-135m-card", "dct:title"), at="src:examplelm-135m-card"),
    mutant("C40", "no type", drop("src:examplelm-135m-card", "slm:sourceType"), at="src:examplelm-135m-card"),
    mutant("C40", "never read", drop("src:examplelm-135m-card", "slm:retrievedOn"), at="src:examplelm-135m-card"),
    mutant("C41", "no definition", drop("attn:MQA", "skos:definition"), at="attn:MQA"),
    mutant("C41", "two labels in one language", add('attn:MQA skos:prefLabel "other"@en'), at="attn:MQA"),
    mutant("C41", "no scheme", drop("attn:MQA", "skos:inScheme"), at="attn:MQA"),
    mutant(
        "C42",
        "a trailing blank",
        swap("claim:cfg-act", "slm:valueAsReported", '"gelu_new "'),
        at="claim:cfg-act",
    ),
    mutant(
        "C42",
        "a leading line break",
        swap("claim:cfg-act", "slm:valueAsReported", '"\\nsilu"'),
        at="claim:cfg-act",
    ),
    mutant(
        "C42",
        "a blank title",
        swap("art:examplelm-135m-bf16", "dct:title", '" "@en'),
        at="art:examplelm-135m-bf16",
    ),
    mutant("C43", "None as a context length", swap("claim:cfg-ctx", "rdf:object", '"None"'), at="claim:cfg-ctx"),
    mutant("C43", "a dash as a size", swap(M, "slm:nominalSize", '"-"'), also="C10", at=M),
    mutant(
        "C43",
        "n/a as a result",
        swap("obs:card-gain", "sosa:hasSimpleResult", '"N/A"'),
        also="C24",
        at="obs:card-gain",
    ),
    # ---- measured here
    mutant(
        "C47",
        "three times as slow as its like",
        add(f"{CELLED} slm:outlier true ; slm:ratioToPrediction 3.1"),
        at=CELLED,
    ),
    mutant("C45", "a score of random weights", swap(SCORE, "slm:origin", "orig:MeasuredRandomWeights"), at=SCORE),
    mutant(
        "C45",
        "a score of a random file",
        swap(SCORE, "sosa:hasFeatureOfInterest", "art:examplelm-135m-random"),
        at=SCORE,
    ),
    mutant("C46", "a cell that timed out", swap(CELLED, "slm:inCell", "cell:rt-0002-2"), at=CELLED),
    mutant("C46", "a cell that nobody knows", swap(CELLED, "slm:inCell", "cell:new"), at=CELLED),
    mutant("C46", "two cells", add(f"{CELLED} slm:inCell cell:rt-0002-2"), at=CELLED),
    mutant("C46", "no samples", drop(CELLED, "slm:sampleSize"), at=CELLED),
    mutant("C46", "clean samples untold", drop(CELLED, "slm:cleanSamples"), at=CELLED),
    mutant("C46", "more clean samples than samples", swap(CELLED, "slm:cleanSamples", "8"), at=CELLED),
    mutant("C46", "contention untold", drop(CELLED, "slm:contended"), at=CELLED),
    mutant("C46", "an interval beside the value", swap(CELLED, "slm:confidenceUpper", "304.0"), at=CELLED),
    mutant("C46", "no environment", drop("run:rt-0002", "slm:inEnvironment"), at=CELLED),
    mutant("C46", "random weights called real", swap(CELLED, "slm:origin", "orig:MeasuredRealWeights"), at=CELLED),
    mutant("C44", "a licence as text", swap(M, "slm:license", '"apache-2.0"'), at=M),
    mutant(
        "C44",
        "a licence that nobody registered",
        swap(M, "slm:license", "<http://spdx.org/licenses/MIT>"),
        at=M,
    ),
)

HARMLESS = (
    mutant("C02", "latent attention with as many key-value heads", swap(A, "slm:attentionType", "attn:MLA")),
    mutant(
        "C04",
        "Gemma-2-2B: its configuration states the head dimension",
        swap(A, "slm:headDimension", "128"),
        claim("head", A, "slm:headDimension", "128", "Accepted"),
    ),
    mutant(
        "C04",
        "latent attention",
        swap(A, "slm:attentionType", "attn:MLA"),
        swap(A, "slm:headDimension", "96"),
    ),
    mutant(
        "C05",
        "MiniCPM3: latent attention, 2560 over 40 heads of its own",
        drop(A, "slm:headDimension"),
        swap(A, "slm:hiddenSize", "577"),
        swap(A, "slm:attentionType", "attn:MLA"),
    ),
    mutant(
        "C01",
        "proposed layer count",
        drop(PHI, "slm:numLayers"),
        swap("claim:phi3mini-cfg-layers", "slm:status", "cstat:Proposed"),
    ),
    mutant(
        "C01",
        "layer count not reported",
        drop(PHI, "slm:numLayers"),
        add(f"{PHI} slm:notReported slm:numLayers"),
    ),
    mutant("C01", "no attention type, no numbers", forget(PHI)),
    mutant(
        "C07",
        "no formula covers it",
        drop(M, "slm:computedParameterCount"),
        drop(M, "slm:nonEmbeddingParameterCount"),
        swap(M, "slm:parameterCount", "150000000"),
    ),
    mutant("C09", "a baseline of 7B", add("model:baseline-7b slm:parameterCount 7000000000")),
    mutant("C10", "OLMo's 1.18B", swap(M, "slm:nominalSize", '"1.18B"')),
    mutant(
        "C13",
        "window size not reported",
        drop(L, "slm:slidingWindowSize"),
        add(f"{L} slm:notReported slm:slidingWindowSize"),
    ),
    mutant(
        "C18",
        "a dataset without versions",
        drop("ds:corpus-a-v1", "dcat:version"),
        add("ds:corpus-a-v1 slm:notReported dcat:version"),
    ),
    mutant("C20", "a dataset dated by year", swap("ds:corpus-b-v2", "dct:issued", '"2024"^^xsd:gYear')),
    mutant(
        "C21",
        "a teacher that is not told",
        drop("stage:examplelm-300m-layered-1", "slm:teacher"),
        add("stage:examplelm-300m-layered-1 slm:notReported slm:teacher"),
    ),
    mutant(
        "C30",
        "a protocol's split withheld",
        drop(PROTOCOL, "slm:split"),
        add(f"{PROTOCOL} slm:withheld slm:split"),
    ),
    mutant("C31", "a prompt-only measurement", swap(CFG, "slm:generatedTokens", "0")),
    mutant("C31", "a memory figure with its context only", add("cfg:phone slm:contextTokens 2048")),
    mutant(
        "C35",
        "a mean whose spread is not told",
        drop(DECODE, "slm:standardDeviation"),
        add(f"{DECODE} slm:notReported slm:standardDeviation"),
    ),
    mutant("C38", "two accepted claims that agree", claim("same", A, "slm:numLayers", "30", "Accepted")),
    mutant(
        "C38",
        "two accepted claims, one written as a decimal",
        claim("same", A, "slm:numLayers", "30.0", "Accepted"),
    ),
    mutant("C38", "an accepted rounded value", claim("near", M, "slm:trainingTokens", "600100000000", "Accepted")),
    mutant("C39", "a superseded claim", claim("old", A, "slm:numLayers", "28", "Superseded")),
    mutant(
        "C39",
        "sources add up",
        claim("one", M, "slm:innovation", '"one"', "Accepted"),
        claim("two", M, "slm:innovation", '"two"', "Accepted"),
    ),
    mutant("C39", "a list of one source", claim("more", M, "slm:trainedOn", "ds:corpus-c", "Rejected")),
    mutant("C40", "a source dated by year", swap("src:examplelm-135m-card", "dct:date", '"2024"^^xsd:gYear')),
    mutant("C42", "text of several lines", swap("claim:cfg-act", "slm:valueAsReported", '"one\\ntwo"')),
    mutant(
        "C43",
        "a back-slash and a brace in a value",
        swap("claim:cfg-act", "slm:valueAsReported", '"\\\\alpha {?x}"'),
    ),
)

_META, _CURATED = f"<{GRAPH}meta>", f"<{GRAPH}curated>"
_DECISIONS, _ONTOLOGY = f"<{GRAPH}decisions>", f"<{GRAPH}ontology>"
_CARD = f"<{GRAPH}source/examplelm-135m-card/2026-08-27>"


def within(graph: str, triples: str) -> str:
    """Add triples to a named graph."""
    return f"INSERT DATA {{ GRAPH {graph} {{ {triples} }} }}"


GRAPH_MUTANTS = (
    mutant("G1", "a bare fact in a source graph", within(_CARD, f"{M} slm:trainingTokens 1"), at=M),
    mutant("G1", "a bare list in a source graph", within(_CARD, f"{M} slm:trainedOn ds:corpus-c"), at=M),
    mutant(
        "G1",
        "a status in a source graph",
        within(_CARD, "claim:card-size slm:status cstat:Open"),
        at="claim:card-size",
    ),
    mutant("G2", "a fact out of nowhere", within(_CURATED, f"{A} slm:ropeTheta 10000.0"), at=A),
    mutant(
        "G2",
        "the claim behind a fact is rejected",
        f"DELETE DATA {{ GRAPH {_DECISIONS} {{ claim:cfg-act slm:status cstat:Accepted }} }}",
        within(_DECISIONS, "claim:cfg-act slm:status cstat:Rejected"),
        at=A,
    ),
    mutant("G2", "a list with one too many", within(_CURATED, f"{LM} slm:trainedOn ds:corpus-a-v1"), at=LM),
    mutant(
        "G3",
        "a graph that nobody described",
        f"DELETE WHERE {{ GRAPH {_META} {{ {_CARD} ?p ?o }} }}",
        also="G4",
        at=_CARD,
    ),
    mutant(
        "G3",
        "a described graph without a source",
        f"DELETE WHERE {{ GRAPH {_META} {{ <{GRAPH}run/2026-08-20-0001> prov:wasDerivedFrom ?o }} }}",
        at=f"<{GRAPH}run/2026-08-20-0001>",
    ),
    mutant(
        "G4",
        "a claim filed under another document",
        f"DELETE WHERE {{ GRAPH {_CARD} {{ claim:card-size prov:wasDerivedFrom ?o }} }}",
        within(_CARD, "claim:card-size prov:wasDerivedFrom src:tinyllm-leaderboard"),
        at="claim:card-size",
    ),
    mutant("G5", "a triple in two graphs", within(_META, f"{A} slm:numLayers 30"), at=A),
    mutant(
        "G5",
        "a label said twice",
        within(_CARD, 'fam:examplelm rdfs:label "ExampleLM"@en'),
        at="fam:examplelm",
    ),
)
