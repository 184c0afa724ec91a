"""The row-wise AdamW against torch's, row by row."""

import io
import signal
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.batches import Shard
from recsys.errors import Interrupted
from recsys.training.engine import fit
from recsys.training.retrieval_job import build_batches, build_task
from recsys.training.rows import RowwiseAdamW, clip_gradients_, summed_rows
from tests.training.conftest import assert_same_weights
from tests.training.test_resume import signalled_at

ITEMS, DIM = 12, 4
SETTINGS = {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.3}


def table() -> nn.Parameter:
    torch.manual_seed(0)
    return nn.Parameter(torch.randn(ITEMS, DIM))


def batches(lookups: int = 7, high: int = ITEMS) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randint(high, (lookups,)) for _ in range(9)]


def loss_of(weight_VD: Tensor, rows_N: Tensor, *, sparse: bool) -> Tensor:
    """Looked up twice, as clicks and targets are."""
    one, other = (F.embedding(rows, weight_VD, sparse=sparse) for rows in (rows_N, rows_N.flip(0)))
    return (one * other).sum() + one.exp().sum()


def gradient(rows_N: Tensor, *, sparse: bool) -> Tensor:
    weight_VD = table()
    loss_of(weight_VD, rows_N, sparse=sparse).backward()
    return weight_VD.grad


@pytest.mark.parametrize("rows_N", [*batches(), torch.zeros(0, dtype=torch.int64)])
@pytest.mark.parametrize("sparse", [True, False])
def test_summed_rows_are_the_gradient_each_row_once(rows_N, sparse):
    exact_VD, summed_VD = gradient(rows_N, sparse=False), summed_rows(gradient(rows_N, sparse=sparse))
    torch.testing.assert_close(summed_VD.to_dense(), exact_VD)
    torch.testing.assert_close(summed_VD._values().norm(), exact_VD.norm())
    assert int(summed_VD._values().any(dim=1).sum()) == len(rows_N.unique())


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_is_torchs(max_norm):
    rows_N, other = batches()[0], torch.randn(5)
    ours = [summed_rows(gradient(rows_N, sparse=True)), other.clone()]
    clip_gradients_(ours, max_norm)
    theirs = [nn.Parameter(table()), nn.Parameter(other)]
    theirs[0].grad, theirs[1].grad = gradient(rows_N, sparse=False), other.clone()
    nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(ours[0].to_dense(), theirs[0].grad)
    torch.testing.assert_close(ours[1], theirs[1].grad)


def trained(rows: list[Tensor], *, sparse: bool, summed: bool = True) -> Tensor:
    weight_VD = table()
    optimizer = RowwiseAdamW([weight_VD], fused=True, **SETTINGS)
    for rows_N in rows:
        weight_VD.grad = None
        loss_of(weight_VD, rows_N, sparse=sparse).backward()
        if summed:
            weight_VD.grad = summed_rows(weight_VD.grad)
        optimizer.step()
    return weight_VD.detach()


def test_where_every_batch_uses_every_row_it_is_adamw():
    everything = [torch.cat([rows_N, torch.arange(ITEMS)]) for rows_N in batches()]
    torch.testing.assert_close(trained(everything, sparse=True), trained(everything, sparse=False, summed=False))


@pytest.mark.parametrize("sparse", [True, False])
def test_each_row_moves_as_adamw_moves_it_alone(sparse):
    """Each row's gradients are handed to an AdamW of its own, in the batches that use the row."""
    alone = [nn.Parameter(row.detach().clone()) for row in table()]
    optimizers = [torch.optim.AdamW([row], fused=True, **SETTINGS) for row in alone]
    for rows_N in batches():
        whole_VD = nn.Parameter(torch.stack([row.detach() for row in alone]))
        loss_of(whole_VD, rows_N, sparse=False).backward()
        for index in rows_N.unique().tolist():
            alone[index].grad = whole_VD.grad[index].clone()
            optimizers[index].step()
    torch.testing.assert_close(trained(batches(), sparse=sparse), torch.stack([row.detach() for row in alone]))


def test_rows_out_of_use_and_their_moments_stay():
    weight_VD = table()
    optimizer = RowwiseAdamW([weight_VD], fused=True, **SETTINGS)
    for rows_N in batches(high=5):
        loss_of(weight_VD, rows_N, sparse=True).backward()
        weight_VD.grad = summed_rows(weight_VD.grad)
        optimizer.step()
    assert torch.equal(weight_VD[5:], table()[5:])
    assert not torch.equal(weight_VD[:5], table()[:5])
    for moment in optimizer.state[weight_VD].values():
        assert moment[:5].all()
        assert not moment[5:].any()


def test_it_goes_on_from_its_state():
    whole = trained(batches(), sparse=True)
    weight_VD = table()
    optimizer = RowwiseAdamW([weight_VD], fused=True, **SETTINGS)
    for number, rows_N in enumerate(batches()):
        if number == 4:
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            file.seek(0)
            optimizer = RowwiseAdamW([weight_VD], fused=True, **SETTINGS)
            optimizer.load_state_dict(torch.load(file, weights_only=True))
        loss_of(weight_VD, rows_N, sparse=True).backward()
        weight_VD.grad = summed_rows(weight_VD.grad)
        optimizer.step()
    assert torch.equal(weight_VD, whole)


@pytest.mark.parametrize("item_table", ["tied", "own"])
def test_a_step_on_samples_moves_only_what_it_meets(changed, item_table):
    objective = {"kind": "sampled_softmax", "num_negatives": 4, "negatives": {"in_batch": 1}}
    job = changed({"objective": objective, "batch_tokens": 8}, {"item_table": item_table})
    batches = build_batches(job)
    batch = next(batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard()))
    task = build_task(job)
    task.trainer = SimpleNamespace(world_size=1)
    before = {name: value.clone() for name, value in task.retriever.state_dict().items()}
    optimizer = task.configure_optimizers()
    task.training_step(batch).backward()
    task.configure_gradient_clipping(optimizer)
    optimizer.step()
    met = torch.cat([batch.items_BL.flatten(), batch.targets_BL.flatten()]).unique()
    unmet = torch.ones(len(job.dataset.items) + 1, dtype=torch.bool).index_fill(0, met, False)
    for name, value in task.retriever.state_dict().items():
        if name.endswith("weight_VD"):
            assert torch.equal(value[unmet], before[name][unmet])
            assert not torch.equal(value[~unmet], before[name][~unmet])


def test_stopped_training_on_samples_goes_on_to_the_same_weights(changed, tmp_path, monkeypatch):
    training = {"objective": {"kind": "sampled_softmax", "num_negatives": 8}, "checkpoint_minutes": 1e-9}
    whole, stopped = (changed(training, directory=tmp_path / name) for name in ("whole", "stopped"))
    steps = fit(whole, tell=lambda _: None).steps
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        signalled_at(steps // 2, signal.SIGTERM, patch)
        fit(stopped, tell=lambda _: None)
    fit(stopped, tell=lambda _: None)
    assert_same_weights(whole.directory, stopped.directory)
