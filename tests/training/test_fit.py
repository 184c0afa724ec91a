"""What training promises apart from resuming: it learns, it stops, it keeps the best, it counts right."""

import pytest
import torch

from recsys.data.batches import Shard, TrainingBatches
from recsys.errors import ConfigError, UserError
from recsys.model.store import load_retriever, save_retriever
from recsys.training.config import OptimizerConfig, TrainingConfig
from recsys.training.engine import fit
from recsys.training.hardware import choose_hardware
from recsys.training.optimizer import build_optimizer, learning_rate
from recsys.training.outcome import load_best
from recsys.training.progress import Progress
from recsys.training.retrieval_job import build_batches, build_task
from recsys.training.validation import Validator
from tests.training.conftest import weights


def quiet(message: str) -> None:
    pass


def test_the_loss_falls_and_every_epoch_is_told(changed, small_dataset):
    told = []
    outcome = fit(changed({"max_epochs": 8, "optimizer": {"learning_rate": 0.02}}), tell=quiet, on_epoch=told.append)
    assert outcome.history[-1].loss < 0.99 * outcome.history[0].loss
    assert tuple(told) == outcome.history
    trained = small_dataset.split.train_end - small_dataset.histories.offsets[:-1]
    assert outcome.clicks == 8 * (trained[trained >= 2] - 1).sum()


def test_the_best_weights_are_the_ones_kept(changed):
    job = changed({"max_epochs": 6, "optimizer": {"learning_rate": 0.05}})
    outcome = fit(job, tell=quiet)
    measured = [record.validation for record in outcome.history]
    assert outcome.validation == max(measured)
    assert outcome.best_epoch == 1 + measured.index(max(measured))
    validator = Validator(job.dataset, exclude_seen=True, max_users=10**6, seed=0)
    assert validator(load_best(job.directory)) == pytest.approx(outcome.validation)


def test_training_stops_when_the_best_stays_the_best(changed):
    outcome = fit(changed({"max_epochs": 50, "patience": 2, "optimizer": {"learning_rate": 0.1}}), tell=quiet)
    assert len(outcome.history) == min(50, outcome.best_epoch + 2)
    assert len(outcome.history) < 50


def test_minutes_end_training(changed):
    outcome = fit(changed({"max_epochs": 10_000, "patience": 10_000, "max_minutes": 0.02}), tell=quiet)
    assert 0.02 <= outcome.minutes < 0.2
    assert len(outcome.history) < 10_000


@pytest.mark.parametrize("windows", ["all", "last"])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_an_epoch_sees_each_window_once_whatever_the_ranks(small_dataset, windows, world_size):
    batches = TrainingBatches(small_dataset, max_length=5, token_budget=40, windows=windows, seed=1)
    single = batches.plan(0, Shard())
    shared = batches.plan(0, Shard(0, world_size))
    wanted = sorted(zip(single.windows.users, single.windows.starts, single.windows.stops, strict=True))
    clicks = sum(int(batch.targets_BL.gt(0).sum()) for batch in batches.iterate(single, first=0, shard=Shard()))
    assert clicks == sum(stop - start - 1 for _, start, stop in wanted)
    ranks = [list(batches.iterate(shared, first=0, shard=Shard(rank, world_size))) for rank in range(world_size)]
    assert sum(int(batch.targets_BL.gt(0).sum()) for rank in ranks for batch in rank) == clicks
    for together in zip(*ranks, strict=True):
        assert {batch.num_targets for batch in together} == {sum(int((b.targets_BL > 0).sum()) for b in together)}


def test_batches_keep_the_token_budget_and_shift_targets_by_one(small_dataset):
    batches = TrainingBatches(small_dataset, max_length=5, token_budget=40, windows="all", seed=1)
    for batch in batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard()):
        assert batch.items_BL.numel() <= 40
        rows = zip(batch.items_BL, batch.targets_BL, batch.lengths_B.tolist(), strict=True)
        for items_L, targets_L, length in rows:
            assert items_L[1:length].tolist() == targets_L[: length - 1].tolist()
            assert (items_L[:length] > 0).all()
            assert (items_L[length:] == 0).all()
            assert (targets_L[length:] == 0).all()


