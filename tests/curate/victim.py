"""A process that curates without end on a store, to be killed by a test: it says each revision when it is committed.

python -m tests.curate.victim FOLDER
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from app.curate import proposals, review
from app.curate.review import Answer
from app.settings import Settings
from app.wiring import build
from tests.curate.people import ADA, BOB, PAPER, contents, request


def main(folder: str) -> None:
    services = build(Settings(data_dir=Path(folder)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        number = 1 + max(proposals.find(services.store.at(), proposals.Filter()), default=0)
        (content,) = contents(services, request(source=replace(PAPER, title=f"Paper {number}")))
        for work, agent in (
            (proposals.propose([content], title=f"number {number}", again="again"), ADA),
            (review.review(number, {}, rest=Answer(True)), BOB),
            (review.commit(number), BOB),
        ):
            sys.stdout.write(f"{services.curation.take(work, agent).revision}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
