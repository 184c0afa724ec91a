"""Audits, ranks the whole catalogue for the test users, beside the baselines, and draws the report."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recsys.config import RunConfig
from recsys.data.dataset import USERS, open_dataset
from recsys.data.events.ids import id_column
from recsys.data.simulate import BestPossible, best_possible
from recsys.data.vocabulary import Vocabulary
from recsys.errors import ConfigError
from recsys.evaluation.audit.rare import audit_log
from recsys.evaluation.config import K
from recsys.evaluation.evaluate import evaluate as evaluate_retriever
from recsys.evaluation.outcome import NAME, REPORT, RETRIEVER, Estimate, Evaluation, read_evaluation
from recsys.evaluation.questions import Questions
from recsys.evaluation.tables import evaluation_lines
from recsys.stages.background import background_of
from recsys.stages.contenders import contenders
from recsys.stages.record import Stage
from recsys.stages.session import Session


@dataclass(frozen=True)
class Evaluated:
    """`ideal` is the best score that any ranking could reach, known for simulated logs only."""

    evaluation: Evaluation
    ideal: BestPossible | None
    report: Path

    def lines(self) -> list[str]:
        """A table of the systems, the protocol, and the share of the best possible."""
        lines = ["Evaluation:", *(f"  {line}".rstrip() for line in evaluation_lines(self.evaluation))]
        return [*lines, *self._share_of_ideal(), f"Report: {self.report}"]

    def _share_of_ideal(self) -> Iterator[str]:
        if self.ideal is None:
            return
        found, best = self.evaluation.retriever.metrics, self.ideal
        hit_rate, ndcg = found[f"HR@{K}"].value / best.hr, found[f"NDCG@{K}"].value / best.ndcg
        yield (
            f"  best possible: HR@{K} {best.hr:.4f}, NDCG@{K} {best.ndcg:.4f}; "
            f"the retriever reaches {hit_rate:.0%} and {ndcg:.0%} of it"
        )


def evaluate(session: Session) -> Evaluated:
    session.demand_earlier(Stage.EVALUATE)
    config = session.config
    report = config.workdir / REPORT
    prepared = session.layout.product(Stage.PREPARE)
    ideal = _ideal(config, prepared)
    if report.is_file() and session.is_current(Stage.EVALUATE):
        return Evaluated(read_evaluation(config.workdir), ideal, report)
    dataset = open_dataset(prepared)
    questions = Questions.of_test(dataset, exclude_seen=config.recommend.exclude_seen)
    session.tell("auditing, ranking, resampling and drawing the report")
    with session.recording(Stage.EVALUATE):
        evaluation = evaluate_retriever(
            questions,
            contenders(session),
            config=config.evaluation,
            directory=config.workdir,
            background=background_of(session, dataset, ideal),
            of_log=audit_log(config.data, questions),
        )
    session.tracker.log_metrics(_flat(evaluation))
    session.tracker.log_artifact(session.layout.product(Stage.EVALUATE))
    session.tracker.log_artifact(report)
    session.tracker.log_artifact(config.workdir / NAME, NAME)
    return Evaluated(evaluation, ideal, report)


def _ideal(config: RunConfig, prepared: Path) -> BestPossible | None:
    path = config.evaluation.ideal
    if path is None:
        return None
    if config.data.split.kind != "leave_last_out":
        raise ConfigError("evaluation.ideal ranks each user's last click: it needs data.split.kind leave_last_out")
    return best_possible(
        path, exclude_seen=config.recommend.exclude_seen, users=id_column(Vocabulary.open(prepared, USERS))
    )


def _flat(evaluation: Evaluation) -> dict[str, float]:
    """Names for MLflow: test.HR@10 is the retriever's, covisitation.HR@10.low where that one's interval begins."""
    flat: dict[str, float] = {}
    for key, system in evaluation.systems.items():
        name = "test" if key == RETRIEVER else key
        flat |= _estimates(name, system.metrics)
        shown = system.exposure.model_dump()
        flat |= {f"{name}.{part}@{K}": value for part, value in shown.items() if value is not None}
    if evaluation.calibration_error is not None:
        flat["test.calibration_error"] = evaluation.calibration_error
    for parting in evaluation.segmentations:
        for segment in parting.segments:
            name = segment.name.partition(" (")[0]  # without its bounds, which differ between logs
            flat |= _estimates(f"test.{parting.name}.{name}", segment.metrics.get(RETRIEVER, {}))
    return flat


def _estimates(prefix: str, metrics: dict[str, Estimate]) -> dict[str, float]:
    return {
        f"{prefix}.{name}{end}": value
        for name, found in metrics.items()
        for end, value in (("", found.value), (".low", found.low), (".high", found.high))
    }
