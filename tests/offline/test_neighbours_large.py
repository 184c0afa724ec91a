"""The neighbours of a hundred thousand items are written in less than a minute, some thousands at a time."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.benchmark.machine import forget_peak_memory, peak_memory
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.data.feature_table import Features
from recsys.data.texts import Texts
from recsys.data.vocabulary import TextVocabulary
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.offline.neighbours import write_neighbours
from recsys.similar import SimilarItems
from tests.bundle.made import RECORD, made_contents, made_dataset

NUM_ITEMS, K = 100_000, 10
# A minute on two quiet cores; others may be at work here.
MOST_SECONDS, MOST_MB = 180, 400


@pytest.mark.slow
def test_a_hundred_thousand_items(tmp_path: Path) -> None:
    config = RetrieverConfig.model_validate({"dim": 64, "num_blocks": 1, "max_length": 8})
    live = np.arange(NUM_ITEMS + 1) > 0
    contents = dataclasses.replace(
        made_contents(made_dataset(tmp_path / "dataset")),
        retriever=Retriever.for_catalogue(config, NUM_ITEMS, Features()).eval(),
        items=TextVocabulary(Texts.of(f"i{number:06}" for number in range(NUM_ITEMS))),
        titles=None,
        features=Features(),
        candidates=live,
        known=live,
        popularity=live.astype(np.int64),
    )
    opened = SimilarItems(open_bundle(publish(contents, tmp_path, RECORD)))
    opened.similar_many(["i000001", "i000002"])  # what is loaded once does not count
    forget_peak_memory()
    before, began = peak_memory(), time.perf_counter()
    write_neighbours(opened, tmp_path / "near.parquet", k=K)
    seconds, after = time.perf_counter() - began, peak_memory()
    print(f"{NUM_ITEMS:,} items: {seconds:.1f} s, {(after or 0) - (before or 0):,.0f} MB more memory")
    found = pl.scan_parquet(tmp_path / "near.parquet")
    assert found.select(pl.len()).collect().item() == NUM_ITEMS * K
    some = found.filter(pl.col("item_id") == "i054321").collect()
    assert some["neighbour_id"].to_list() == [near.item for near in opened.similar("i054321", k=K)]
    assert seconds < MOST_SECONDS
    assert before is None or after is None or after - before < MOST_MB
