"""A directory as a user has it: a log, an item table, a configuration; and one in which `recsys run` has run."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.pipelines.commands import SMALL, command

TITLES = {"i001": "Heat [1995] :fire:", "i002": "Heart"}


@pytest.fixture
def home(small_log_file: Path, tmp_path: Path) -> Path:
    shutil.copy(small_log_file, tmp_path)
    (tmp_path / "my.yaml").write_text(SMALL)
    return tmp_path


@pytest.fixture(scope="session")
def finished_home(small_log_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`recsys run`, with titles; not to be changed."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(small_log_file, home)
    ids = [f"i{number:03}" for number in range(40)]
    titles = pl.DataFrame({"item_id": ids, "title": [TITLES.get(item, f"Film {item}") for item in ids]})
    titles.write_csv(home / "items.csv")
    (home / "my.yaml").write_text(SMALL.replace("  split:", "  items: {path: items.csv, title: title}\n  split:"))
    done = command(home, "run", "my.yaml")
    assert done.returncode == 0, done.stderr
    (home / "printed.txt").write_text(done.stdout)
    return home
