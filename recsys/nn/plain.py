"""A module without what torch adds to a call. That costs more than the work itself, where a batch is one position."""

from collections.abc import Hashable
from functools import cache, cached_property
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from recsys.nn.dropout import Dropout

M = TypeVar("M", bound=nn.Module)


class _Linear(nn.Linear):
    """torch turns the weight with each call, which here takes a third of it."""

    @cached_property
    def turned(self) -> Tensor:
        return self.weight.t()

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 2:
            return super().forward(input)
        return input.mm(self.turned) if self.bias is None else torch.addmm(self.bias, input, self.turned)


class _LayerNorm(nn.LayerNorm):
    """Past two layers of Python that ask whether the input is a tensor."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


SHORTER: dict[type[nn.Module], type[nn.Module]] = {Dropout: nn.Identity, nn.Linear: _Linear, nn.LayerNorm: _LayerNorm}


def plain(module: M) -> M:
    """The same module with the same weights, for evaluation alone: calling it is `forward`, and its parts are plain.

    A part is then an ordinary attribute, which nn.Module would look for in three dictionaries; no hook is called, and
    nothing is dropped. A tensor that the module is given later in the place of another is not seen.
    """
    kind = SHORTER.get(type(module), type(module))
    twin = object.__new__(_plain_class(cast(Hashable, kind)))
    parts = {name: part and plain(part) for name, part in module._modules.items()}
    twin.__dict__ |= {**vars(module), **module._parameters, **module._buffers, **parts}
    twin.__dict__ |= {"_modules": parts, "training": False}
    return cast(M, twin)


@cache
def _plain_class(kind: Hashable) -> type[nn.Module]:
    assert isinstance(kind, type) and issubclass(kind, nn.Module)
    return type(f"Plain{kind.__name__}", (kind,), {"__call__": kind.forward})
