"""What a search trains: the retriever, or the ranker where the keys of the space are the ranker's."""

from pathlib import Path
from typing import Protocol

from recsys.config import RunConfig
from recsys.data.dataset import Dataset
from recsys.errors import DataError
from recsys.stages.inputs import inputs, training_identity
from recsys.stages.ranking import RankerData, ranker_section
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.suited import suited
from recsys.stages.train import job_of
from recsys.training.engine import Job
from recsys.training.schedule import ScheduleConfig


class Searched(Protocol):
    metric: str
    """What trials are compared by, on held-out clicks that are no test."""
    prefix: str
    """Of the names that epochs are logged under."""

    def require_comparable(self) -> None:
        """DataError where there is nothing to compare trials by."""

    def complete(self, config: RunConfig) -> RunConfig:
        """Every key set, by the user or by the log."""

    def identity(self, config: RunConfig) -> dict[str, str]:
        """All that a training is a function of."""

    def training(self, config: RunConfig) -> ScheduleConfig: ...

    def job(self, config: RunConfig, directory: Path) -> Job: ...


class SearchedRetriever:
    metric, prefix = "NDCG@10", ""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def require_comparable(self) -> None:
        if not len(self.dataset.split.validation(self.dataset.histories)):
            raise _nothing_to_compare("clicks")

    def complete(self, config: RunConfig) -> RunConfig:
        return suited(config, self.dataset)

    def identity(self, config: RunConfig) -> dict[str, str]:
        return dict(training_identity(config, self.dataset.fingerprint).values)

    def training(self, config: RunConfig) -> ScheduleConfig:
        return config.training

    def job(self, config: RunConfig, directory: Path) -> Job:
        return job_of(config, self.dataset, directory)


class SearchedRanker:
    """Trained beside the retriever of the search's own workdir, where it needs one."""

    prefix = "ranker."

    def __init__(self, session: Session, dataset: Dataset) -> None:
        self.metric: str = ranker_section(session.config).training.objective.metric
        self.session = session
        self.dataset = dataset

    def require_comparable(self) -> None:
        if len(set(self.data(self.session.config).examples("validation").labels.ravel().tolist())) < 2:
            raise _nothing_to_compare("examples of both labels")

    def complete(self, config: RunConfig) -> RunConfig:
        return config

    def identity(self, config: RunConfig) -> dict[str, str]:
        return inputs(Stage.RANK, config, self.session.layout)

    def training(self, config: RunConfig) -> ScheduleConfig:
        return ranker_section(config).training

    def job(self, config: RunConfig, directory: Path) -> Job:
        return self.data(config).job(directory)

    def data(self, config: RunConfig) -> RankerData:
        return RankerData(config, self.dataset, self.session.layout.product(Stage.TRAIN), self.session.tell)


def _nothing_to_compare(what: str) -> DataError:
    return DataError(
        f"tuning compares configurations on validation {what}, and this dataset has none: "
        "set data.split.validation_share"
    )
