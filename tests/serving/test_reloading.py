"""What a pointer leads to is tried once, whatever it is, and whatever comes after it is not missed."""

import asyncio
import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.bundle.contents import Indexed
from recsys.bundle.manifest import content_id
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.errors import BundleError, UserError
from recsys.recommender import Recommender
from recsys.serving.current import Current, tried_out
from recsys.serving.metrics import Metrics
from recsys.serving.reloading import Reloading
from recsys.topk import TopK
from tests.bundle.made import RECORD, made_contents, made_dataset
from tests.bundle.resealed import resealed_copy
from tests.serving.test_reload import point, two

__all__ = ["two"]


def of_a_newer_library(bundle: Path, workdir: Path) -> Path:
    """Its model has a part that nobody here knows."""
    return resealed_copy(
        bundle, workdir / "newer", "retriever.json", lambda told: told["config"]["mixer"].update(kind="telepathic")
    )


def link_to_itself(_: Path, workdir: Path) -> Path:
    made = workdir / "circle"
    made.symlink_to(made)
    return made


def test_a_bundle_of_a_newer_library_is_refused_with_its_version(two: tuple[Path, list[Path]]) -> None:
    with pytest.raises(BundleError, match=r"recsys 99\.0 wrote it, and this one cannot read it .*; use that version"):
        open_bundle(of_a_newer_library(two[1][0], two[0]))


def test_a_link_to_itself_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="this link leads to itself"):
        open_bundle(link_to_itself(tmp_path, tmp_path))


@pytest.mark.parametrize("unusable", [of_a_newer_library, link_to_itself])
def test_the_watch_outlives_what_it_cannot_load_and_tries_it_once(
    two: tuple[Path, list[Path]], unusable: Callable[[Path, Path], Path]
) -> None:
    told: list[str] = []
    current = Current(two[0] / "bundle", tell=told.append)

    async def told_of(word: str) -> None:
        async with asyncio.timeout(20):
            while not any(word in line for line in told):
                await asyncio.sleep(0.01)

    async def drive() -> None:
        async with Reloading(current, Metrics(), watch_seconds=0.01).living(None):
            point(two[0], unusable(two[1][1], two[0]))
            await told_of("is refused")
            await asyncio.sleep(0.3)
            assert len(told) == 1, told
            point(two[0], two[1][1])
            await told_of(f"{two[1][1].name} takes over")

    asyncio.run(drive())
    assert current.answers.bundle == two[1][1].name


def test_a_refused_bundle_is_tried_again_once_it_has_changed_or_when_asked(two: tuple[Path, list[Path]]) -> None:
    current = Current(two[0] / "bundle", tell=lambda _: None)
    file = two[1][1] / "item_vectors.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    point(two[0], two[1][1])
    assert current.has_moved
    assert current.reload() == "refused"
    assert not current.has_moved
    assert current.reload() == "refused", "who asks gets a trial"
    file.write_bytes(whole)
    assert current.has_moved
    assert current.reload() == "loaded"
    assert not current.has_moved


def test_another_bundle_at_the_same_path_takes_over_and_the_same_one_is_told(two: tuple[Path, list[Path]]) -> None:
    told: list[str] = []
    place = Path(shutil.copytree(two[1][0], two[0] / "plain"))
    current = Current(place, tell=told.append)
    os.utime(place / "manifest.json")
    assert current.reload() == "unchanged"
    assert told == [f"serve: {two[1][0].name} is unchanged"]
    shutil.rmtree(place)
    shutil.copytree(two[1][1], place)
    assert current.has_moved
    assert current.reload() == "loaded"
    assert current.answers.bundle == content_id((place / "manifest.json").read_bytes()) == two[1][1].name


def test_what_moved_while_the_first_was_loaded_is_not_missed(two: tuple[Path, list[Path]]) -> None:
    current = Current(two[0] / "bundle", tell=lambda _: None)
    point(two[0], two[1][1])

    async def drive() -> None:
        async with Reloading(current, Metrics(), watch_seconds=0).living(None):
            assert current.answers.bundle == two[1][1].name

    asyncio.run(drive())


def with_other_scores(told: dict[str, list[dict[str, list[float]]]]) -> None:
    told["queries"][0]["scores"][0] += 1.0


def test_an_approximate_index_hides_no_other_scores(tmp_path: Path) -> None:
    indexed = Indexed(is_recommend_approximate=True)
    bundle = publish(made_contents(made_dataset(tmp_path / "dataset"), indexed=indexed), tmp_path, RECORD)
    assert tried_out(bundle).bundle == bundle.name
    with pytest.raises(BundleError, match="does not answer its own question 0 as it did when it was made"):
        tried_out(resealed_copy(bundle, tmp_path / "other", "golden.json", with_other_scores))


def test_a_ranker_without_numbers_does_not_take_over(
    two: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender = Recommender(open_bundle(two[1][0]))
    manifest = recommender.bundle.manifest.model_copy(update={"num_ranked": 5})
    monkeypatch.setattr(recommender, "bundle", dataclasses.replace(recommender.bundle, manifest=manifest))
    monkeypatch.setattr(
        recommender, "_rerank", lambda _, best, k: TopK(best.indices_UK[:, :k], best.scores_UK[:, :k] * float("nan"))
    )
    monkeypatch.setattr("recsys.serving.current.Recommender", lambda _: recommender)
    with pytest.raises(BundleError, match=r"the ranker of bundle .* gives scores that are no numbers"):
        tried_out(two[1][0])
