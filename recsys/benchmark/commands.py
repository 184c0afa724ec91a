"""What `recsys benchmark ...` does with a held workdir: measures, and leaves benchmark/<name>.json there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recsys.benchmark.rank import benchmark_ranking
from recsys.benchmark.recommend import benchmark_recommending
from recsys.benchmark.results import Measurement
from recsys.benchmark.train import benchmark_training
from recsys.data.dataset import open_dataset
from recsys.errors import Interrupted
from recsys.stages.ranking import RankerData
from recsys.stages.recommend import published_recommender, wanted
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import retrieval_job


@dataclass(frozen=True)
class Measured:
    benchmark: Measurement
    file: Path

    def lines(self) -> list[str]:
        return [*self.benchmark.lines(), f"written to {self.file}"]


@contextmanager
def _thrown_away_when_stopped() -> Iterator[None]:
    try:
        yield
    except Interrupted as stopped:
        raise Interrupted(stopped.signal_number, "the measurement is thrown away") from None


@_thrown_away_when_stopped()
def measure_training(session: Session, *, seconds: float) -> Measured:
    """On the prepared dataset; no model is needed, and the workdir's is left alone."""
    session.demand_earlier(Stage.TRAIN)
    found = benchmark_training(retrieval_job(session), seconds=seconds, tell=session.tell)
    return Measured(found, found.write(session.config.workdir, "train"))


@_thrown_away_when_stopped()
def measure_ranking(session: Session, *, seconds: float) -> Measured:
    """On the prepared dataset; the workdir's ranker is left alone."""
    session.demand_earlier(Stage.RANK)
    layout = session.layout
    dataset = open_dataset(layout.product(Stage.PREPARE))
    job = RankerData(session.config, dataset, layout.product(Stage.TRAIN), session.tell).job(layout.workdir)
    candidates = session.config.recommend.candidates
    found = benchmark_ranking(job, candidates=candidates, seconds=seconds, tell=session.tell)
    return Measured(found, found.write(session.config.workdir, "rank"))


@_thrown_away_when_stopped()
def measure_recommending(session: Session, *, repeats: int) -> Measured:
    """With the published bundle; the workdir's recommendations are left alone."""
    session.demand_earlier(Stage.RECOMMEND)
    recommender = published_recommender(session)
    requests = wanted(session, recommender)
    found = benchmark_recommending(recommender, requests, session.config.recommend, repeats=repeats, tell=session.tell)
    return Measured(found, found.write(session.config.workdir, "recommend"))
