"""A long history read in segments, each of which remembers what went before it (Dai et al. 2019,
https://arxiv.org/abs/1901.02860)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor

from recsys.nn.block import Block
from recsys.nn.context import SequenceContext
from recsys.nn.depth.reversible import Reversible
from recsys.nn.encoder import Encoder
from recsys.nn.memory import Memory


def encode_segment(
    encoder: Encoder, x_BLD: Tensor, context: SequenceContext, memories: Sequence[Memory] | None = None
) -> tuple[Tensor, tuple[Memory, ...]]:
    """`encoder` of one segment of each row, and what its next segment is to be given as `memories`.

    There is a memory for each pass through a block, of what its mixer read; None where nothing went before. As long as
    no memory overflows, segments are encoded as one long sequence would be; then each layer reaches as far back as its
    mixer's `memory`. What is embedded should tell of no place in the segment: each of them begins at 0. No layer is
    dropped. ValueError where these are no memories of such rows.
    """
    assert context.packing is None, "segments are padded"
    require_memory(encoder)
    if memories is None:
        memories = [Memory.empty(x_BLD)] * encoder.num_layers
    if [len(memory.lengths_B) for memory in memories] != [len(x_BLD)] * encoder.num_layers:
        raise ValueError(
            f"a segment of {len(x_BLD)} rows wants {encoder.num_layers} memories of as many rows, one for each layer; "
            f"found {len(memories)}, of {sorted({len(memory.lengths_B) for memory in memories})} rows"
        )
    before, after = iter(memories), list[Memory]()
    blocks = [_Remembering(block, before, after) for block in cast(Sequence[Block], encoder.blocks)]
    layers = encoder.depth.layers(cast(Sequence[Block], blocks))
    return encoder.norm(encoder.depth(layers, x_BLD, context)), tuple(after)


@dataclass(frozen=True)
class _Remembering:
    """A block, each pass through which takes the next memory from `before` and leaves the one for later in `after`."""

    block: Block
    before: Iterator[Memory]
    after: list[Memory]

    def __call__(self, x_BLD: Tensor, context: SequenceContext) -> Tensor:
        memory, read_BLD = next(self.before), self.block.mixing.read(x_BLD)
        self.after.append(memory.extended(read_BLD, context.lengths_B, size=self.block.mixer.memory))
        return self.block(x_BLD, replace(context, memory=memory))


def require_memory(encoder: Encoder) -> None:
    """ValueError where a memory would be left unread."""
    if isinstance(encoder.depth, Reversible):
        raise ValueError("a reversible depth hands no memory from segment to segment; use depth.kind stack")
    for block in cast(Sequence[Block], encoder.blocks):
        if not block.mixer.reads_memory:
            raise ValueError(
                f"a history in segments needs mixers that read memory, and {type(block.mixer).__name__} reads none; "
                f"use mixer.kind transformer_xl, or encode the history as one sequence"
            )
