"""An encoder that reads a row's clicks as they come, each at the cost of one position: what it made of the earlier ones
is kept. Knows tensors, not items."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor

from recsys.errors import ConfigError
from recsys.nn.block import Block
from recsys.nn.context import SequenceContext
from recsys.nn.depth.dense import Dense
from recsys.nn.depth.stack import Shared, Stack
from recsys.nn.encoder import Encoder
from recsys.nn.mixers.attention import SoftmaxAttention
from recsys.nn.mixers.cache import KeyValues, Newest, SteppingMixer
from recsys.nn.mixers.rotary import RotaryAttention
from recsys.nn.mixers.transformer_xl import TransformerXl
from recsys.nn.plain import plain

# by name, not by inheritance: a subclass that reads its rows otherwise would be stepped wrongly
MIXERS = (SoftmaxAttention, RotaryAttention, TransformerXl)
DEPTHS = (Stack, Shared, Dense)


@dataclass
class _Owner:
    """Of the tensors that successive states share: it knows how often they were written to."""

    steps: int = 0


@dataclass(frozen=True)
class EncoderState:
    """What a step needs of the clicks before it. The step consumes it, for it appends to the same tensors."""

    kept: tuple[KeyValues, ...]
    lengths_B: Tensor
    longest: int
    are_even: bool
    room: int
    steps: int = 0
    owner: _Owner = field(default_factory=_Owner)

    @classmethod
    def of(cls, kept: Sequence[KeyValues], lengths_B: Tensor, room: int) -> "EncoderState":
        lengths = lengths_B.tolist()
        return cls(tuple(kept), lengths_B, max(lengths, default=0), are_even=len({*lengths}) == 1, room=room)

    @property
    def is_full(self) -> bool:
        """Some row has no room for another click: its oldest would be forgotten, and every place would move."""
        return self.longest == self.room

    def rows(self, rows_R: Tensor) -> "EncoderState":
        """A copy of some rows, at least one."""
        self.require_newest()
        return EncoderState.of([one.rows(rows_R) for one in self.kept], self.lengths_B[rows_R], self.room)

    def stepped(self) -> "EncoderState":
        self.owner.steps += 1
        lengths_B, longest, steps = self.lengths_B + 1, self.longest + 1, self.steps + 1
        return EncoderState(self.kept, lengths_B, longest, self.are_even, self.room, steps, self.owner)

    def require_newest(self) -> None:
        """ValueError where the state is consumed."""
        if self.steps != self.owner.steps:
            raise ValueError(
                f"a step consumes its state, and {self.owner.steps - self.steps} were made since this one; "
                f"go on from the newest, or begin again"
            )

    def require_room(self) -> None:
        """ValueError where the state is full."""
        if self.is_full:
            raise ValueError(
                f"a row holds {self.room} clicks, as many as the encoder reads; with one more its oldest is forgotten "
                f"and every place moves, so begin again with the last {self.room}"
            )


class IncrementalEncoder:
    """Reads causally, without gradient, and as in evaluation mode. `max_length` is the encoder's.

    It holds the encoder's tensors as they are when it is made; values that are written to them later count.
    """

    def __init__(self, encoder: Encoder, *, max_length: int) -> None:
        require_incremental(encoder)
        self.encoder = plain(encoder)
        self.blocks = cast(Sequence[Block], [*self.encoder.blocks])
        self.max_length = max_length

    @torch.inference_mode()
    def begin(self, x_BLD: Tensor, context: SequenceContext) -> tuple[Tensor, EncoderState]:
        """[B, D], the encoder's `last`, and what the next step needs. What it gives for an empty row does not count."""
        assert context.causal and context.packing is None and context.memory is None, (
            "rows are whole, and read causally"
        )
        kept: list[KeyValues] = []
        beginning = [_Beginning(block, kept, self.max_length) for block in self.blocks]
        layers = self.encoder.depth.layers(cast(Sequence[Block], beginning))
        read = replace(context, lengths_B=context.lengths_B.clamp(min=1))
        last_BD = self.encoder.norm(self.encoder.depth.last(layers, x_BLD, read))
        return last_BD, EncoderState.of(kept, context.lengths_B.clone(), self.max_length)

    @torch.inference_mode()
    def step(self, x_BD: Tensor, state: EncoderState) -> tuple[Tensor, EncoderState]:
        """[B, D], `last` of each row with one more click, and the state after it. ValueError where there is no room."""
        return self.stepped(x_BD, state)

    def stepped(self, x_BD: Tensor, state: EncoderState) -> tuple[Tensor, EncoderState]:
        """`step`, of who is in inference mode already: to enter it takes as long as a matrix product."""
        state.require_newest()
        state.require_room()
        newest = Newest.at(state.lengths_B, last_place=state.longest, are_even=state.are_even)
        kept = iter(state.kept)
        stepping = [_Stepping(block, kept, newest) for block in self.blocks]
        layers = self.encoder.depth.layers(cast(Sequence[Block], stepping))
        hidden_BD = self.encoder.norm(self.encoder.depth(layers, x_BD, SequenceContext(state.lengths_B)))
        return hidden_BD, state.stepped()


@dataclass(frozen=True)
class _Beginning:
    """A block, each pass through which leaves what it has made of the rows in `kept`."""

    block: Block
    kept: list[KeyValues]
    room: int

    def __call__(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        self._keep(x_BLD, context)
        return self.block(x_BLD, context)

    def last(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        self._keep(x_BLD, context)
        return self.block.last(x_BLD, context)

    def _keep(self, x_BLD: Tensor, context: SequenceContext) -> None:
        mixer = cast(SteppingMixer, self.block.mixer)
        self.kept.append(mixer.begin(self.block.mixing.read(x_BLD), context, room=self.room))


@dataclass(frozen=True)
class _Stepping:
    """A block at one more position of each row, each pass through which takes the next of `kept`."""

    block: Block
    kept: Iterator[KeyValues]
    newest: Newest

    def __call__(self, x_BD: Tensor, context: SequenceContext) -> Tensor:
        read_BD = self.block.mixing.read(x_BD)
        mixed_BD = cast(SteppingMixer, self.block.mixer).step(read_BD, next(self.kept), self.newest)
        return self.block.transformed(self.block.mixing.join(x_BD, read_BD, mixed_BD))


def require_incremental(encoder: Encoder) -> None:
    """ConfigError, naming the setting, where the encoder cannot read one click at a time."""
    if type(encoder.depth) not in DEPTHS:
        raise ConfigError(
            f"depth: {type(encoder.depth).__name__} goes through whole histories, not one click at a time; use "
            f"depth.kind stack, shared or dense, or encode the longer history"
        )
    for block in cast(Sequence[Block], encoder.blocks):
        if type(block.mixer) not in MIXERS:
            raise ConfigError(
                f"mixer: {type(block.mixer).__name__} reads whole histories, not one click at a time; use mixer.kind "
                f"softmax, rotary or transformer_xl, or encode the longer history"
            )
