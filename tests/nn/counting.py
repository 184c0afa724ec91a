"""What a piece of code does and holds, counted as torch is told of it: no clock, and no allocator."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
ATTENTION_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


def tensors(tree) -> list[torch.Tensor]:
    return [leaf for leaf in tree_iter(tree) if isinstance(leaf, torch.Tensor)]


class LargestTensor(TorchDispatchMode):
    """How many numbers the largest tensor had that was made."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.numel = max([self.numel, *(tensor.numel() for tensor in tensors(made))])
        return made


class Work(TorchDispatchMode):
    """FLOP of products, two a multiplication, and one for each number that anything else makes."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.total += self._work(func, args, kwargs or {}, made)
        return made

    def _work(self, func, args, kwargs, made) -> int:
        if func is ATTENTION:
            return sdpa_flop_count(*(part.shape for part in args[:3]))
        if func is ATTENTION_BACKWARD:
            return sdpa_backward_flop_count(*(part.shape for part in args[:4]))
        if func.overloadpacket in flop_registry:
            return flop_registry[func.overloadpacket](*args, **kwargs, out_val=made)
        return 0 if func.is_view else sum(tensor.numel() for tensor in tensors(made))


class Held(TorchDispatchMode):
    """The most bytes that tensors made meanwhile held at once, each memory counted once however many look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {id(tensor.untyped_storage()) for tensor in tensors((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for tensor in tensors(made):
            storage = tensor.untyped_storage()
            if id(storage) not in given and storage not in self._known:
                self._take(storage)
        self.peak = max(self.peak, self.now)
        return made

    def _take(self, storage) -> None:
        self._known.add(storage)
        self.now += storage.nbytes()
        weakref.finalize(storage, self._give, storage.nbytes())

    def _give(self, size: int) -> None:
        self.now -= size
