"""The same from Python: `recsys.fit`, `recsys.load`."""

import shutil
from pathlib import Path

import pytest

import recsys
from recsys.errors import BundleError, ConfigError, DataError, UnknownItem, UserError

OVERRIDES = {
    "data.split.kind": "leave_last_out",
    "model.dim": 8,
    "model.num_blocks": 1,
    "model.max_length": 8,
    "training.max_epochs": 2,
    "training.device": "cpu",
    "training.threads": 1,
    "tracking.kind": "none",
}


@pytest.fixture(scope="module")
def workdir(small_log_file, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("python") / "run"
    recsys.fit(small_log_file, directory, OVERRIDES)
    return directory


def test_fit_trains_and_answers(workdir, small_log_file):
    recommender = recsys.fit(small_log_file, workdir, OVERRIDES)
    history = ["i012", "i007"]
    found = recommender.recommend(history, k=5)
    assert len({recommendation.item for recommendation in found} - set(history)) == 5
    assert [recommendation.source for recommendation in found] == ["retriever"] * 5
    assert [r.score for r in found] == sorted((r.score for r in found), reverse=True)
    neighbours = recommender.similar("i012", k=10)
    assert len({neighbour.item for neighbour in neighbours} - {"i012"}) == 10
    assert all(-1.001 <= neighbour.score <= 1.001 for neighbour in neighbours)


def test_load_opens_what_fit_made(workdir, small_log_file):
    loaded = recsys.load(workdir / "bundle")
    fitted = recsys.fit(str(small_log_file), str(workdir), OVERRIDES)
    assert loaded.recommend(["i001"], k=3) == fitted.recommend(["i001"], k=3)
    assert recsys.load(str(workdir / "bundle")).bundle.content_id == loaded.bundle.content_id
    assert [r.source for r in loaded.recommend([], k=2)] == ["popular"] * 2


def test_an_item_that_is_not_there(workdir):
    recommender = recsys.load(workdir / "bundle")
    with pytest.raises(UnknownItem, match=r"^item 'i04' is not in this bundle's catalogue \(40 items\): did you mean"):
        recommender.similar("i04")


def test_mistakes_are_told_in_the_words_of_the_caller(small_log_file, tmp_path):
    with pytest.raises(ConfigError, match=r"^overrides: model\.dimm is not a key; did you mean model\.dim\?"):
        recsys.fit(small_log_file, tmp_path / "run", {"model.dimm": 8})
    with pytest.raises(DataError, match=r"data\.events\.path: there is no file .*nothing\.parquet"):
        recsys.fit(small_log_file.with_name("nothing.parquet"), tmp_path / "run")
    with pytest.raises(UserError, match=r"^no bundle at .*run/bundle: give the directory that `recsys index`"):
        recsys.load(tmp_path / "run" / "bundle")


def test_what_has_finished_is_trained_anew_and_what_has_not_takes_a_restart(workdir, small_log_file, tmp_path):
    copy = shutil.copytree(workdir, tmp_path / "run", symlinks=True)
    assert recsys.fit(small_log_file, copy, OVERRIDES | {"model.dim": 4}).bundle.manifest.dim == 4
    (copy / "model" / "training.json").unlink()
    changed = OVERRIDES | {"model.dim": 16}
    with pytest.raises(ConfigError, match=r"model\.dim was 4, is 16.*restart=True"):
        recsys.fit(small_log_file, copy, changed)
    assert recsys.fit(small_log_file, copy, changed, restart=True).bundle.manifest.dim == 16


def test_a_model_that_was_changed_is_told_with_its_remedy(workdir, small_log_file, tmp_path):
    copy = shutil.copytree(workdir, tmp_path / "run", symlinks=True)
    weights = next((copy / "model/best").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(BundleError, match=r"--restart` \(restart=True from Python\)$"):
        recsys.fit(small_log_file, copy, OVERRIDES)


def test_a_damaged_bundle_is_refused_by_name(workdir, tmp_path):
    bundle = (workdir / "bundle").resolve()
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    recsys.load(copy)
    (copy / "retriever.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"is refused: retriever\.safetensors has 0 bytes"):
        recsys.load(copy)
