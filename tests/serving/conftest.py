"""One server for all tests that change nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.bundle.opened import open_bundle
from recsys.recommender import Recommender
from tests.bundle.made import made_bundle
from tests.serving.servers import Running, running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_bundle(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def recommender(bundle: Path) -> Recommender:
    return Recommender(open_bundle(bundle))


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Running]:
    with running(bundle) as started:
        yield started
