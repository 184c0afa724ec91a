"""RecTools' SASRec with its defaults on a log of sessions, for `recsys compare RUN LISTS.parquet --k 20`.

Runs where RecTools is installed (`pip install "rectools[torch]" pyarrow`), which this project does not need:

    python tests/benchmark/rectools_lists.py clicks.parquet lists.parquet --minutes 10

`clicks.parquet` has session_id, item_id, position and part. It trains on the sessions of the part `train`, and lists
20 items for those of the part `test`, whose last click it does not see.
"""

import argparse
import logging
import time
import warnings
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from rectools.dataset import Dataset
from rectools.models import SASRecModel

LENGTH = 20


class StopAfter(pl.Callback):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_start(self, *_: Any) -> None:
        self.started = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.should_stop = time.monotonic() - self.started > self.seconds


def dataset_of(clicks: pd.DataFrame) -> Dataset:
    times = pd.to_datetime(clicks["position"], unit="s")
    frame = pd.DataFrame(
        {"user_id": clicks["session_id"], "item_id": clicks["item_id"], "weight": 1.0, "datetime": times}
    )
    return Dataset.construct(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clicks")
    parser.add_argument("lists")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    clicks = pd.read_parquet(arguments.clicks).sort_values(["session_id", "position"], kind="stable")
    is_test = clicks["part"] == "test"
    is_last = ~clicks["session_id"].duplicated(keep="last")
    model = SASRecModel(
        epochs=10_000,
        get_trainer_func=lambda: pl.Trainer(
            max_epochs=10_000,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[StopAfter(60 * arguments.minutes)],
        ),
    )
    model.fit(dataset_of(clicks[~is_test]))
    asked = clicks[is_test & ~is_last]
    asked = asked[asked["item_id"].isin(clicks[~is_test]["item_id"])]  # it cannot read others
    lists = model.recommend(asked["session_id"].unique(), dataset_of(asked), k=LENGTH, filter_viewed=True)
    lists[["user_id", "item_id", "rank"]].to_parquet(arguments.lists)
    print(f"lists of {lists['user_id'].nunique():,} sessions in {arguments.lists}")


if __name__ == "__main__":
    main()
