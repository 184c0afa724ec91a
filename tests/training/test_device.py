"""On a GPU: a step in bf16, resuming, and the full softmax against the naive one."""

import signal

import pytest
import torch
import torch.nn.functional as F

from recsys.errors import Interrupted
from recsys.model.losses import softmax_loss
from recsys.training.fit import fit_retriever
from tests.training.conftest import weights
from tests.training.test_resume import signalled_at

pytestmark = pytest.mark.gpu
CUDA = {"device": "cuda", "precision": "bf16-mixed", "threads": None, "checkpoint_minutes": 1e-9}


@pytest.fixture(autouse=True)
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")


@pytest.mark.parametrize("objective", ["softmax", "sampled_softmax"])
@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_training_in_bf16_learns(changed, objective, score):
    training = {**CUDA, "objective": {"kind": objective}, "optimizer": {"learning_rate": 0.01}, "max_epochs": 6}
    history = fit_retriever(changed(training, {"score": {"kind": score}}), tell=lambda _: None).history
    assert history[-1].loss < history[0].loss


def test_a_resumed_run_ends_near_the_uninterrupted_one(changed, tmp_path, monkeypatch):
    whole, job = (changed(CUDA, directory=tmp_path / name) for name in ("whole", "stopped"))
    outcome = fit_retriever(whole, tell=lambda _: None)
    with monkeypatch.context() as patch:
        signalled_at(outcome.steps // 2, signal.SIGTERM, patch)
        with pytest.raises(Interrupted):
            fit_retriever(job, tell=lambda _: None)
    assert fit_retriever(job, tell=lambda _: None).steps == outcome.steps
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
