"""Losses of hidden states against item vectors. Pure functions; one contract: the *sum* over positions.

Shape letters: N positions, V items (row 0 is padding), S sampled items, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

# Logits of one chunk: 1,024 x 3,417 in fp32 are 14 MB, which stays in cache where the whole would not.
MAX_CHUNK_LOGITS = 1 << 22
MAX_CHUNK_POSITIONS = 1024


def softmax_loss(user_ND: Tensor, items_VD: Tensor, targets_N: Tensor) -> Tensor:
    """Sum over positions of -log softmax(user . items)[target], the exact full softmax without padding's row 0.

    The value and the gradient are those of `cross_entropy` over all logits, but only one chunk of logits exists at a
    time, and both are computed in the forward pass, so no logit is stored or computed twice. Under autocast the
    products are taken in its type and the rest in fp32. First derivatives only.
    """
    if torch.is_autocast_enabled(user_ND.device.type):
        dtype = torch.get_autocast_dtype(user_ND.device.type)
        user_ND, items_VD = user_ND.to(dtype), items_VD.to(dtype)
    loss: Tensor = _ChunkedSoftmax.apply(user_ND, items_VD[1:], targets_N - 1)  # type: ignore[no-untyped-call]
    return loss


class _ChunkedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, user_ND: Tensor, items_VD: Tensor, targets_N: Tensor) -> Tensor:
        loss = user_ND.new_zeros((), dtype=torch.float32)
        user_grad_ND = torch.empty_like(user_ND)
        items_grad_VD = torch.zeros_like(items_VD, dtype=torch.float32)
        step = max(1, min(MAX_CHUNK_POSITIONS, MAX_CHUNK_LOGITS // len(items_VD), len(user_ND)))
        buffer_CV = user_ND.new_empty(step, len(items_VD))
        for start in range(0, len(user_ND), step):
            chunk = slice(start, start + step)
            users_CD, targets_C1 = user_ND[chunk], targets_N[chunk, None]
            logits_CV = torch.mm(users_CD, items_VD.T, out=buffer_CV[: len(users_CD)]).float()
            own_C1 = logits_CV.gather(1, targets_C1)
            peak_C1 = logits_CV.amax(dim=-1, keepdim=True)
            # One exponential a logit: softmax = exps / total, and the division is folded into the small factors.
            exps_CV = logits_CV.sub_(peak_C1).exp_()
            total_C1 = exps_CV.sum(dim=-1, keepdim=True)
            loss += (total_C1.log() + peak_C1 - own_C1).sum()
            exps_CV = exps_CV.to(user_ND.dtype)
            user_grad_ND[chunk] = exps_CV @ items_VD / total_C1
            items_grad_VD += exps_CV.T @ (users_CD / total_C1).to(user_ND.dtype)
        # d loss / d logits = softmax - one_hot(target): the second term, for all positions at once
        user_grad_ND -= items_VD[targets_N]
        items_grad_VD.index_add_(0, targets_N, user_ND.float(), alpha=-1)
        ctx.save_for_backward(user_grad_ND, items_grad_VD.to(items_VD.dtype))
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, loss_grad: Tensor) -> tuple[Tensor, Tensor, None]:
        user_grad_ND, items_grad_VD = ctx.saved_tensors  # type: ignore[attr-defined]
        return user_grad_ND * loss_grad, items_grad_VD * loss_grad, None


def sampled_softmax_loss(
    user_ND: Tensor, targets_ND: Tensor, negatives_SD: Tensor, *, log_expected_S: Tensor, hits_NS: Tensor
) -> Tensor:
    """Sum over positions of -log of the target's share against shared negatives, corrected by logQ.

    Each negative's score is lowered by the log of how often it was expected among the draws, `log_expected_S`, so
    that the normaliser estimates the catalogue's without bias (Bengio & Senecal 2008). The target is no draw: its
    score stands as it is, and `hits_NS` marks the negatives that are the position's own target, which do not count.
    """
    positive_N1 = (user_ND * targets_ND).sum(dim=-1, keepdim=True)
    logits_NS = (user_ND @ negatives_SD.T - log_expected_S).masked_fill(hits_NS, float("-inf"))
    logits = torch.cat([positive_N1, logits_NS], dim=-1).float()
    first_N = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    return F.cross_entropy(logits, first_N, reduction="sum")
