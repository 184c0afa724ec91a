"""Bundles with their datasets, made once."""

from pathlib import Path

import pytest

from tests.bundle.made import made_bundle
from tests.offline.asked import Asked


@pytest.fixture(scope="session")
def text_workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("offline") / "text"
    made_bundle(workdir)
    return workdir


@pytest.fixture(scope="session")
def number_workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ids are integers; the last three items are clicked only after training."""
    workdir = tmp_path_factory.mktemp("offline") / "number"
    made_bundle(workdir, has_numbers=True, by_time=True)
    return workdir


@pytest.fixture
def texts(text_workdir: Path) -> Asked:
    return Asked(text_workdir)


@pytest.fixture
def numbers(number_workdir: Path) -> Asked:
    return Asked(number_workdir)
