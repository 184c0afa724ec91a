"""`run.json`: what ran in a workdir, when, and on what."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from recsys.durable import write_json
from recsys.errors import BundleError
from recsys.section import Section

FILE = "run.json"


class Stage(StrEnum):
    """In the order in which they run; the value is the command's name."""

    PREPARE = "prepare"
    TRAIN = "train"
    RANK = "rank"
    BLEND = "blend"
    EVALUATE = "evaluate"
    INDEX = "index"
    RECOMMEND = "recommend"


class StageRecord(Section):
    """How a stage ended the last time that it ran."""

    inputs: dict[str, str]
    """Everything that the outcome is a function of: keys and their values, files and their fingerprints."""
    sources: str = ""
    """Fingerprint of the files from outside the workdir that it read."""
    output: str
    """Fingerprint of what it left."""
    finished: str
    """UTC, ISO 8601."""
    seconds: float


class RunRecord(Section):
    """All that a workdir remembers of its past."""

    format_version: Literal[1] = 1
    mlflow_run_id: str | None = None
    stages: Mapping[Stage, StageRecord] = Field(default_factory=dict)


def read_record(workdir: Path) -> RunRecord:
    """An empty record where nothing has run yet; BundleError where the file is damaged."""
    path = workdir / FILE
    if not path.exists():
        return RunRecord()
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise BundleError(f"{path} is damaged: {where} {found['msg']}. Delete it, and every stage runs again") from None


def write_record(workdir: Path, record: RunRecord) -> None:
    write_json(workdir / FILE, record.model_dump(mode="json"))
