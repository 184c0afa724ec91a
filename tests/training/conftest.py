"""A small training job on the small prepared dataset."""

import dataclasses
from pathlib import Path

import pytest
import torch

from recsys.model.retriever import RetrieverConfig
from recsys.training.config import TrainingConfig
from recsys.training.retrieval_job import RetrievalJob

MODEL = {"dim": 8, "max_length": 6, "num_blocks": 1, "dropout": 0.3}
TRAINING = {"max_epochs": 3, "batch_tokens": 64, "device": "cpu", "threads": 1, "patience": 9, "average_decay": 0.9}


@pytest.fixture
def job(small_dataset, tmp_path: Path) -> RetrievalJob:
    return RetrievalJob(
        dataset=small_dataset,
        model=RetrieverConfig.model_validate(MODEL),
        training=TrainingConfig.model_validate(TRAINING),
        exclude_seen=True,
        seed=3,
        directory=tmp_path / "model",
    )


@pytest.fixture
def changed(job: RetrievalJob):
    """The job with other training or model keys."""

    def change(training: dict | None = None, model: dict | None = None, **fields) -> RetrievalJob:
        return dataclasses.replace(
            job,
            training=TrainingConfig.model_validate(TRAINING | (training or {})),
            model=RetrieverConfig.model_validate(MODEL | (model or {})),
            **fields,
        )

    return change


def weights(directory: Path) -> dict[str, torch.Tensor]:
    from recsys.training.outcome import load_best

    return load_best(directory).state_dict()


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
