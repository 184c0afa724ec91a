"""Logs written to files, read or prepared in one call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recsys.data.config import DataConfig
from recsys.data.dataset import Dataset, open_dataset
from recsys.data.events.config import EventsConfig
from recsys.data.events.read import Events, read_events
from recsys.data.prepare import prepare
from recsys.data.report import DataReport


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file with these contents: text, bytes, or a frame in the format of the name."""

    def write(contents: str | bytes | pl.DataFrame, name: str = "clicks.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(contents, pl.DataFrame):
            writer = {"csv": contents.write_csv, "parquet": contents.write_parquet, "ndjson": contents.write_ndjson}
            writer[path.suffix[1:]](path)
        else:
            path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    return write


@pytest.fixture
def read(write: Callable[..., Path]) -> Callable[..., Events]:
    """The events of a log with these contents, by default one without a calendar."""

    def read(contents: str | bytes | pl.DataFrame, name: str = "clicks.csv", **options: Any) -> Events:
        settings = {"path": write(contents, name), "time_kind": "order"} | options
        return read_events(EventsConfig.model_validate(settings))

    return read


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Dataset, DataReport]]:
    """The dataset made of a log; without a calendar, split by leave-last-out, unless told otherwise."""

    def made(path: Path, directory: str = "dataset", **data: Any) -> tuple[Dataset, DataReport]:
        events = {"path": path, "time_kind": "order"} | data.pop("events", {})
        config = DataConfig.model_validate({"events": events, **data})
        report = prepare(config, tmp_path / directory, seed=0)
        return open_dataset(tmp_path / directory), report

    return made
