"""What every part of an encoder has to agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SequenceShape:
    """`dim` is the model's width, `max_length` the most positions a row may have."""

    dim: int
    max_length: int
