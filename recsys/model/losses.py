"""Losses of hidden states against item vectors. Pure functions; one contract: the *sum* over positions.

Shape letters: N positions, V items (row 0 is padding), D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

# On the CPU a chunk of logits stays in cache: 4 MB. On a GPU it has to keep every core busy: 32 MB.
CHUNK_LOGITS = {"cpu": 1 << 20}
MAX_CHUNK_LOGITS = 1 << 23
# Fewer rows would read the item table more often than the multiplication can hide.
MIN_CHUNK_POSITIONS = 64


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


def smoothing_loss(user_ND: Tensor, items_VD: Tensor, targets_N: Tensor, smoothing: float) -> Tensor:
    """What label smoothing (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567) adds to `softmax_loss`.

    Against (1 - s) of the target and s / V of every item the cross-entropy is s (target's score - mean score) larger,
    and the mean score is the score of the mean item: nothing here is as large as the catalogue times the positions.
    """
    margins_ND = F.embedding(targets_N, items_VD) - items_VD[1:].mean(dim=0)
    return smoothing * (user_ND * margins_ND).float().sum()


def chunk_positions(num_items: int, device: torch.device) -> int:
    """How many positions' logits exist at a time: at most 32 MB of them in fp32, and at least one position's."""
    wanted = max(MIN_CHUNK_POSITIONS, CHUNK_LOGITS.get(device.type, MAX_CHUNK_LOGITS) // num_items)
    return max(1, min(wanted, MAX_CHUNK_LOGITS // num_items))


class _ChunkedSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, user_ND: Tensor, items_VD: Tensor, targets_N: Tensor) -> Tensor:
        loss = user_ND.new_zeros((), dtype=torch.float32)
        user_grad_ND = torch.empty_like(user_ND)
        items_grad_VD = torch.zeros_like(items_VD, dtype=torch.float32)
        step = min(chunk_positions(len(items_VD), user_ND.device), max(1, len(user_ND)))
        buffer_CV = user_ND.new_empty(step, len(items_VD))
        for start in range(0, len(user_ND), step):
            chunk = slice(start, start + step)
            users_CD, targets_C1 = user_ND[chunk], targets_N[chunk, None]
            logits_CV = torch.mm(users_CD, items_VD.T, out=buffer_CV[: len(users_CD)])
            own_C1, peak_C1 = logits_CV.gather(1, targets_C1).float(), logits_CV.amax(dim=-1, keepdim=True).float()
            share_CV = _softmax_(logits_CV)
            # log-sum-exp by way of the largest share, which is no less than 1 / V: its log loses nothing
            loss += (peak_C1 - share_CV.amax(dim=-1, keepdim=True).log() - own_C1).sum()
            # d loss / d logits = softmax - one_hot(target)
            error_CV = share_CV.scatter_add_(1, targets_C1, share_CV.new_full(targets_C1.shape, -1.0)).to(user_ND.dtype)
            torch.mm(error_CV, items_VD, out=user_grad_ND[chunk])
            _add_product_(items_grad_VD, error_CV.T, users_CD)
        ctx.save_for_backward(user_grad_ND, items_grad_VD.to(items_VD.dtype))
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, loss_grad: Tensor) -> tuple[Tensor, Tensor, None]:
        user_grad_ND, items_grad_VD = ctx.saved_tensors  # type: ignore[attr-defined]
        return user_grad_ND * loss_grad, items_grad_VD * loss_grad, None


def _softmax_(logits_CV: Tensor) -> Tensor:
    """Softmax of each row in fp32, in the place of the logits where they are fp32."""
    if logits_CV.dtype == torch.float32:
        return torch.softmax(logits_CV, dim=-1, out=logits_CV)
    return torch.softmax(logits_CV, dim=-1, dtype=torch.float32)


def _add_product_(sum_VD: Tensor, left_VC: Tensor, right_CD: Tensor) -> None:
    """sum += left @ right, whatever the type of the two; the sum is fp32."""
    if left_VC.dtype == sum_VD.dtype:
        sum_VD.addmm_(left_VC, right_CD)
    else:
        sum_VD += left_VC @ right_CD
