"""A refit learns the validation clicks, is told apart in the evaluation, and is what the bundle gets."""

import shutil

import pytest
import torch

from recsys.bundle.opened import open_bundle
from recsys.errors import StaleError
from recsys.evaluation.tables import evaluation_lines
from recsys.stages.evaluate import evaluate
from recsys.stages.run import run
from recsys.stages.train import retrieval_job, train
from recsys.training.outcome import load_best, read_outcome
from tests.stages.workdirs import Project


def weights(directory):
    return load_best(directory).state_dict()


def test_the_refit_has_a_row_of_its_own_and_is_published(project: Project):
    first = weights(project.workdir / "model")
    with project.session(training__refit=True) as session:
        made = run(session)
        dataset = retrieval_job(session).dataset
    again, refit = weights(project.workdir / "model"), weights(project.workdir / "model" / "refit")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(refit["clicked.weight_VD"], again["clicked.weight_VD"])
    outcome, best = read_outcome(project.workdir / "model" / "refit"), made.trained.outcome.best_epoch
    assert outcome is not None
    assert (len(outcome.history), outcome.best_epoch, outcome.validation) == (best, best, None)
    num_validation = len(dataset.split.validation(dataset.histories))
    assert outcome.clicks == best * (made.trained.outcome.history and _targets(dataset) + num_validation)
    text = "\n".join(evaluation_lines(made.evaluated.evaluation))
    assert "retriever, refit" in text
    assert "the refit has learnt the validation clicks as well" in text
    published = open_bundle(project.workdir / "bundle").retriever.state_dict()
    assert all(torch.equal(published[name], refit[name]) for name in refit)


def test_without_it_an_earlier_refit_is_not_used(project: Project):
    with project.session(training__refit=True) as session:
        run(session)
    with project.session() as session:
        made = run(session)
    assert "refit" not in made.evaluated.evaluation.systems
    published = open_bundle(project.workdir / "bundle").retriever.state_dict()
    best = weights(project.workdir / "model")
    assert all(torch.equal(published[name], best[name]) for name in best)


def test_a_refit_that_is_gone_is_made_again(project: Project):
    with project.session(training__refit=True) as session:
        run(session)
    before = weights(project.workdir / "model" / "refit")
    shutil.rmtree(project.workdir / "model" / "refit")
    with project.session(training__refit=True) as session:
        with pytest.raises(StaleError, match=r"run/model/refit is missing: run `recsys train my.yaml` first"):
            evaluate(session)
        train(session)
    after = weights(project.workdir / "model" / "refit")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_a_kill_left_of_a_refit_goes(project: Project):
    left = project.workdir / "model" / "refit"
    left.mkdir()
    (left / "last.ckpt").write_bytes(b"half")
    with project.session() as session:
        train(session)
    assert not left.exists()


def _targets(dataset) -> int:
    """How many training clicks have one before them."""
    lengths = dataset.split.train_end - dataset.histories.offsets[:-1]
    return int(lengths[lengths >= 2].sum() - (lengths >= 2).sum())
