"""Losses against negatives that a batch shares. Pure functions; one signature, and the *sum* over positions.

A position's own target among the negatives never counts. Products are taken in autocast's type where it is on; all
else is fp32 at least. First derivatives only, with respect to the three arguments that hold vectors.
Shape letters: N positions, C positions of a chunk, S negatives, D width.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from recsys.model.losses import chunk_positions
from recsys.model.negatives import Negatives

# The logit of a negative that is the position's own target. Finite, so that a row of nothing else is no NaN.
NEVER = -1e30

# Loss of a chunk and its gradient with respect to [C] scores of the targets; [C, S] logits become their gradient.
ChunkLoss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SampledLoss(Protocol):
    def __call__(
        self, user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, *, targets_N: Tensor, drawn: Negatives
    ) -> Tensor:
        """Vectors of users, of what they clicked next and of what was drawn; the items behind the last two."""


def sampled_softmax_loss(
    user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, *, targets_N: Tensor, drawn: Negatives
) -> Tensor:
    """-log of the target's share against the negatives, each weighted by 1 / how often it was expected to be drawn.

    So the normaliser (not its log) estimates the sources' own without bias (Bengio & Senecal 2008). The target is no
    draw: its score stands uncorrected (Khrylchenko et al. 2025, https://arxiv.org/abs/2507.09331).
    """
    chunk_loss = partial(_softmax_, log_weight_S=drawn.log_weight_S)
    return _in_chunks(chunk_loss, user_ND, targets_ND, negatives_SD, drawn.columns_of(targets_N))


def bce_loss(
    user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, *, targets_N: Tensor, drawn: Negatives
) -> Tensor:
    """Binary cross-entropy of the target against uniform negatives, as in SASRec (Kang & McAuley 2018); their mean."""
    return gbce_loss(user_ND, targets_ND, negatives_SD, targets_N=targets_N, drawn=drawn, beta=1.0)


def gbce_loss(
    user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, *, targets_N: Tensor, drawn: Negatives, beta: float
) -> Tensor:
    """BCE in which the target's probability is raised to `beta`: gSASRec (Petrov & Macdonald 2023,
    https://arxiv.org/abs/2308.07192). The mean over the target and the draws, which must be uniform."""
    chunk_loss = partial(_binary_, counts_S=drawn.counts_S, beta=beta)
    total = _in_chunks(chunk_loss, user_ND, targets_ND, negatives_SD, drawn.columns_of(targets_N))
    return total / (1 + len(negatives_SD))


def gbce_beta(*, sampling_rate: float, calibration: float) -> float:
    """The paper's beta, alpha (t (1 - 1 / alpha) + 1 / alpha): 1, plain BCE, at t = 0; alpha, calibrated, at t = 1."""
    return 1.0 - calibration * (1.0 - sampling_rate)


def _softmax_(own_C: Tensor, logits_CS: Tensor, *, log_weight_S: Tensor) -> tuple[Tensor, Tensor]:
    logits_CS += log_weight_S
    peak_C = logits_CS.amax(dim=-1)
    torch.softmax(logits_CS, dim=-1, out=logits_CS)
    # log-sum-exp by way of the largest share, which is no less than 1 / S: its log loses nothing
    excess_C = peak_C - logits_CS.amax(dim=-1).log() - own_C
    share_C = excess_C.sigmoid()
    logits_CS *= share_C[:, None]
    return F.softplus(excess_C).sum(), -share_C


def _binary_(own_C: Tensor, logits_CS: Tensor, *, counts_S: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    loss = beta * F.softplus(-own_C).sum() + F.softplus(logits_CS).mul_(counts_S).sum()
    torch.sigmoid(logits_CS, out=logits_CS)
    logits_CS *= counts_S
    return loss, -beta * torch.sigmoid(-own_C)


def _in_chunks(
    chunk_loss: ChunkLoss, user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, hits_N: Tensor
) -> Tensor:
    precise = torch.promote_types(user_ND.dtype, torch.float32)
    own_N = (user_ND.to(precise) * targets_ND.to(precise)).sum(dim=-1)
    loss: Tensor = _OnePass.apply(chunk_loss, user_ND, own_N, negatives_SD, hits_N)  # type: ignore[no-untyped-call]
    return loss


class _OnePass(torch.autograd.Function):
    """Value and gradient in the forward pass, so that only one chunk of logits exists and none is computed twice."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, chunk_loss: ChunkLoss, user_ND: Tensor, own_N: Tensor, negatives_SD: Tensor, hits_N: Tensor
    ) -> Tensor:
        device = user_ND.device
        if torch.is_autocast_enabled(device.type):
            dtype = torch.get_autocast_dtype(device.type)
            user_ND, negatives_SD = user_ND.to(dtype), negatives_SD.to(dtype)
        step = chunk_positions(max(1, len(negatives_SD)), device)
        user_grad_ND, own_grad_N = torch.empty_like(user_ND), torch.empty_like(own_N)
        # [D, S], not [S, D]: the product that makes it is a quarter faster this way round
        negatives_grad_DS = own_N.new_zeros(negatives_SD.T.shape)
        loss = own_N.new_zeros(())
        with torch.autocast(device.type, enabled=False):
            for start in range(0, len(user_ND), step):
                chunk = slice(start, start + step)
                logits_CS = (user_ND[chunk] @ negatives_SD.T).to(own_N.dtype)
                _hide_(logits_CS, hits_N[chunk, None])
                value, own_grad_N[chunk] = chunk_loss(own_N[chunk], logits_CS)
                loss += value
                error_CS = logits_CS.to(user_ND.dtype)
                user_grad_ND[chunk] = error_CS @ negatives_SD
                negatives_grad_DS += user_ND[chunk].T @ error_CS
        ctx.save_for_backward(user_grad_ND, own_grad_N, negatives_grad_DS.T)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, loss_grad: Tensor) -> tuple[Tensor | None, ...]:
        user_grad_ND, own_grad_N, negatives_grad_SD = ctx.saved_tensors  # type: ignore[attr-defined]
        return None, user_grad_ND * loss_grad, own_grad_N * loss_grad, negatives_grad_SD * loss_grad, None


def _hide_(logits_CS: Tensor, column_C1: Tensor) -> None:
    """NEVER in the column that is named, nothing in rows that name -1."""
    place_C1 = column_C1.clamp(min=0)
    kept_C1 = logits_CS.gather(1, place_C1)
    logits_CS.scatter_(1, place_C1, kept_C1.where(column_C1 < 0, NEVER))
