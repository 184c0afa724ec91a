"""A user table beside the made dataset, and a ranker that reads it."""

from dataclasses import replace

import numpy as np
import polars as pl
import torch

from recsys.blend import Blend
from recsys.bundle.contents import Ranked
from recsys.data.categorical import feature_of
from recsys.data.dataset import Dataset
from recsys.data.feature_column import FeatureColumn
from recsys.data.feature_table import Features
from recsys.data.user_features import User
from recsys.model.ranking.ranker import Ranker, RankerConfig
from tests.bundle.made import NUM_USERS

NUM_RANKED = 8
READ = ["age", "langs", "city", "member"]
TABLE = (
    FeatureColumn(column="age", buckets=4),
    FeatureColumn(column="phone", is_input=False),
    FeatureColumn(column="langs"),
    FeatureColumn(column="city"),
    FeatureColumn(column="member"),
)
WIDE = {"interest": {"kind": "mean"}, "wide": True, "crosses": [["langs", "genre"], ["age", "genre"]]}


def made_users() -> list[User]:
    """What is told of each user, in the order of their indices from 1 on; of the last two nothing."""
    random = np.random.default_rng(7)
    langs, cities = np.array(["de", "en", "fr", "it"]), ["Bern", "Chur", "Genève"]
    known: list[User] = [
        {
            "age": int(random.integers(18, 80)),
            "langs": random.choice(langs, random.integers(0, 4), replace=False).tolist(),
            "city": cities[random.integers(3)],
            "member": bool(random.integers(2)),
        }
        for _ in range(NUM_USERS - 2)
    ]
    return [*known, {}, {}]


def with_users(dataset: Dataset) -> Dataset:
    frame = pl.DataFrame(made_users()).with_columns(phone=pl.lit("secret"))
    rows = pl.Series(np.arange(1, NUM_USERS + 1))
    features = (
        replace(
            feature_of(rows, frame[one.column], one, num_rows=NUM_USERS + 1, key="users"),
            is_input=one.is_input,
        )
        for one in TABLE
    )
    return replace(dataset, user_features=Features(features))


def ranked_for(dataset: Dataset, **model: object) -> Ranked:
    """Of untrained weights that are large enough to be seen in a score."""
    torch.manual_seed(3)
    config = {"dim": 8, "max_length": 4, "hidden": [8], **model}
    ranker = Ranker.for_dataset(RankerConfig.model_validate(config), dataset).eval()
    for parameter in ranker.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return Ranked(ranker, NUM_RANKED, Blend(weight=1.0))
