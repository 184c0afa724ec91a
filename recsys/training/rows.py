"""A table of which a batch uses few rows: its gradient, and an AdamW that touches no other row.

Nothing here waits for a device. Shape letters: V rows of the table, N looked up by a batch with repeats, D width.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor


def summed_rows(grad_VD: Tensor) -> Tensor:
    """The gradient as a sparse [V, D], its rows rising: a row's whole gradient at its first place, zero at its others.

    So the norm of its values is the norm of the gradient. To drop the repeats would be to ask the device how many
    there are; of a dense gradient, which ranks exchange, the rows that are not zero have to be asked for, and a row
    in use whose gradient is zero is not among them.
    """
    if not grad_VD.is_sparse:
        rows_N = grad_VD.any(dim=1).nonzero().flatten()
        return _sparse(rows_N, grad_VD[rows_N], grad_VD.shape)
    rows_N, order_N = grad_VD._indices()[0].sort(stable=True)
    values_ND = grad_VD._values()
    sums_ND = torch.zeros_like(values_ND).index_add_(0, _first_places(rows_N), values_ND[order_N])
    return _sparse(rows_N, sums_ND, grad_VD.shape)


def clip_gradients_(gradients: Iterable[Tensor], max_norm: float) -> None:
    """`clip_grad_norm_` of gradients some of which are `summed_rows`."""
    values = [gradient._values() if gradient.is_sparse else gradient for gradient in gradients]
    scale = max_norm / (torch.nn.utils.get_total_norm(values) + 1e-6)
    torch._foreach_mul_(values, scale.clamp(max=1.0))


class RowwiseAdamW(torch.optim.AdamW):
    """AdamW in which a parameter whose gradient is `summed_rows` has only these rows, and their moments, changed.

    Each row keeps a time of its own, the number of batches that used it, so it moves as AdamW moves a parameter that
    sees this row's gradients and no others. Weight decay comes with use too.
    """

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table_VD in group["params"]:
                if table_VD.grad is not None and table_VD.grad.is_sparse:
                    self._step_rows(table_VD, group)
                    table_VD.grad = None
        super().step()
        return loss

    def _step_rows(self, table_VD: Tensor, group: dict[str, Any]) -> None:
        rows_N, grad_ND = table_VD.grad._indices()[0], table_VD.grad._values()  # type: ignore[union-attr]
        grad_ND = grad_ND[_first_places(rows_N)]  # so that a row's repeats compute the same, and all may write
        state, (beta1, beta2) = self._state_of(table_VD), group["betas"]
        steps_N1 = state["step"][rows_N] + 1
        mean_ND = state["exp_avg"][rows_N].lerp_(grad_ND, 1 - beta1)
        square_ND = state["exp_avg_sq"][rows_N].mul_(beta2).addcmul_(grad_ND, grad_ND, value=1 - beta2)
        for name, value in (("step", steps_N1), ("exp_avg", mean_ND), ("exp_avg_sq", square_ND)):
            state[name].index_copy_(0, rows_N, value)
        deviation_ND = (square_ND / (1 - beta2**steps_N1)).sqrt_().add_(group["eps"])
        rate_N1 = group["lr"] / (1 - beta1**steps_N1)
        decayed_ND = table_VD[rows_N].mul_(1 - group["lr"] * group["weight_decay"])
        table_VD.index_copy_(0, rows_N, decayed_ND.sub_(mean_ND.mul_(rate_N1).div_(deviation_ND)))

    def _state_of(self, table_VD: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[table_VD]
        if not state:
            state["step"] = table_VD.new_zeros(len(table_VD), 1)
            # the system hands out such pages as they are first written
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(table_VD), torch.zeros_like(table_VD)
        return state


def _sparse(rows_N: Tensor, values_ND: Tensor, shape: torch.Size) -> Tensor:
    return torch.sparse_coo_tensor(rows_N[None], values_ND, shape, check_invariants=False)


def _first_places(rows_N: Tensor) -> Tensor:
    """[N] -> [N]: of rising rows, where each one's first repeat stands."""
    return torch.searchsorted(rows_N, rows_N)
