"""`python -m tests.load`: the campaign, and `python -m tests.load report FILE …`: its page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.load import campaign, report


def main(arguments: list[str]) -> int:
    """Run a campaign, or write a page; 1 where a campaign found something wrong."""
    if arguments[:1] == ["report"]:
        sys.stdout.write(report.page([Path(name) for name in arguments[1:]]))
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Mixed traffic on a service of its own.")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs of the service; readers die thrice as often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1, help="2 makes every client twice as fast")
    parser.add_argument("--data", type=Path, help="folder with the seed that may be written to; made when left out")
    parser.add_argument("--stand-in", action="store_true", help="recorded figures even where llama.cpp is there")
    parser.add_argument("--out", type=Path, required=True, help="record of all that happens, as JSON lines")
    options = parser.parse_args(arguments)
    if not 0 < options.minutes <= 24 * 60:
        parser.error("--minutes: from 0 to 1440")
    wish = campaign.Wish(
        seconds=60 * options.minutes,
        out=options.out,
        seed=options.seed,
        kills=options.kills,
        pace=options.pace,
        data=options.data,
        stand_in=options.stand_in,
    )
    campaign.run(wish)
    judged = report.judge(options.out)
    sys.stdout.write(report.page([options.out]))
    return int(bool(judged.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
