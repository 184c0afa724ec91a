"""A retriever on disk: weights without pickle, and what is needed to build the module that takes them."""

from pathlib import Path

from safetensors.torch import load_model, save_model

from recsys.model.embedding import CatalogueShape
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.section import Section

WEIGHTS = "retriever.safetensors"
SPECIFICATION = "retriever.json"


class RetrieverSpecification(Section):
    """Everything but the weights."""

    config: RetrieverConfig
    shape: CatalogueShape


def save_retriever(retriever: Retriever, directory: Path) -> tuple[str, ...]:
    """Writes both files into `directory` and returns their names. The caller makes the directory durable."""
    specification = RetrieverSpecification(config=retriever.config, shape=retriever.shape)
    (directory / SPECIFICATION).write_text(specification.model_dump_json(indent=1) + "\n", encoding="utf-8")
    save_model(retriever, str(directory / WEIGHTS))
    return (SPECIFICATION, WEIGHTS)


def load_retriever(directory: Path) -> Retriever:
    """The retriever on the CPU, in evaluation mode. Verify the directory first: nothing is checked here."""
    text = (directory / SPECIFICATION).read_text(encoding="utf-8")
    specification = RetrieverSpecification.model_validate_json(text)
    retriever = Retriever(specification.config, specification.shape)
    load_model(retriever, str(directory / WEIGHTS), strict=True)
    return retriever.eval()
