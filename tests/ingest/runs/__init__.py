"""Files of other tools: real ones of llama-bench and lm-eval, others written after the formats' own definitions."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"


def text(name: str) -> str:
    """The text of a file."""
    return (DATA / name).read_text(encoding="utf-8")


def texts(*names: str) -> dict[str, str]:
    """The texts of files that belong together, by name."""
    return {name: text(name) for name in names}
