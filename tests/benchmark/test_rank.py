"""A ranker's training is timed as it would be, and so are one user's candidates."""

import math

import pytest
import torch

from recsys.benchmark.commands import measure_ranking
from recsys.benchmark.executed import executed_products
from recsys.benchmark.products import useful_flop
from tests.stages.conftest import finished, project  # noqa: F401

RANKER = {
    "model": {"dim": 8, "hidden": [16], "max_length": 5},
    "training": {"max_epochs": 2, "threads": 1, "batch_size": 64},
}


@pytest.mark.parametrize("kind", ["bst", "din", "none"])
def test_what_is_found_hangs_together(project, kind):  # noqa: F811
    ranker = {**RANKER, "model": {**RANKER["model"], "interest": {"kind": kind}}}
    with project.session(ranker=ranker, recommend__candidates=30) as session:
        measured = measure_ranking(session, seconds=0.2)
    found = measured.benchmark
    assert found.examples_per_second > 0
    assert found.latencies["p50"] <= found.latencies["p95"] <= found.latencies["p99"]
    assert math.fsum(found.shares.values()) == pytest.approx(1.0, abs=0.1)
    assert 0 < found.matmul.share < 1
    assert "30 candidates" in "\n".join(measured.lines())
    assert (project.directory / measured.file).is_file()
    assert not (project.workdir / "ranker").exists()


def test_every_product_is_seen_forward_and_backward():
    layer = torch.nn.Linear(3, 5)
    x = torch.randn(7, 3, requires_grad=True)
    products = executed_products(lambda: layer(x).sum().backward())
    assert sorted(one.shape for one in products) == [(5, 7, 3), (7, 3, 5), (7, 5, 3)]
    assert useful_flop(products) == 3 * 2 * 7 * 3 * 5
    (batched,) = executed_products(lambda: torch.randn(4, 2, 3) @ torch.randn(4, 3, 5))
    assert (batched.shape, batched.batch, batched.useful) == ((2, 3, 5), 4, 2 * 4 * 2 * 3 * 5)
