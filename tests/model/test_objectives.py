"""Objectives as training meets them: with a retriever, on any device, from the configuration on."""

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from recsys.data.feature_table import Features
from recsys.model.objectives import ObjectiveConfig
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.training.config import TrainingConfig
from recsys.training.engine import fit
from recsys.training.retrieval_job import RetrievalJob

ITEMS, DIM = 40, 8
FULL = {"kind": "softmax"}
SAMPLED = [
    {"kind": "sampled_softmax", "num_negatives": 8},
    {"kind": "sampled_softmax", "num_negatives": 9, "negatives": {"uniform": 1, "popularity": 1, "in_batch": 1}},
    {"kind": "bce", "num_negatives": 8},
    {"kind": "gbce", "num_negatives": 8},
]
parametrize_all = pytest.mark.parametrize("config", [FULL, *SAMPLED], ids=str)
parametrize_sampled = pytest.mark.parametrize("config", SAMPLED, ids=str)


def build(config: dict, num_items: int = ITEMS):
    candidates_V = torch.arange(num_items + 1) > 0
    return TypeAdapter(ObjectiveConfig).validate_python(config).build(candidates_V.long(), candidates_V)


def retriever(num_items: int = ITEMS) -> Retriever:
    torch.manual_seed(0)
    config = RetrieverConfig.model_validate({"dim": DIM, "num_blocks": 1, "max_length": 4, "item_table": "own"})
    return Retriever.for_catalogue(config, num_items, Features(()))


def batch(num_items: int = ITEMS, positions: int = 12) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(positions, DIM, requires_grad=True), torch.randint(1, num_items + 1, (positions,))


class Table:
    """A retriever that is nothing but its vectors."""

    def __init__(self, items_VD: Tensor) -> None:
        self.items_VD = items_VD

    def item_vectors(self) -> Tensor:
        return self.items_VD

    def vectors_of(self, items_N: Tensor) -> Tensor:
        return self.items_VD[items_N]


@parametrize_all
def test_no_step_waits_for_the_device(config):
    """Fake tensors have shapes and no values, so whatever needs a value to go on raises."""
    objective = build(config)
    with FakeTensorMode(allow_non_fake_inputs=True):
        user_ND, targets_N = torch.empty(12, DIM, requires_grad=True), torch.empty(12, dtype=torch.int64)
        table = Table(torch.empty(ITEMS + 1, DIM, requires_grad=True))
        gradients = torch.autograd.grad(objective(table, user_ND, targets_N), (user_ND, table.items_VD))
        assert [gradient.shape for gradient in gradients] == [(12, DIM), (ITEMS + 1, DIM)]
        with pytest.raises(DynamicOutputShapeException):
            targets_N[targets_N > 0]


@parametrize_all
def test_an_objective_says_whether_every_item_has_a_gradient(config):
    model, objective, (user_ND, targets_N) = retriever(), build(config), batch()
    objective(model, user_ND, targets_N).backward()
    gradient = model.scored.weight_VD.grad
    touched = int((gradient.to_dense() if gradient.is_sparse else gradient)[1:].any(dim=-1).sum())
    assert objective.scores_whole_catalogue == (touched == ITEMS)
    if not objective.scores_whole_catalogue:
        assert touched <= len(targets_N.unique()) + 9


def test_as_many_negatives_as_candidates_make_the_full_softmax():
    model, (user_ND, targets_N) = retriever(), batch()
    values = [build(config)(model, user_ND, targets_N) for config in (FULL, {**SAMPLED[0], "num_negatives": ITEMS})]
    torch.testing.assert_close(*values)


@parametrize_sampled
@pytest.mark.parametrize("num_items", [1, 2, 5])
def test_more_negatives_than_items_are_no_trouble(config, num_items):
    model, (user_ND, targets_N) = retriever(num_items), batch(num_items)
    loss = build({**config, "num_negatives": 50}, num_items)(model, user_ND, targets_N)
    (gradient,) = torch.autograd.grad(loss, user_ND)
    assert gradient.isfinite().all()
    assert loss > 0 or num_items == 1
    if num_items == 1 and config["kind"] == "sampled_softmax":
        assert loss == 0


@parametrize_sampled
@pytest.mark.parametrize("positions", [0, 1])
def test_a_batch_may_have_no_or_one_position(config, positions):
    model, (user_ND, targets_N) = retriever(), batch(positions=positions)
    loss = build(config)(model, user_ND, targets_N)
    loss.backward()
    assert loss.isfinite()
    assert loss == 0 or positions == 1


@parametrize_sampled
def test_training_lowers_the_loss(config, small_dataset, tmp_path: Path):
    training = {"max_epochs": 4, "batch_tokens": 64, "device": "cpu", "threads": 1, "objective": config}
    job = RetrievalJob(
        dataset=small_dataset,
        model=RetrieverConfig.model_validate({"dim": 8, "max_length": 6, "num_blocks": 1, "dropout": 0.1}),
        training=TrainingConfig.model_validate({**training, "optimizer": {"learning_rate": 0.02}}),
        exclude_seen=True,
        seed=3,
        directory=tmp_path / "model",
    )
    history = fit(job, tell=lambda _: None).history
    assert history[-1].loss < 0.99 * history[0].loss
