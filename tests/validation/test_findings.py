"""Findings and reports as values."""

from __future__ import annotations

import pytest

from app.validation.findings import Finding, Report, Severity, fill, number_text


def finding(constraint: str, severity: Severity, focus: str = "http://example.org/a", message: str = "m") -> Finding:
    return Finding(constraint, severity, focus, message)


LOW = finding("C11", Severity.INFO)
MIDDLE = finding("C04", Severity.WARNING)
HIGH = finding("C38", Severity.VIOLATION)


def test_a_report_is_sorted_worst_first_and_has_no_repeats() -> None:
    other = finding("C02", Severity.VIOLATION, focus="http://example.org/b")
    assert Report.of([LOW, HIGH, MIDDLE, HIGH, other]).findings == (other, HIGH, MIDDLE, LOW)


def test_a_report_counts_every_severity() -> None:
    report = Report.of([LOW, MIDDLE, finding("C04", Severity.WARNING, focus="http://example.org/b")])
    assert report.counts == {Severity.VIOLATION: 0, Severity.WARNING: 2, Severity.INFO: 1}
    assert report.by_constraint == {"C04": 2, "C11": 1}
    assert report.worst is Severity.WARNING
    assert report.conforms


def test_a_violation_does_not_conform() -> None:
    assert not Report.of([LOW, HIGH]).conforms


def test_an_empty_report_conforms() -> None:
    assert Report().worst is None
    assert Report().conforms
    assert Report().counts == dict.fromkeys(Severity, 0)


def test_reports_add_up() -> None:
    assert (Report.of([LOW]) + Report.of([HIGH, LOW])).findings == (HIGH, LOW)


def test_a_part_of_a_report() -> None:
    report = Report.of([LOW, MIDDLE, HIGH])
    assert report.only(Severity.WARNING, Severity.INFO).findings == (MIDDLE, LOW)
    assert report.keys == {one.key for one in (LOW, MIDDLE, HIGH)}


def test_a_finding_is_one_line() -> None:
    assert str(finding("C10", Severity.INFO, message="C10: no")) == "Info: C10: no <http://example.org/a>"


def test_severities_come_from_shacl() -> None:
    assert Severity.from_iri("http://www.w3.org/ns/shacl#Warning") is Severity.WARNING
    assert [severity.rank for severity in Severity] == [0, 1, 2]
    with pytest.raises(ValueError, match="Trace"):
        Severity.from_iri("http://www.w3.org/ns/shacl#Trace")


@pytest.mark.parametrize(
    ("template", "values", "value", "message"),
    [
        ("C01: {?a} and {$b}", {"a": "1", "b": "2"}, None, "C01: 1 and 2"),
        ("C01: {?a}", {"a": "{?b}", "b": "no"}, None, "C01: {?b}"),
        ("C01: {?missing}", {}, None, "C01: {?missing}"),
        ("C01: {?a}", {"a": r"\1 \g<0>"}, None, r"C01: \1 \g<0>"),
        ("C01: no.", {}, "x ", "C01: no. Found: 'x '."),
        ("C01: no.", {}, "", "C01: no. Found: ''."),
    ],
)
def test_messages_are_filled(template: str, values: dict[str, str], value: str | None, message: str) -> None:
    assert fill(template, values, value) == message


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("23.148148148148148", "23.1481"),
        ("16.0", "16"),
        ("0.50", "0.5"),
        ("-0.012", "-0.012"),
        ("0.0", "0"),
        ("1.92E11", "1.92e+11"),
        ("1e10", "1e+10"),
        ("252000000000.0", "2.52e+11"),
        ("3821079552", "3821079552"),
        ("2", "2"),
        ("1.2.3", "1.2.3"),
        ("", ""),
    ],
)
def test_fractions_are_shortened_and_counts_are_not(text: str, short: str) -> None:
    assert number_text(text) == short
