"""A ranker on disk: weights without pickle, and what is needed to build the module that takes them."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recsys.model.ranking.ranker import Ranker, RankerConfig
from recsys.model.ranking.shape import RankerShape
from recsys.section import Section

WEIGHTS = "ranker.safetensors"
SPECIFICATION = "ranker.json"


class RankerSpecification(Section):
    """Everything but the weights."""

    config: RankerConfig
    shape: RankerShape
    crosses: tuple[tuple[int, int], ...]


def save_ranker(ranker: nn.Module, directory: Path) -> tuple[str, ...]:
    """Writes both files into `directory` and returns their names. The caller makes the directory durable."""
    assert isinstance(ranker, Ranker)
    specification = RankerSpecification(config=ranker.config, shape=ranker.shape, crosses=tuple(ranker.crosses))
    (directory / SPECIFICATION).write_text(specification.model_dump_json(indent=1) + "\n", encoding="utf-8")
    save_file({name: tensor.contiguous() for name, tensor in _tensors(ranker)}, directory / WEIGHTS)
    return (SPECIFICATION, WEIGHTS)


@torch.no_grad()
def load_ranker(directory: Path) -> Ranker:
    """The ranker on the CPU, in evaluation mode. Verify the directory first: nothing is checked here."""
    specification = RankerSpecification.model_validate_json((directory / SPECIFICATION).read_text(encoding="utf-8"))
    ranker = Ranker(specification.config, specification.shape, list(specification.crosses))
    stored = load_file(directory / WEIGHTS)
    for name, tensor in _tensors(ranker):
        tensor.copy_(stored[name])
    return ranker.eval()


def _tensors(ranker: Ranker) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer once, also where two names share it."""
    return chain(ranker.named_parameters(), ranker.named_buffers())
