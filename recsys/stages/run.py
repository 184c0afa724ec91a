"""Every stage, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from recsys.config import RunConfig
from recsys.data.dataset import REPORT
from recsys.data.simulate import best_possible
from recsys.errors import ConfigError
from recsys.stages.blend import Blended, blend
from recsys.stages.evaluate import Evaluated, evaluate
from recsys.stages.index import Published, index
from recsys.stages.prepare import Prepared, prepare
from recsys.stages.rank import RankerTrained, rank, require_buildable
from recsys.stages.recommend import Recommended, recommend
from recsys.stages.session import Session
from recsys.stages.train import Trained, train

Result = Prepared | Trained | RankerTrained | Blended | Evaluated | Published | Recommended
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Everything:
    """What the stages made."""

    prepared: Prepared
    trained: Trained
    ranker: RankerTrained | None
    blended: Blended | None
    evaluated: Evaluated
    published: Published
    recommended: Recommended

    def places(self, tracking_uri: str) -> dict[str, str]:
        """Where what a user looks for is."""
        return {
            "report": str(self.evaluated.report),
            "recommendations": str(self.recommended.result.directory),
            "bundle": str(self.published.pointer),
            "data report": str(self.prepared.directory / REPORT),
            "MLflow": tracking_uri,
        }


def run(session: Session, *, restart: bool = False, show: Callable[[Result], object] = id) -> Everything:
    """`show` gets each stage's result as soon as there is one."""

    _require_files(session.config)

    def shown(result: R) -> R:
        show(result)
        return result

    prepared = shown(prepare(session))
    require_buildable(session)
    has_ranker = session.config.ranker is not None
    return Everything(
        prepared=prepared,
        trained=shown(train(session, restart=restart)),
        ranker=shown(rank(session, restart=restart)) if has_ranker else None,
        blended=shown(blend(session)) if has_ranker else None,
        evaluated=shown(evaluate(session)),
        published=shown(index(session)),
        recommended=shown(recommend(session)),
    )


def _require_files(config: RunConfig) -> None:
    """An error for a file that only a late stage reads: better told before an hour of training than after it."""
    late = {
        "evaluation.ideal": config.evaluation.ideal,
        "recommend.users": config.recommend.users,
        "recommend.histories": config.recommend.histories,
    }
    for key, path in late.items():
        if path is not None and not path.is_file():
            raise ConfigError(f"{key}: there is no file {path}")
    if config.evaluation.ideal is not None:
        best_possible(config.evaluation.ideal, exclude_seen=config.recommend.exclude_seen)
