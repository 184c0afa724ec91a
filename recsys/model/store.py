"""A retriever on disk: weights without pickle, and what is needed to build the module that takes them."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recsys.model.embedding import CatalogueShape
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.section import Section

WEIGHTS = "retriever.safetensors"
SPECIFICATION = "retriever.json"


class RetrieverSpecification(Section):
    """Everything but the weights."""

    config: RetrieverConfig
    shape: CatalogueShape


def save_retriever(retriever: nn.Module, directory: Path) -> tuple[str, ...]:
    """Writes both files into `directory` and returns their names. The caller makes the directory durable."""
    assert isinstance(retriever, Retriever)
    specification = RetrieverSpecification(config=retriever.config, shape=retriever.shape)
    (directory / SPECIFICATION).write_text(specification.model_dump_json(indent=1) + "\n", encoding="utf-8")
    # `save_model` notes tied tensors in an order of its own; equal weights must be equal bytes
    save_file({name: tensor.contiguous() for name, tensor in _tensors(retriever)}, directory / WEIGHTS)
    return (SPECIFICATION, WEIGHTS)


@torch.no_grad()
def load_retriever(directory: Path) -> Retriever:
    """The retriever on the CPU, in evaluation mode. Verify the directory first: nothing is checked here."""
    text = (directory / SPECIFICATION).read_text(encoding="utf-8")
    specification = RetrieverSpecification.model_validate_json(text)
    retriever = Retriever(specification.config, specification.shape)
    stored = load_file(directory / WEIGHTS)
    for name, tensor in _tensors(retriever):
        tensor.copy_(stored[name])
    return retriever.eval()


def _tensors(retriever: Retriever) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer once, also where two names share it."""
    return chain(retriever.named_parameters(), retriever.named_buffers())
