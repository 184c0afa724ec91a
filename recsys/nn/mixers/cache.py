"""Keys and values kept of earlier positions, so that a later one is read on its own: O(n D) where a pass is O(n D^2).

S positions of a row are there so far, of the L for which there is room.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recsys.nn.context import SequenceContext


@dataclass(frozen=True)
class Newest:
    """Where the positions stand that are appended now: row b's at `places_B[b]`, behind that many others.

    `readable_BS` are those and the others; None where all rows are equally long, and all S positions are real.
    """

    places_B: Tensor
    last_place: int
    readable_BS: Tensor | None

    @classmethod
    def at(cls, places_B: Tensor, *, last_place: int, are_even: bool) -> "Newest":
        if are_even:
            return cls(places_B, last_place, None)
        columns_S = torch.arange(last_place + 1, device=places_B.device)
        return cls(places_B, last_place, columns_S <= places_B[:, None])

    @property
    def num_positions(self) -> int:
        """S, with the newest."""
        return self.last_place + 1

    @property
    def place(self) -> slice | Tensor:
        """What picks the newest places from all of them: one for all rows, or [B]."""
        return slice(self.last_place, self.num_positions) if self.readable_BS is None else self.places_B

    @property
    def distances_BS(self) -> Tensor:
        """How many places before its newest position each of a row's stands; 0 where none stands."""
        columns_S = torch.arange(self.num_positions, device=self.places_B.device)
        return (self.places_B[:, None] - columns_S).clamp(min=0)


@dataclass(frozen=True)
class KeyValues:
    """Of one mixer: its keys and its values. It owns them, and writes what is appended among them.

    `table` is what a mixer has made of every place, or distance, once and for all.
    """

    kept_2BHLK: Tensor
    table: Tensor | None = None

    @classmethod
    def of(cls, k_BHLK: Tensor, v_BHLK: Tensor, *, room: int, table: Tensor | None = None) -> "KeyValues":
        """Keys and values of all positions so far, copied to where there is room for more."""
        num_rows, num_heads, length, width = k_BHLK.shape
        kept_2BHLK = k_BHLK.new_zeros(2, num_rows, num_heads, room, width)
        kept_2BHLK[0, :, :, :length], kept_2BHLK[1, :, :, :length] = k_BHLK, v_BHLK
        return cls(kept_2BHLK, table)

    def append(self, kv_2BHK: Tensor, newest: Newest) -> tuple[Tensor, Tensor]:
        """All keys and values, [B, H, S, K], after the newest ones are written to their places."""
        if newest.readable_BS is None:
            self.kept_2BHLK.select(3, newest.last_place).copy_(kv_2BHK)
        else:
            rows_B = torch.arange(len(newest.places_B), device=newest.places_B.device)
            self.kept_2BHLK[:, rows_B, :, newest.places_B] = kv_2BHK.transpose(0, 1)
        k_BHSK, v_BHSK = self.kept_2BHLK.narrow(3, 0, newest.num_positions).unbind()
        return k_BHSK, v_BHSK

    def rows(self, rows_R: Tensor) -> "KeyValues":
        """A copy of some rows."""
        return KeyValues(self.kept_2BHLK[:, rows_R], self.table)


class SteppingMixer(Protocol):
    """A causal mixer whose later positions need no more of the earlier ones than keys and values."""

    def begin(self, x_BLD: Tensor, context: SequenceContext, *, room: int) -> KeyValues:
        """What is kept of the rows, with room for so many positions each."""

    def step(self, x_BD: Tensor, kept: KeyValues, newest: Newest) -> Tensor:
        """[B, D]: `forward` at one more position of each row, which is appended to what is kept."""
