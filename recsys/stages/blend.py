"""Chooses, by the validation clicks, how much the ranker says beside the retriever."""

from dataclasses import dataclass
from pathlib import Path

from recsys.data.dataset import open_dataset
from recsys.durable import write_json
from recsys.errors import ConfigError
from recsys.evaluation.blending import MAX_USERS, BlendChoice, choose_blend
from recsys.evaluation.questions import Questions
from recsys.evaluation.two_stage import Stages
from recsys.model.ranking.store import load_ranker
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.training.outcome import BEST, load_best


@dataclass(frozen=True)
class Blended:
    path: Path
    choice: BlendChoice

    def lines(self) -> list[str]:
        return [self.choice.line()]


def blend(session: Session) -> Blended:
    if session.config.ranker is None:
        raise ConfigError("there is no ranker to blend with: add a `ranker` section to the configuration")
    session.demand_earlier(Stage.BLEND)
    path = session.layout.product(Stage.BLEND)
    if not session.is_current(Stage.BLEND):
        with session.recording(Stage.BLEND):
            write_json(path, _choice(session).model_dump(mode="json"))
    choice = read_blend(path)
    session.tracker.log_metrics({"ranker.weight": choice.blend.weight})
    return Blended(path, choice)


def read_blend(path: Path) -> BlendChoice:
    return BlendChoice.read(path, remedy="run `recsys blend` again")


def _choice(session: Session) -> BlendChoice:
    wanted = session.config.recommend
    if wanted.blend is not None:
        return BlendChoice(blend=wanted.blend, users=0)
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    questions = Questions.of_validation(dataset, exclude_seen=wanted.exclude_seen, max_users=MAX_USERS)
    retriever = load_best(session.layout.product(Stage.TRAIN))
    ranker = load_ranker(session.layout.product(Stage.RANK) / BEST)
    return choose_blend(Stages(questions, retriever.eval(), ranker, num_candidates=wanted.candidates))
