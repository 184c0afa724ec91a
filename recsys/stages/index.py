"""Builds the index, and publishes all that recommending needs as one bundle."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recsys.bundle.contents import SIMILAR, BundleContents, Indexed, Ranked
from recsys.bundle.manifest import RECORD, Record, verify
from recsys.bundle.publish import publish
from recsys.config import resolved
from recsys.data.dataset import Dataset, open_dataset
from recsys.errors import BundleError
from recsys.index.effort import SavedIndex
from recsys.index.item_index import STATEMENT
from recsys.model.ranking.store import load_ranker
from recsys.stages.blend import read_blend
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.suited import suited
from recsys.stages.train import load_refit
from recsys.training.outcome import BEST, load_best


@dataclass(frozen=True)
class Published:
    """`pointer` is the symlink that always names the current bundle."""

    bundle: Path
    pointer: Path
    example_item: str
    """The most clicked item, to look things up with."""
    lookups: str
    """What the index of `recsys similar` is and how fast it was when it was made."""

    def lines(self) -> list[str]:
        return [f"Bundle: {self.bundle}", f"  lookups: {self.lookups}"]


def index(session: Session) -> Published:
    session.demand_earlier(Stage.INDEX)
    pointer = session.layout.product(Stage.INDEX)
    if not (_is_sound(session, pointer) and session.is_current(Stage.INDEX)):
        with session.recording(Stage.INDEX):
            bundle = publish(_contents(session), session.config.workdir, _record(session))
        session.tracker.log_artifact(bundle, "bundle")
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    return Published(pointer.parent / pointer.readlink(), pointer, _most_clicked(dataset), _lookups(pointer))


def _is_sound(session: Session, pointer: Path) -> bool:
    """Whether the current bundle, if there is one, is what was published; says what is wrong with it."""
    if not pointer.is_dir():
        return True
    try:
        verify(pointer)
    except BundleError as error:
        session.tell(f"index: {error}")
        return False
    return True


def _contents(session: Session) -> BundleContents:
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    config = resolved(suited(session.config, dataset))
    for key in (
        "workdir",
        "tracking",
        "tuning",
    ):  # equal runs make equal bundles, wherever they lie and whoever is told
        del config[key]
    return BundleContents.of(
        dataset,
        load_refit(session) if session.config.training.refit else load_best(session.layout.product(Stage.TRAIN)),
        config=config,
        metrics=json.loads(session.layout.product(Stage.EVALUATE).read_text(encoding="utf-8")),
        ranked=_ranked(session),
        indexed=Indexed(session.config.index, session.config.recommend.approximate, session.tell),
    )


def _ranked(session: Session) -> Ranked | None:
    if session.config.ranker is None:
        return None
    ranker = load_ranker(session.layout.product(Stage.RANK) / BEST)
    blend = read_blend(session.layout.product(Stage.BLEND)).blend
    return Ranked(ranker, session.config.recommend.candidates, blend)


def _record(session: Session) -> Record:
    return Record(
        published=datetime.now(UTC).isoformat(timespec="seconds"),
        trained=session.record.stages[Stage.TRAIN].finished,
        mlflow_run=session.tracker.run_id,
    )


def _lookups(bundle: Path) -> str:
    statement = SavedIndex.read(bundle / f"{SIMILAR}.{STATEMENT}", remedy="run `recsys index` again").statement
    times = Record.read(bundle / RECORD, remedy="run `recsys index` again").lookups
    return statement.line() + ("" if times is None else f"; {times.line(is_exact=statement.effort is None)}")


def _most_clicked(dataset: Dataset) -> str:
    return str(dataset.items.ids_of([int(dataset.training_counts().argmax())])[0])
