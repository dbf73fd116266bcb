"""Pushes to a double in this process: intents, a client without pauses, and how often a push is begun anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.errors import OrkgError
from app.orkg.client import Orkg
from app.orkg.intent import Intent, Wanted, WantedColumn, WantedComparison, WantedPaper, WantedRow
from app.orkg.outbox import Outbox
from app.orkg.outgoing import touched_by
from app.orkg.pace import Pace
from app.orkg.push import Pushed, Release, push
from app.orkg.seen import state, table_now
from app.orkg.sign_in import Account
from app.orkg.values import Author, Method, SourceRef
from app.orkg.values import Path as Row
from tests.orkg.clients import PASSWORD, USER
from tests.orkg_double.inside import ADDRESS, Crashed, Inside, inside
from tests.orkg_double.state import Json
from tests.orkg_double.steering import Steering

NO_PAUSE = Pace(per_second=1e9, attempts=3, patience=60, first_pause=1e-9, longest_pause=1e-9, jitter=0, answer=5)
BASE = "https://w3id.org/slmkg/"
WATCHED = "R900001"
LAYERS = WantedRow("num_layers", "number of layers", f"{BASE}ontology#numLayers", "P900002")
ATTENTION = WantedRow("attention_type", "attention type", f"{BASE}ontology#attentionType", "P900001")
HEADS = WantedRow("num_attention_heads", "number of attention heads", f"{BASE}ontology#numAttentionHeads")
SHARED = Wanted("grouped-query attention", None, f"{BASE}vocab/attention/GQA", Method.MANUAL)
ROWS = (LAYERS, ATTENTION, HEADS)
PATHS = (Row("P900001", "attention type"), Row("P900002", "layer number"), Row("P900003", "hidden size"))


def number(value: int, method: Method = Method.MANUAL) -> Wanted:
    """A whole number."""
    return Wanted(str(value), "xsd:integer", None, method)


def columns() -> tuple[WantedColumn, ...]:
    """A model whose paper is there, and one whose paper is not; values of two methods."""
    return (
        WantedColumn(
            f"{BASE}resource/model/model-a-0.5b",
            "Model A 0.5B (slmkg)",
            {
                "num_layers": (number(24),),
                "attention_type": (SHARED,),
                "num_attention_heads": (number(16, Method.AUTOMATIC),),
            },
            WantedPaper("Synthetic report on Model A", "R900010"),
        ),
        WantedColumn(
            f"{BASE}resource/model/model-d-0.6b",
            "Model D 0.6B",
            {"num_layers": (number(28),), "num_attention_heads": (number(16),)},
            WantedPaper(
                "Synthetic report on Model D",
                doi="10.99999/model-d",
                authors=(Author("Ada Example"),),
                published_month=9,
                published_year=2026,
            ),
        ),
    )


def intent(**changes: Any) -> Intent:
    """An own comparison beside R900001, which is watched."""
    comparison = WantedComparison(
        key=WATCHED,
        title="Small models, with values checked",
        description="For tests.",
        research_field="R133",
        authors=(Author("Ada Example"),),
        references=(f"{ADDRESS}/comparison/{WATCHED}",),
        sources=(SourceRef("R900011"), SourceRef("R900021"), SourceRef("R900031")),
        paths=PATHS,
    )
    made = Intent(ADDRESS, comparison, ROWS, columns())
    return replace(made, **changes)


def changed(first: Intent) -> Intent:
    """The same models some time later: a value changed, one gone, one new, one twice."""
    one, other = first.columns
    return replace(
        first,
        columns=(
            replace(
                one,
                cells={
                    "num_layers": (number(26),),
                    "attention_type": (Wanted("MHA", None, f"{BASE}vocab/attention/MHA"),),
                    "num_attention_heads": (),
                },
            ),
            replace(
                other,
                cells={
                    "num_layers": (number(28), number(30, Method.AUTOMATIC)),
                    "num_attention_heads": (number(20),),
                    "attention_type": (SHARED,),
                },
            ),
        ),
    )


@dataclass
class Place:
    """A double, what steers it, and the folder of an outbox."""

    transport: Inside
    orkg: Steering
    folder: Path
    base: Json

    def client(self) -> Orkg:
        """A client with our account and no state, as a new process has it."""
        account = Account(USER, SecretStr(PASSWORD))
        return Orkg(ADDRESS, account=account, accounts_url=ADDRESS, pace=NO_PAUSE, transport=self.transport)

    def outbox(self) -> Outbox:
        """The outbox, opened anew."""
        return Outbox(self.folder / "outbox.sqlite", lambda: datetime.now(UTC))

    def watched(self, wanted: Intent) -> Intent:
        """An intent that knows how R900001 is now."""
        with self.client() as reader:
            return replace(wanted, watched=WATCHED, seen=state(table_now(reader, WATCHED), touched_by(wanted)))

    def push(self, wanted: Intent, release: Release | None = None) -> Pushed:
        """One push, as one process would make it."""
        outbox = self.outbox()
        try:
            with self.client() as writer:
                return push(writer, outbox, wanted, by="test", release=release, settle=0, sleep=lambda _: None)
        finally:
            outbox.close()

    def to_the_end(self, wanted: Intent, release: Release | None = None, *, most: int = 60) -> tuple[Pushed, int]:
        """Push again and again, whatever goes wrong, until it ends; how often it was begun."""
        for begun in range(1, most + 1):
            try:
                return self.push(wanted, release), begun
            except (Crashed, OrkgError):
                continue
        raise AssertionError(f"the push does not end within {most} tries")


@contextmanager
def place(world: str = "synthetic", **options: Any) -> Iterator[Place]:
    """A double of its own, with an empty outbox in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        transport, orkg = inside(world, **options)
        yield Place(transport, orkg, Path(folder), orkg.dump())
