"""What was deleted or damaged after its stage had run is made again by `recsys run`."""

import pytest

from recsys.bundle.opened import open_bundle
from recsys.errors import BundleError, StaleError
from recsys.stages.index import index
from recsys.stages.recommend import recommend
from recsys.stages.run import run


def test_a_damaged_bundle_is_refused_and_published_again(project):
    before = open_bundle(project.workdir / "bundle").content_id
    file = project.workdir / "bundle" / "item_vectors.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with project.session() as session, pytest.raises(BundleError, match=r"item_vectors\.npy does not match"):
        recommend(session)
    with project.session() as session:
        run(session)
    assert [line for line in project.told if "index: bundle" in line and "is refused: item_vectors.npy" in line]
    assert open_bundle(project.workdir / "bundle").content_id == before
    with project.session() as session:
        index(session)
    assert project.told[-1].startswith("index: nothing has changed")


def test_a_bundle_that_is_gone_is_published_again(project):
    (project.workdir / "bundles").rename(project.workdir / "elsewhere")
    with project.session() as session:
        run(session)
    assert (project.workdir / "bundle" / "seal").is_file()


@pytest.mark.parametrize("name", ["lists.parquet", "truth.parquet", "ranks.parquet"])
def test_a_list_that_is_gone_or_changed_is_written_again(name, project):
    file = project.workdir / "evaluation" / name
    before = file.read_bytes()
    for damage in (file.unlink, lambda: file.write_bytes(b"")):
        damage()
        told = r"evaluation\.json is not what `recsys evaluate` left there: run `recsys evaluate my.yaml` first"
        with project.session() as session, pytest.raises(StaleError, match=told):
            index(session)
        with project.session() as session:
            run(session)
        assert file.read_bytes() == before


def test_a_report_that_is_gone_is_drawn_again(project):
    report = project.workdir / "report.html"
    before = report.read_bytes()
    report.unlink()
    with project.session() as session:
        run(session)
    assert report.read_bytes() == before


def test_the_hardware_of_training_is_not_asked_for_to_recommend(project):
    """A machine that has fewer devices, or none, can recommend from what another one trained."""
    with project.session(training__device="cuda") as session:
        assert recommend(session).result.num_users == 60
