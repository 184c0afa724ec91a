"""A module without what torch adds to a call. That costs more than the work itself, where a batch is one position."""

from collections.abc import Hashable
from functools import cache
from typing import TypeVar, cast

from torch import nn

from recsys.nn.dropout import Dropout

M = TypeVar("M", bound=nn.Module)


def plain(module: M) -> M:
    """The same module with the same weights, for evaluation alone: calling it is `forward`, and its parts are plain.

    A part is then an ordinary attribute, which nn.Module would look for in three dictionaries; no hook is called, and
    nothing is dropped. A tensor that the module is given later in the place of another is not seen.
    """
    if isinstance(module, Dropout):
        return cast(M, object.__new__(_plain_class(nn.Identity)))
    twin = object.__new__(_plain_class(cast(Hashable, type(module))))
    parts = {name: part and plain(part) for name, part in module._modules.items()}
    twin.__dict__ |= {**vars(module), **module._parameters, **module._buffers, **parts}
    twin.__dict__ |= {"_modules": parts, "training": False}
    return cast(M, twin)


@cache
def _plain_class(kind: Hashable) -> type[nn.Module]:
    assert isinstance(kind, type) and issubclass(kind, nn.Module)
    return type(f"Plain{kind.__name__}", (kind,), {"__call__": kind.forward})
