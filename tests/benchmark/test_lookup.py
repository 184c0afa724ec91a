"""`recsys benchmark lookup`: made vectors are what they are called, and what is measured is right."""

import json

import numpy as np
import pytest

from recsys.benchmark import lookup
from recsys.benchmark.lookup_command import measure_lookups
from recsys.benchmark.vectors import vectors_of
from recsys.errors import ConfigError
from recsys.index import build
from tests.bundle.made import made_bundle


@pytest.fixture(autouse=True)
def briefly(monkeypatch):
    monkeypatch.setattr(lookup, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(lookup, "SINGLE_CALLS", 20)
    monkeypatch.setattr(build, "EXACT_NUMBERS", 10_000)


def test_made_vectors_are_unit_rows_around_centres():
    clustered, normal = vectors_of("clustered:5000x16"), vectors_of("normal:5000x16")
    for looked in (clustered, normal):
        assert looked.vectors.shape == (5000, 16)
        assert looked.queries.shape == (1024, 16)
        np.testing.assert_allclose(np.linalg.norm(looked.vectors, axis=1), 1, atol=1e-5)
    nearest = [(looked.queries[:50] @ looked.vectors.T).max(axis=1).mean() for looked in (clustered, normal)]
    assert nearest[0] > nearest[1]
    assert (vectors_of("clustered:5000x16").vectors == clustered.vectors).all()


def test_lists_are_measured_beside_the_exact_search_and_faiss(tmp_path):
    found = measure_lookups("clustered:6000x16", kind="ivf", kinds=["ivf", "sq"], out=tmp_path, tell=lambda _: None)
    rows = {(row.name, row.batch): row for row in found.benchmark.searches}
    assert {name for name, _ in rows} == {"ivf", "FAISS ivf", "exact", "FAISS flat"}
    assert {batch for _, batch in rows} == {1, 16, 256}
    assert rows["ivf", 1].recall >= 0.97
    assert rows["exact", 256].recall == 1.0
    assert rows["FAISS flat", 256].recall > 0.999
    assert all(row.milliseconds["p50"] <= row.milliseconds["p99"] for row in rows.values())
    assert [(row.allowed, row.are_full) for row in found.benchmark.filters] == [(0.01, True), (0.1, True), (0.9, True)]
    assert all(row.recall > 0.97 for row in found.benchmark.filters)
    kept = json.loads((tmp_path / "benchmark/lookup.json").read_text())
    assert kept["statement"]["kind"] == "ivf"
    assert {point["kind"] for point in kept["kinds"]} == {"ivf", "sq"}
    drawing = (tmp_path / "benchmark/lookup.svg").read_text()
    assert drawing.count("<polyline") == 2
    assert "queries/s" in drawing


def test_a_bundle_has_single_lookups_timed_too(tmp_path):
    bundle = made_bundle(tmp_path)
    found = measure_lookups(str(bundle), kind=None, kinds=[], out=tmp_path, tell=lambda _: None)
    assert found.benchmark.single is not None
    assert any(line.startswith("one lookup") for line in found.lines())
    assert {row.name for row in found.benchmark.searches} == {"exact", "FAISS flat"}


@pytest.mark.parametrize(
    ("source", "kind", "kinds", "told"),
    [
        ("nowhere", "auto", [], "'nowhere' is no bundle's directory, nor made vectors as in clustered:1000000x64"),
        ("clustered:0x64", "auto", [], "made vectors have at least one row and one column, got 0 x 64"),
        ("normal:50x4", "tree", [], "no index is of kind 'tree': take auto, flat, ivf, sq, pq or hnsw"),
        ("normal:50x4", "flat", ["flat"], "flat has no recall to draw: take ivf, sq, pq or hnsw"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, source, kind, kinds, told):
    with pytest.raises(ConfigError, match=told):
        measure_lookups(source, kind=kind, kinds=kinds, out=tmp_path, tell=lambda _: None)
    assert list(tmp_path.iterdir()) == []
