"""The matrix products that a piece of code really makes, as torch is told of them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recsys.benchmark.products import Product

_FACTORS = {
    torch.ops.aten.mm.default: (0, 1),
    torch.ops.aten.bmm.default: (0, 1),
    torch.ops.aten.addmm.default: (1, 2),
    torch.ops.aten.baddbmm.default: (1, 2),
}
"""Which arguments are multiplied."""


def executed_products(run: Callable[[], object]) -> list[Product]:
    """All of them, padding included; fused attention is no product of matrices and is not counted."""
    with _Recorder() as recorder:
        run()
    return recorder.products


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[Product] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        places = _FACTORS.get(func)
        if places is not None:
            self._record(args[places[0]], args[places[1]])
        return func(*args, **(kwargs or {}))

    def _record(self, left: Tensor, right: Tensor) -> None:
        batch = left.shape[0] if left.ndim == 3 else 1
        m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
        if m and k and n and batch:
            self.products.append(Product((m, k, n), 2.0 * batch * m * k * n, batch))
