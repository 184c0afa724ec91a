"""The promises that only the whole keeps: what goes in comes out, and every stage agrees with the next."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys
from recsys.config import make_config
from recsys.stages.run import Everything, run
from recsys.stages.session import opened
from tests.conftest import SHARED

MODEL = {"dim": 16, "num_blocks": 1, "max_length": 10, "dropout": 0.1}
TRAINING = {"max_epochs": 12, "batch_tokens": 256, "device": "cpu", "threads": 1}


def run_all(workdir: Path, log: Path, **sections) -> Everything:
    values = {
        "workdir": str(workdir),
        "data": {"events": {"path": str(log)}, "split": {"kind": "leave_last_out"}},
        "model": MODEL,
        "training": TRAINING | {"optimizer": {"learning_rate": 0.01}},
        "tracking": {"kind": "none"},
        **sections,
    }
    with opened(make_config(values, {}, source="test"), source="test", tell=lambda _: None) as session:
        return run(session)


@pytest.fixture(scope="module")
def everything(small_log_file, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("end") / "run"
    return workdir, run_all(workdir, small_log_file)


def test_what_always_follows_is_always_found(tmp_path):
    rows = [(f"u{user}", f"i{(user * 7 + step) % 50:02}", step) for user in range(100) for step in range(4 + user % 20)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    log.write_parquet(tmp_path / "circle.parquet")
    data = {"events": {"path": str(tmp_path / "circle.parquet"), "time_kind": "order"}}
    training = TRAINING | {"max_epochs": 25, "optimizer": {"learning_rate": 0.02}}
    evaluation = run_all(
        tmp_path / "run", tmp_path / "circle.parquet", data=data, training=training
    ).evaluated.evaluation
    assert evaluation.retriever.metrics["HR@10"].value == 1.0
    assert evaluation.retriever.metrics["NDCG@10"].value > 0.95
    assert evaluation.systems["popular"].metrics["NDCG@10"].value < 0.4


def test_the_recommendations_are_those_of_the_published_bundle(everything, small_log_file):
    workdir, _ = everything
    recommender = recsys.load(workdir / "bundle")
    log = pl.read_parquet(small_log_file).sort("user_id", "timestamp")
    lists = pl.read_parquet(workdir / "recommendations" / "*.parquet")
    for user in ("u000", "u017", "u059"):
        history = log.filter(pl.col("user_id") == user)["item_id"].to_list()
        alone = recommender.recommend(history, k=10)
        written = lists.filter(pl.col("user_id") == user).sort("rank")
        assert written["item_id"].to_list() == [found.item for found in alone]
        assert np.allclose(written["score"], [found.score for found in alone], atol=1e-4)
        assert not set(history) & set(written["item_id"])


def test_the_independent_scorer_agrees(everything):
    scorer = SHARED / "bench" / "score_topk.py"
    if not scorer.exists():
        pytest.skip(f"the independent scorer is not at {scorer}")
    workdir, made = everything
    evaluation = workdir / "evaluation"
    command = [scorer, "--recs", evaluation / "lists.parquet", "--truth", evaluation / "truth.parquet"]
    output = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout
    scored = json.loads(output)
    for name in ("HR@10", "NDCG@10", "MRR@10"):
        assert scored[name] == pytest.approx(made.evaluated.evaluation.retriever.metrics[name].value, abs=1e-9)


def test_equal_runs_make_equal_bundles(everything, small_log_file, tmp_path):
    again = run_all(tmp_path / "again", small_log_file)
    assert again.published.bundle.name == everything[1].published.bundle.name


def test_another_seed_makes_another_bundle(everything, small_log_file, tmp_path):
    other = run_all(tmp_path / "other", small_log_file, seed=1)
    assert other.published.bundle.name != everything[1].published.bundle.name


def test_integer_ids_come_back_as_integers(small_log_file, tmp_path):
    numbers = pl.read_parquet(small_log_file).with_columns(
        pl.col("user_id").str.slice(1).cast(pl.Int32), pl.col("item_id").str.slice(1).cast(pl.UInt16)
    )
    numbers.write_parquet(tmp_path / "numbers.parquet")
    run_all(tmp_path / "run", tmp_path / "numbers.parquet", training=TRAINING | {"max_epochs": 1})
    for name in ("recommendations/*.parquet", "evaluation/lists.parquet", "evaluation/truth.parquet"):
        schema = pl.read_parquet(tmp_path / "run" / name).schema
        assert schema["user_id"].is_integer(), name
        assert schema["item_id"].is_integer(), name
    assert recsys.load(tmp_path / "run" / "bundle").similar(3, k=1)[0].item in range(40)


def test_by_time_nothing_after_the_cut_reaches_the_model(small_log_file, tmp_path):
    log = pl.read_parquet(small_log_file)
    split = {"kind": "by_time", "test_share": 0.2}
    log.write_parquet(tmp_path / "log.parquet")
    data = {"events": {"path": str(tmp_path / "log.parquet")}, "split": split}
    first = run_all(tmp_path / "first", small_log_file, data=data)
    cut = log["timestamp"].sort()[int(0.8 * log.height)]
    changed = log.with_columns(
        pl.when(pl.col("timestamp") >= cut).then(pl.lit("i000")).otherwise("item_id").alias("item_id")
    )
    changed.write_parquet(tmp_path / "log.parquet")
    second = run_all(tmp_path / "second", small_log_file, data=data)
    for name in ("retriever.safetensors",):
        one = (first.trained.directory / "best" / name).read_bytes()
        assert one == (second.trained.directory / "best" / name).read_bytes()


@pytest.mark.gpu
def test_training_resuming_and_recommending_on_the_device(small_log_file, tmp_path):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    made = run_all(tmp_path / "run", small_log_file, training=TRAINING | {"device": "cuda", "precision": "bf16-mixed"})
    assert made.trained.outcome.history[-1].loss < made.trained.outcome.history[0].loss
    assert made.recommended.result.num_users == 60
