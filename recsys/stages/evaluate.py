"""Ranks the whole catalogue for the test users, beside the baselines, and beside the ideal where it is known."""

from dataclasses import dataclass

from recsys.data.dataset import open_dataset
from recsys.data.simulate import BestPossible, best_possible
from recsys.errors import ConfigError
from recsys.evaluation.evaluate import evaluate as evaluate_retriever
from recsys.evaluation.outcome import Evaluation, evaluation_lines, read_evaluation
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.training.outcome import load_best


@dataclass(frozen=True)
class Evaluated:
    """`ideal` is the best score that any ranking could reach, known for simulated logs only."""

    evaluation: Evaluation
    ideal: BestPossible | None

    def lines(self) -> list[str]:
        """A table of the systems, the protocol, and the share of the best possible."""
        lines = ["Evaluation:", *(f"  {line}".rstrip() for line in evaluation_lines(self.evaluation))]
        if self.ideal is None:
            return lines
        found, best = self.evaluation.retriever, self.ideal
        return [
            *lines,
            f"  best possible: HR@10 {best.hr:.4f}, NDCG@10 {best.ndcg:.4f}; "
            f"the retriever reaches {found.hit_rate / best.hr:.0%} and {found.ndcg / best.ndcg:.0%} of it",
        ]


def evaluate(session: Session) -> Evaluated:
    session.demand_earlier(Stage.EVALUATE)
    config = session.config
    if session.is_current(Stage.EVALUATE):
        return Evaluated(read_evaluation(config.workdir), _ideal(session))
    ideal = _ideal(session)
    with session.recording(Stage.EVALUATE):
        evaluation = evaluate_retriever(
            open_dataset(session.layout.product(Stage.PREPARE)),
            load_best(session.layout.product(Stage.TRAIN)),
            config=config.evaluation,
            exclude_seen=config.recommend.exclude_seen,
            directory=config.workdir,
        )
    session.tracker.log_metrics(_flat(evaluation))
    session.tracker.log_artifact(session.layout.product(Stage.EVALUATE))
    return Evaluated(evaluation, ideal)


def _ideal(session: Session) -> BestPossible | None:
    path = session.config.evaluation.ideal
    if path is None:
        return None
    if session.config.data.split.kind != "leave_last_out":
        raise ConfigError("evaluation.ideal ranks each user's last click: it needs data.split.kind leave_last_out")
    return best_possible(path, exclude_seen=session.config.recommend.exclude_seen)


def _flat(evaluation: Evaluation) -> dict[str, float]:
    systems = {"test": evaluation.retriever, "popular": evaluation.popular, "covisitation": evaluation.covisitation}
    return {
        f"{system}.{name}": value for system, metrics in systems.items() for name, value in metrics.model_dump().items()
    }
