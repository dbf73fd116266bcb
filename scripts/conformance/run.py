"""Command line of the conformance runner. Every test drops all graphs of the service: use a scratch instance.

Exit code 0: nothing to blame the service for. 1: the service fails a test that the engine passes (or, without
--engine-baseline, any test), or the allow list names a test that passes. 2: the run could not be made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .evaluation import judge
from .exchanges import judge_requests
from .manifest import ManifestError, RequestsAction, Suite, Test, read_tests, suite_folder
from .report import Facts, Report, Verdict, read_allowed
from .targets import Engine, Service, Target, Unusable

ALLOWED: Final = Path(__file__).with_name("allowed.tsv")
LOSS: Final = "Numbers and booleans are compared by value: a store may keep them in canonical form."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests that the arguments name; returns the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    urls = (options.query_url, options.update_url, options.graph_store_url)
    if not any(urls) and not options.engine_baseline:
        console.print("Nothing to run: give the three addresses of the service, --engine-baseline, or both.")
        return 2
    if any(urls) and not all(urls):
        console.print("A service needs --query-url, --update-url and --graph-store-url.")
        return 2
    try:
        allowed = read_allowed(options.allow)
        tests = _tests(options.tests, options.suite or ["all"], options.only)
        service = Service(*urls, key=options.key) if all(urls) else None
        if service is not None:
            service.check(wipe=options.wipe)
    except (ManifestError, Unusable, ValueError, OSError) as problem:
        console.print(f"The tests cannot be run: {problem}", markup=False)
        return 2
    engine = Engine() if options.engine_baseline else None
    if service is None:
        tests = [test for test in tests if not test.suite.needs_http]
    verdicts = _run(tests, service, engine, strict=options.strict, console=console)
    if service is not None:
        service.empty()
        service.close()
    report = Report(_facts(options), verdicts, allowed)
    report.show(console)
    if options.json:
        options.json.write_text(report.to_json(), encoding="utf-8")
    if options.write:
        options.write.write_text(report.to_markdown(), encoding="utf-8")
    return 1 if report.offences or report.stale else 0


def run_test(test: Test, target: Target, *, strict: bool) -> str:
    """Run one test; returns why it failed, or "" for a pass."""
    try:
        if isinstance(test.action, RequestsAction):
            if not isinstance(target, Service):
                raise TypeError("tests of HTTP need a service")
            return judge_requests(test.suite, test.name, test.action, target) or ""
        return judge(test.action, target, strict=strict) or ""
    except Unusable as problem:
        return str(problem)


def _run(
    tests: Sequence[Test], service: Service | None, engine: Engine | None, *, strict: bool, console: Console
) -> list[Verdict]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    verdicts = []
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("tests", total=len(tests))
        for test in tests:
            progress.update(bar, description=test.suite)
            of_service = None if service is None else run_test(test, service, strict=strict)
            asked = engine is not None and not test.suite.needs_http
            of_engine = run_test(test, engine, strict=strict) if engine is not None and asked else None
            verdicts.append(Verdict(test, of_service, of_engine))
            progress.advance(bar)
    return verdicts


def _tests(checkout: Path, suites: Iterable[str], only: str) -> list[Test]:
    folder = suite_folder(checkout)
    chosen = list(Suite) if "all" in suites else [suite for suite in Suite if suite in suites]
    tests = [test for suite in chosen for test in read_tests(folder, suite) if only in test.name]
    if not tests:
        raise ManifestError(f"no test has {only!r} in its name")
    return tests


def _facts(options: argparse.Namespace) -> Facts:
    command = ["git", "-C", str(options.tests), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Facts(
        date=datetime.now(UTC).date().isoformat(),
        commit=commit or "unknown",
        service=options.name if options.query_url else "no service",
        engine=f"pyoxigraph {version('pyoxigraph')}" if options.engine_baseline else "no engine",
        comparison="Literals are compared as they are written." if options.strict else LOSS,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.conformance", description=__doc__)
    parser.add_argument("tests", type=Path, metavar="TESTS_DIR", help="a checkout of w3c/rdf-tests")
    parser.add_argument("--query-url", help="address of the SPARQL query protocol")
    parser.add_argument("--update-url", help="address of the SPARQL update protocol")
    parser.add_argument("--graph-store-url", help="address of the graph store protocol")
    parser.add_argument("--key", help="key that is sent as a bearer token with every request")
    names = [*Suite, "all"]
    parser.add_argument("--suite", choices=names, action="append", help="run this part only; may be repeated")
    parser.add_argument("--only", default="", metavar="TEXT", help="run tests with this in their name")
    parser.add_argument("--engine-baseline", action="store_true", help="also run on pyoxigraph in this process")
    parser.add_argument("--strict", action="store_true", help="compare numbers and booleans as they are written")
    parser.add_argument("--wipe", action="store_true", help="go on although the service holds data, which is lost")
    parser.add_argument("--allow", type=Path, default=ALLOWED, help="list of tests that may fail: name, tab, reason")
    parser.add_argument("--name", default=f"slmkg {version('slmkg')}", help="what the report calls the service")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every verdict to this file")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page of the documentation to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
