"""What a report tells besides what the evaluation itself finds out."""

import json
from importlib.metadata import version

from recsys.config import resolved
from recsys.data.dataset import REPORT, Dataset
from recsys.data.report import DataReport
from recsys.data.simulate import BestPossible
from recsys.evaluation.click_result import ClickResult, reliability
from recsys.evaluation.outcome import CLICKS
from recsys.evaluation.report.contents import Best, EpochPoint, RankerStory, Training
from recsys.evaluation.report.gather import Background
from recsys.stages.blend import read_blend
from recsys.stages.ranking import ranker_section
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.training.outcome import TrainingOutcome, read_outcome
from recsys.training.tracking_spool import without_password


def background_of(session: Session, dataset: Dataset, ideal: BestPossible | None) -> Background:
    config = session.config
    report = DataReport.read(dataset.directory / REPORT, remedy="run `recsys prepare` again")
    return Background(
        title=config.workdir.resolve().name,
        best=None if ideal is None else Best(hit_rate=ideal.hr, ndcg=ideal.ndcg),
        training=_training(read_outcome(session.layout.product(Stage.TRAIN))),
        ranker=None if config.ranker is None else _ranker_story(session),
        data_report=tuple(report.rows()),
        configuration=without_password(json.dumps(resolved(config), indent=2, ensure_ascii=False)),
        command=without_password(f"recsys run {session.source}"),
        facts=(
            ("dataset", dataset.fingerprint),
            *((name, version(name)) for name in ("recsys", "torch", "pytorch-lightning", "polars", "faiss-cpu")),
        ),
    )


def _training(outcome: TrainingOutcome | None) -> Training:
    assert outcome is not None
    return Training(
        epochs=tuple(EpochPoint(record.epoch, record.loss, record.validation) for record in outcome.history),
        best_epoch=outcome.best_epoch,
        minutes=outcome.minutes,
    )


def _ranker_story(session: Session) -> RankerStory:
    section, directory = ranker_section(session.config), session.layout.product(Stage.RANK)
    result = ClickResult.read(directory / CLICKS, remedy="run `recsys rank` again")
    choice, objective = read_blend(session.layout.product(Stage.BLEND)), section.training.objective
    return RankerStory(
        kind=section.model.interest.kind,
        metrics=tuple(result.metrics.items()),
        about=(f"{result.examples:,} test examples of {result.users:,} users", f"{result.clicked:.1%} of them clicked"),
        training=_training(read_outcome(directory)),
        validated_by=objective.metric,
        calibration=reliability(directory) if objective.is_calibrated and result.examples else None,
        weights=choice.ndcg,
        weight=choice.blend.weight,
        covisitation=choice.blend.covisitation,
        retriever_alone=choice.retriever_alone,
    )
