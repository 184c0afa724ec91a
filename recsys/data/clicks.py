"""Where training reads clicks: the mapped file, or a copy of it on the training device.

Either way the tensors of a batch lie on that device, and are sent there without waiting for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.windows import Windows

SENT_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Stretches:
    """Window b reads `lengths_B[b]` clicks of `items_E` from `starts_B[b]` on; one more follows, the last target.

    `times_E` are the clicks' times, where the model reads them.
    """

    items_E: Tensor
    times_E: Tensor | None
    starts_B: Tensor
    lengths_B: Tensor


Reader = Callable[[slice], Stretches]


class Clicks(Protocol):
    def reader(self, windows: Windows) -> Reader:
        """Asked once an epoch; gives the stretches of some of the windows, a batch at a time."""


class MappedClicks:
    """The log stays in its file, and may be larger than memory: the clicks of each batch are copied to the device."""

    def __init__(self, items: NDArray[np.int32], times: NDArray[np.int64] | None, device: torch.device) -> None:
        self.items = items
        self.times = times
        self.device = device

    def reader(self, windows: Windows) -> Reader:
        return lambda rows: self._read(windows.take(rows))

    def _read(self, windows: Windows) -> Stretches:
        clicks = windows.lengths + 1
        starts = np.cumsum(clicks) - clicks
        index = np.arange(clicks.sum()) + np.repeat(windows.starts - starts, clicks)
        return Stretches(
            items_E=self._sent(self.items[index]),
            times_E=None if self.times is None else self._sent(self.times[index]),
            starts_B=self._sent(starts),
            lengths_B=self._sent(windows.lengths),
        )

    def _sent(self, array: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(array)
        # only from pinned memory does a copy not hold up the host
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor


class ResidentClicks:
    """All clicks lie on the device, and an epoch's windows are sent there once: a batch copies nothing."""

    def __init__(self, items: NDArray[np.int32], times: NDArray[np.int64] | None, device: torch.device) -> None:
        self.items_E = _copied(items, device)
        self.times_E = None if times is None else _copied(times, device)

    def reader(self, windows: Windows) -> Reader:
        starts_W, lengths_W = (
            torch.from_numpy(array).to(self.items_E.device) for array in (windows.starts, windows.lengths)
        )
        return lambda rows: Stretches(self.items_E, self.times_E, starts_W[rows], lengths_W[rows])


def _copied(array: NDArray[np.int32] | NDArray[np.int64], device: torch.device) -> Tensor:
    """On the device, a part at a time: the host need not hold the whole file."""
    copy = torch.empty(len(array), dtype=torch.from_numpy(array[:0].copy()).dtype, device=device)
    for start in range(0, len(array), SENT_AT_ONCE):
        copy[start : start + SENT_AT_ONCE] = torch.from_numpy(np.array(array[start : start + SENT_AT_ONCE]))
    return copy
