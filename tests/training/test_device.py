"""On a GPU: steps in bf16 that never wait for it, resuming, and the full softmax against the naive one."""

import signal

import pytest
import torch
import torch.nn.functional as F

from recsys.data.batches import Shard
from recsys.data.clicks import MappedClicks, ResidentClicks
from recsys.errors import Interrupted
from recsys.model.losses import softmax_loss
from recsys.nn.context import Packing
from recsys.nn.mixers.packed import packed_attention
from recsys.training.engine import fit
from recsys.training.loaders import EpochLoader
from recsys.training.progress import Progress
from recsys.training.retrieval_job import build_batches
from recsys.training.retrieval_task import RetrievalTask
from tests.training.conftest import weights
from tests.training.test_resume import signalled_at

pytestmark = pytest.mark.gpu
CUDA = {"device": "cuda", "precision": "bf16-mixed", "threads": None, "checkpoint_minutes": 1e-9}


@pytest.fixture(autouse=True)
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("objective", ["softmax", "sampled_softmax"])
@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_training_in_bf16_learns(changed, objective, score):
    training = {**CUDA, "objective": {"kind": objective}, "optimizer": {"learning_rate": 0.01}, "max_epochs": 6}
    history = fit(changed(training, {"score": {"kind": score}}), tell=lambda _: None).history
    assert history[-1].loss < history[0].loss


@pytest.mark.parametrize("objective", ["softmax", "sampled_softmax", "bce", "gbce"])
def test_no_step_but_an_epochs_last_waits_for_the_device(changed, monkeypatch, objective):
    def begin(task, *_):
        torch.cuda.set_sync_debug_mode("default" if task.trainer.is_last_batch else "error")

    monkeypatch.setattr(RetrievalTask, "on_train_batch_start", begin)
    monkeypatch.setattr(RetrievalTask, "on_train_batch_end", lambda *_: torch.cuda.set_sync_debug_mode("default"))
    training = {**CUDA, "objective": {"kind": objective}, "max_epochs": 2, "checkpoint_minutes": 1e9}
    assert fit(changed(training), tell=lambda _: None).steps > 2


@pytest.mark.parametrize("place", [MappedClicks, ResidentClicks])
def test_batches_made_on_the_device_without_waiting_are_those_of_the_cpu(job, place):
    batches = build_batches(job)
    plan = batches.plan(0, Shard())
    clicks = place(job.dataset.histories.items, job.dataset.histories.times, torch.device("cuda"))
    iterator = batches.iterate(plan, first=0, shard=Shard(), clicks=clicks)
    made = [next(iterator)]
    torch.cuda.set_sync_debug_mode("error")
    made += iterator
    torch.cuda.set_sync_debug_mode("default")
    for one, other in zip(made, batches.iterate(plan, first=0, shard=Shard()), strict=True):
        assert one.items_BL.is_cuda
        for name in ("items_BL", "times_BL", "asked_BL", "lengths_B", "targets_BL", "positions_N"):
            assert torch.equal(getattr(one, name).cpu(), getattr(other, name)), name


def test_a_small_log_lies_on_the_device(job):
    loader = EpochLoader(build_batches(job), Progress(), torch.device("cuda"), reads_times=True)
    assert next(iter(loader)).items_BL.is_cuda
    assert isinstance(loader._clicks, ResidentClicks)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_encoder_learns(changed):
    history = fit(changed({**CUDA, "compile": True, "max_epochs": 6}), tell=lambda _: None).history
    assert history[-1].loss < history[0].loss


def test_a_resumed_run_ends_near_the_uninterrupted_one(changed, tmp_path, monkeypatch):
    whole, job = (changed(CUDA, directory=tmp_path / name) for name in ("whole", "stopped"))
    outcome = fit(whole, tell=lambda _: None)
    with monkeypatch.context() as patch:
        signalled_at(outcome.steps // 2, signal.SIGTERM, patch)
        with pytest.raises(Interrupted):
            fit(job, tell=lambda _: None)
    assert fit(job, tell=lambda _: None).steps == outcome.steps
    for name, value in weights(whole.directory).items():
        torch.testing.assert_close(weights(job.directory)[name], value, atol=2e-2, rtol=2e-2)


def test_the_full_softmax_under_autocast_is_the_naive_one():
    user_ND = torch.randn(300, 16, device="cuda", requires_grad=True)
    items_VD = torch.randn(50, 16, device="cuda", requires_grad=True)
    targets_N = torch.randint(1, 50, (300,), device="cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = softmax_loss(user_ND, items_VD, targets_N)
    naive = F.cross_entropy(user_ND @ items_VD[1:].T, targets_N - 1, reduction="sum")
    torch.testing.assert_close(loss, naive, rtol=1e-2, atol=1.0)
    ours, theirs = (torch.autograd.grad(value, user_ND, retain_graph=True)[0] for value in (loss, naive))
    torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.1)


def test_packed_attention_is_padded_attention():
    torch.manual_seed(0)
    lengths_B = torch.tensor([3, 1, 50, 4], device="cuda")
    positions_N = (torch.arange(50, device="cuda") < lengths_B[:, None]).flatten().nonzero()[:, 0]
    packing = Packing.of(lengths_B, positions_N, 50)
    parts = [torch.randn(58, 2, 32, device="cuda", requires_grad=True) for _ in range(3)]
    results = []
    for dtype in (torch.bfloat16, torch.float32):
        mixed_NHK = packed_attention(*(part.to(dtype) for part in parts), packing)
        results.append([mixed_NHK.float(), *torch.autograd.grad(mixed_NHK.float().square().sum(), parts)])
    for rounded, exact in zip(*results, strict=True):
        assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_training_on_packed_rows_learns_as_on_padded_ones(changed, tmp_path):
    losses = []
    for layout in ("padded", "packed"):
        job = changed({**CUDA, "layout": layout}, {"dropout": 0.0, "dim": 16}, directory=tmp_path / layout)
        losses.append(fit(job, tell=lambda _: None).history[-1].loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
