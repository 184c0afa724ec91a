"""Another bundle takes over whole or not at all, and every answer is that of the bundle it names."""

import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.bundle.golden import Golden, GoldenQuery
from recsys.bundle.opened import open_bundle
from recsys.bundle.publish import publish
from recsys.errors import BundleError
from recsys.recommender import Recommender
from recsys.serving.current import Current
from recsys.serving.requests import RecommendationsRequest
from tests.bundle.made import RECORD, made_contents, made_dataset
from tests.serving.servers import Running, running

HISTORY = ["i050", "i120"]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A workdir whose pointer leads to the first of two bundles."""
    dataset = made_dataset(tmp_path / "dataset")
    bundles = [publish(made_contents(dataset, seed=seed), tmp_path, RECORD) for seed in (0, 1)]
    point(tmp_path, bundles[0])
    return tmp_path, bundles


def point(workdir: Path, bundle: Path) -> None:
    temporary = workdir / "moving"
    temporary.symlink_to(bundle)
    os.replace(temporary, workdir / "bundle")


@pytest.fixture
def own(two: tuple[Path, list[Path]]) -> Iterator[Running]:
    with running(two[0] / "bundle", RECSYS_ADMIN_TOKEN="admin") as started:
        yield started


def reload(server: Running) -> tuple[int, dict[str, str]]:
    status, _, told = server.ask("POST", "/admin/reload", "", {"authorization": "Bearer admin"})
    return status, told


def expected_of(bundle: Path) -> tuple[str, list[str]]:
    recommender = Recommender(open_bundle(bundle))
    return recommender.bundle.content_id, [str(one.item) for one in recommender.recommend(HISTORY, k=10)]


@pytest.mark.parametrize("num_reloads", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_under_load_every_answer_is_of_the_bundle_it_names(
    own: Running, two: tuple[Path, list[Path]], num_reloads: int
) -> None:
    workdir, bundles = two
    expected, wrong, answered, is_over = dict(map(expected_of, bundles)), [], [], threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            status, _, told = own.ask("POST", "/v1/recommendations", {"history": HISTORY})
            answered.append(told.get("bundle"))
            if status != 200 or [one["item"] for one in told["recommendations"]] != expected[told["bundle"]]:
                wrong.append((status, told))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    broken = workdir / "broken"
    broken.mkdir()
    memory = []
    for number in range(num_reloads):
        bundle = bundles[(number + 1) % 2]
        point(workdir, bundle)
        assert reload(own) == (200, {"outcome": "loaded", "bundle": bundle.name})
        if number % 3 == 0:
            point(workdir, broken)
            assert reload(own)[0] == 409
            point(workdir, bundle)
        memory.append(resident(own.process.pid))
    is_over.set()
    for thread in threads:
        thread.join()
    for headers in ({}, {"authorization": "Bearer wrong"}):
        assert own.ask("POST", "/admin/reload", "", headers)[0] == 401
    assert wrong == []
    assert set(answered) == {bundle.name for bundle in bundles}
    if num_reloads > 100:
        assert memory[-1] < 1.05 * memory[num_reloads // 4]
    _, _, metrics = own.ask("GET", "/metrics")
    assert f'recsys_reloads_total{{outcome="loaded"}} {num_reloads}' in metrics


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def test_sighup_loads_what_the_pointer_leads_to(own: Running, two: tuple[Path, list[Path]]) -> None:
    point(two[0], two[1][1])
    own.process.send_signal(signal.SIGHUP)
    own.wait_for(f"serve: {two[1][1].name} takes over")
    assert own.ask("GET", "/v1/bundle")[2]["bundle"] == two[1][1].name


@pytest.mark.slow
def test_a_watched_pointer_needs_no_word(two: tuple[Path, list[Path]]) -> None:
    with running(two[0] / "bundle", "--watch", "0.1") as server:
        point(two[0], two[1][1])
        server.wait_for(f"serve: {two[1][1].name} takes over")


def test_a_damaged_bundle_is_refused_and_the_log_says_why(two: tuple[Path, list[Path]]) -> None:
    told: list[str] = []
    current = Current(two[0] / "bundle", tell=told.append)
    before = current.answers
    file = two[1][1] / "item_vectors.npy"
    file.write_bytes(file.read_bytes()[:-1])
    point(two[0], two[1][1])
    assert current.has_moved
    assert current.reload() == "refused"
    assert current.answers is before
    assert "item_vectors.npy has" in told[-1] and f"{two[1][0].name} stays" in told[-1]
    point(two[0], two[1][0])
    assert current.reload() == "unchanged"


def test_a_bundle_that_answers_otherwise_than_it_did_is_refused(
    two: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Golden(queries=(GoldenQuery(history=(1,), scores=(9.0, 8.0)),))
    monkeypatch.setattr("recsys.bundle.opened.Golden.read", lambda *_, **__: other)
    with pytest.raises(BundleError, match="does not answer its own question 0 as it did when it was made"):
        Current(two[0] / "bundle", tell=lambda _: None)


def test_a_bundle_that_nobody_asks_any_more_is_gone_without_a_collection(two: tuple[Path, list[Path]]) -> None:
    current = Current(two[0] / "bundle", tell=lambda _: None)
    current.answers.neighbours("i050", 5, True)
    current.answers.recommend([RecommendationsRequest(history=HISTORY, because=True)])
    assert current.answers.map.places
    old = weakref.ref(current.answers)
    point(two[0], two[1][1])
    gc.disable()
    try:
        assert current.reload() == "loaded"
        assert old() is None
    finally:
        gc.enable()
