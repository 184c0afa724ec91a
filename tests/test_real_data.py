"""A short training on MovieLens 1M, through the shipped configuration: what the full one promises must show already.

pytest -m slow tests/test_real_data.py                       trains for one epoch
RECSYS_ML1M=runs/ml-1m pytest -m slow tests/test_real_data.py  looks at a finished `recsys run configs/ml-1m.yaml`
"""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys
from recsys.config import load_config
from recsys.evaluation.outcome import read_evaluation
from recsys.stages.run import run
from recsys.stages.session import opened

pytestmark = pytest.mark.slow
CONFIG = Path(__file__).parents[1] / "configs" / "ml-1m.yaml"


@pytest.fixture(scope="module")
def ml_1m(shared_data, tmp_path_factory) -> Path:
    if "RECSYS_ML1M" in os.environ:
        return Path(os.environ["RECSYS_ML1M"])
    workdir = tmp_path_factory.mktemp("ml-1m") / "run"
    log, items = shared_data / "ml-1m" / "interactions.parquet", shared_data / "ml-1m" / "movies.dat"
    changes = [f"workdir={workdir}", f"data.events.path={log}", f"data.items.path={items}", "tracking.kind=none"]
    with opened(load_config(CONFIG, [*changes, "training.max_epochs=1"]), source="test", tell=print) as session:
        run(session)
    return workdir


def genres(shared_data: Path) -> dict[int, set[str]]:
    text = (shared_data / "ml-1m" / "movies.dat").read_text(encoding="latin-1")
    rows = (line.split("::") for line in text.splitlines())
    return {int(movie): set(names.split("|")) for movie, _, names in rows}


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def test_neighbours_share_genres(ml_1m, shared_data):
    genres_of = genres(shared_data)
    recommender = recsys.load(ml_1m / "bundle")
    ids = [int(item) for item in recommender.bundle.items]
    random = np.random.default_rng(0)
    near = [jaccard(genres_of[i], genres_of[int(n.item)]) for i in ids for n in recommender.similar(i, k=10)]
    far = [jaccard(genres_of[i], genres_of[int(n)]) for i in ids for n in random.choice(ids, 10)]
    print(f"mean genre overlap: {np.mean(near):.3f} of neighbours, {np.mean(far):.3f} of random items")
    assert np.mean(near) >= 1.5 * np.mean(far)


def test_the_model_beats_the_baselines(ml_1m):
    evaluation = read_evaluation(ml_1m)
    # after one epoch; the whole training reaches ten times as much
    assert evaluation.retriever.metrics["NDCG@10"].value > evaluation.systems["popular"].metrics["NDCG@10"].value * 2
    assert evaluation.retriever.metrics["HR@10"].value > 0.08
    assert evaluation.protocol.users == 6040
    assert evaluation.protocol.num_candidates == 3416


def test_every_user_gets_ten_unseen_items(ml_1m, shared_data):
    lists = pl.read_parquet(ml_1m / "recommendations" / "*.parquet")
    assert lists.group_by("user_id").len()["len"].to_list() == [10] * 6040
    seen = pl.read_parquet(shared_data / "ml-1m" / "interactions.parquet").select(
        pl.col("user_id").cast(pl.Int64), pl.col("movie_id").cast(pl.Int64).alias("item_id")
    )
    assert lists.join(seen, on=["user_id", "item_id"], how="semi").is_empty()
