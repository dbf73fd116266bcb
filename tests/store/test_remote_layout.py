"""Whatever is changed: the graphs to ask cover a revision exactly, and are few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.model.graphs import CURATED, META, of_source
from app.store.remote_layout import Layout, changed

NAMES = [
    CURATED.value,
    META.value,
    "https://example.org/g",
    *(of_source(f"s{n}", "2026-11-20").value for n in range(5)),
]
CHANGES = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100), max_size=4), max_size=12)


def after(changes: list[dict[str, int]]) -> list[Layout]:
    layouts = [Layout()]
    for number, sizes in enumerate(changes, 1):
        layouts.append(changed(layouts[-1], sizes, stem=f"x:{number}", blanks=False))
    return layouts


@given(CHANGES)
def test_the_union_covers_everything_once_and_is_of_few_graphs(changes: list[dict[str, int]]) -> None:
    for layout in after(changes):
        members = {segment.name: segment.covers for segment in layout.segments}
        asked = [name for part in layout.everything() for name in members.get(part, {part})]
        assert sorted(asked) == sorted(graph.name for graph in layout.graphs.values())
        assert len(layout.everything()) <= 3


@given(CHANGES)
def test_sizes_follow_the_changes(changes: list[dict[str, int]]) -> None:
    wanted: dict[str, int] = {}
    for layout, sizes in zip(after(changes)[1:], changes, strict=True):
        wanted = {name: size for name, size in (wanted | sizes).items() if size}
        assert {name: graph.size for name, graph in layout.graphs.items()} == wanted
        assert layout.quads == sum(wanted.values())


@given(CHANGES)
def test_a_graph_is_never_written_twice(changes: list[dict[str, int]]) -> None:
    """A name that one revision uses is used by a later one only for the same content."""
    written: set[str] = set()
    for old, new in zip(after(changes), after(changes)[1:], strict=False):
        fresh = new.all_names() - old.all_names()
        assert not fresh & written
        written |= fresh


@given(CHANGES)
def test_a_layout_reads_back(changes: list[dict[str, int]]) -> None:
    layout = after(changes)[-1]
    assert Layout.from_json(layout.to_json()) == layout


def test_sources_that_last_are_not_copied_again_when_others_change() -> None:
    sources = {name: 10 for name in NAMES if "/source/" in name}
    first, second = after([sources | {CURATED.value: 5, META.value: 5}, {CURATED.value: 6}])[1:]
    (lasting,) = [segment for segment in first.segments if segment.size == 50]
    assert lasting in second.segments
    assert len(second.all_names() - first.all_names()) == 2
