"""A workdir in which every stage has run, made once, and a copy of it for each test."""

import shutil
from pathlib import Path

import pytest

from recsys.stages.run import run
from tests.stages.workdirs import Project


@pytest.fixture(scope="session")
def finished(small_log_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Not to be changed."""
    project = Project(tmp_path_factory.mktemp("finished"))
    shutil.copy(small_log_file, project.log)
    with project.session() as session:
        run(session)
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    return finished.copy(tmp_path / "project")