def test_nothing_after_the_cut_is_trained_on(small_dataset):
    batches = TrainingBatches(small_dataset, max_length=5, token_budget=40, windows="all", seed=1)
    plan = batches.plan(0, Shard())
    assert (plan.windows.stops <= small_dataset.split.train_end[plan.windows.users]).all()


@pytest.mark.slow
def test_two_ranks_are_one_rank_with_a_doubled_batch(changed, tmp_path):
    settings = {"max_epochs": 2, "optimizer": {"warmup_share": 0.0}}
    single = changed({**settings, "batch_tokens": 128}, {"dropout": 0.0}, directory=tmp_path / "one")
    double = changed({**settings, "devices": 2}, {"dropout": 0.0}, directory=tmp_path / "two")
    one, two = fit(single, tell=quiet), fit(double, tell=quiet)
    assert one.clicks == two.clicks
    assert one.steps == two.steps
    for name, value in weights(single.directory).items():
        torch.testing.assert_close(weights(double.directory)[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("objective", [{"kind": "sampled_softmax", "num_negatives": 20}, {"kind": "softmax"}])
@pytest.mark.parametrize("score", [{"kind": "dot"}, {"kind": "cosine"}])
@pytest.mark.parametrize("table", ["tied", "own"])
def test_every_combination_of_objective_score_and_table_learns(changed, objective, score, table):
    job = changed(
        {"max_epochs": 4, "objective": objective, "optimizer": {"learning_rate": 0.02}},
        {"score": score, "item_table": table},
    )
    history = fit(job, tell=quiet).history
    assert history[-1].loss < history[0].loss


def test_a_stored_retriever_scores_as_before(job, tmp_path):
    retriever = build_task(job).retriever.eval()
    save_retriever(retriever, tmp_path)
    again = load_retriever(tmp_path)
    items_BL, lengths_B = torch.tensor([[1, 2, 0], [3, 0, 0]]), torch.tensor([2, 1])
    assert torch.equal(retriever.user_vectors(items_BL, lengths_B), again.user_vectors(items_BL, lengths_B))
    assert torch.equal(retriever.item_vectors(), again.item_vectors())
    assert (again.item_vectors()[0] == 0).all()


def test_divergence_is_told(changed, monkeypatch):
    job = changed()
    monkeypatch.setattr(
        "recsys.model.objectives.softmax_loss",
        lambda user_ND, items_VD, targets_N: user_ND.sum() * float("nan"),
    )
    with pytest.raises(UserError, match=r"training diverged.*learning_rate"):
        fit(job, tell=quiet)


def test_cuda_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="finds no CUDA device"):
        choose_hardware(TrainingConfig(device="cuda"))


def test_the_learning_rate_rises_then_falls():
    config = OptimizerConfig(learning_rate=1.0, warmup_share=0.1)
    rates = [learning_rate(config, share / 100) for share in range(101)]
    assert rates[0] == 0.0
    assert rates[10] == max(rates) == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(OptimizerConfig(schedule="constant", learning_rate=0.5), 0.9) == 0.5


def test_only_matrices_decay(job):
    decayed, free = build_optimizer(build_task(job), job.training.optimizer).param_groups
    assert all(parameter.ndim >= 2 for parameter in decayed["params"])
    assert all(parameter.ndim < 2 for parameter in free["params"])
    assert free["weight_decay"] == 0.0


def test_the_schedule_follows_the_larger_share():
    config = TrainingConfig(max_epochs=10, max_minutes=1)
    assert Progress(epoch=5, seconds=6).share_done(config) == pytest.approx(0.5)
    assert Progress(epoch=1, seconds=45).share_done(config) == pytest.approx(0.75)


def test_an_empty_training_part_is_told(job, monkeypatch):
    monkeypatch.setattr(TrainingBatches, "is_empty", lambda self: True)
    with pytest.raises(UserError, match="nothing to train on"):
        build_batches(job)
