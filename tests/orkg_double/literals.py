"""Which labels fit which datatype. ORKG knows 36 XSD types by their prefixed names; others must be IRIs."""

from __future__ import annotations

import re

from tests.orkg_double.messages import invalid

_WHOLE = r"[+-]?\d+"
_DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_FLOAT = rf"(?:{_DECIMAL}(?:[eE][+-]?\d+)?|[+-]?INF|NaN)"
_ZONE = r"(?:Z|[+-]\d\d:\d\d)?"
_DATE = r"-?\d{4,}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_ANY = r"[\s\S]*"

PATTERNS = {
    **dict.fromkeys(("string", "normalizedString", "token", "language", "Name", "NCName", "NMTOKEN"), _ANY),
    **dict.fromkeys(("anyURI", "QName", "NOTATION", "ENTITY", "ID", "IDREF", "anySimpleType", "anyType"), _ANY),
    **dict.fromkeys(("integer", "int", "long", "short", "byte"), _WHOLE),
    **dict.fromkeys(("nonNegativeInteger", "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte"), r"\+?\d+"),
    "positiveInteger": r"\+?0*[1-9]\d*",
    "nonPositiveInteger": r"-\d+|0+",
    "negativeInteger": r"-0*[1-9]\d*",
    "decimal": _DECIMAL,
    "float": _FLOAT,
    "double": _FLOAT,
    "boolean": r"true|false|0|1",
    "date": _DATE + _ZONE,
    "dateTime": f"{_DATE}T{_TIME}{_ZONE}",
    "time": _TIME + _ZONE,
    "gYear": r"-?\d{4,}" + _ZONE,
    "gYearMonth": r"-?\d{4,}-(?:0[1-9]|1[0-2])" + _ZONE,
    "duration": r"-?P(?=.)[\dYMDTHS.]+",
    "hexBinary": r"(?:[0-9a-fA-F]{2})*",
    "base64Binary": r"[A-Za-z0-9+/=\s]*",
}
LONGEST = 8164
_NO_DATATYPE = 'A literal datatype must be a URI or a "xsd:"-prefixed type.'


def check(label: str, datatype: str, *, key: str = "datatype", pointer: str = "#/label") -> None:
    """Raise Problem (400) for a literal that ORKG refuses."""
    if len(label) > LONGEST:
        raise invalid(f"A literal must be at most {LONGEST} characters long.", pointer, "invalid_literal_label")
    if not datatype.startswith("xsd:"):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s:]\S*", datatype):
            raise invalid(_NO_DATATYPE, f"#/{key}", "invalid_literal_datatype")
        return
    pattern = PATTERNS.get(datatype.removeprefix("xsd:"))
    if pattern is None:
        raise invalid(_NO_DATATYPE, f"#/{key}", "invalid_literal_datatype")
    if not re.fullmatch(pattern, label):
        raise invalid(f'Literal value "{label}" is not a valid "{datatype}".', pointer, "invalid_literal_label")


def check_label(label: str, pointer: str = "#/label") -> None:
    """Raise Problem (400) for a label of a thing that is blank, too long, or holds a line break or NUL."""
    if not label.strip() or len(label) > LONGEST or any(one in label for one in "\n\r\0"):
        detail = f"A label must not be blank or contain newlines or NULL characters and must be at most {LONGEST} characters long."  # noqa: E501
        raise invalid(detail, pointer, "invalid_label")


def check_description(text: str) -> None:
    """Raise Problem (400) for a description of blanks only, or one that is too long or holds NUL; it may be empty."""
    if text and (not text.strip() or len(text) > LONGEST or "\0" in text):
        detail = (
            f"A description must not be blank or contain NULL characters and must be at most {LONGEST} characters long."
        )
        raise invalid(detail, "#/description", "invalid_description")
