"""A small log, sessions on a workdir beside it, and what they told. Paths are relative, so that a copy is as good."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from recsys.config import RunConfig, make_config
from recsys.stages.session import Session, opened

SOURCE = "my.yaml"
SMALL = {
    "workdir": "run",
    "data": {"events": {"path": "clicks.parquet"}, "split": {"kind": "leave_last_out"}},
    "model": {"dim": 8, "num_blocks": 1, "max_length": 8},
    "training": {"max_epochs": 2, "batch_tokens": 256, "device": "cpu", "threads": 1},
    "tracking": {"kind": "none"},
}


def small_config(overrides: Mapping[str, object]) -> RunConfig:
    """Overrides have __ for the dot: model__dim=16."""
    return make_config(SMALL, {key.replace("__", "."): value for key, value in overrides.items()}, source=SOURCE)


@dataclass
class Project:
    """`directory` holds the log and the workdir; `told` is what the last session said."""

    directory: Path
    told: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.directory / "clicks.parquet"

    @property
    def workdir(self) -> Path:
        return self.directory / "run"

    @contextmanager
    def session(self, **overrides: object) -> Iterator[Session]:
        self.told.clear()
        with chdir(self.directory), opened(small_config(overrides), source=SOURCE, tell=self.told.append) as session:
            yield session

    def copy(self, directory: Path) -> "Project":
        """To be changed at will."""
        shutil.copytree(self.directory, directory, symlinks=True)
        return Project(directory)

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file's inode and time of change: equal where nothing was written."""
        stats = {str(path.relative_to(self.workdir)): path.lstat() for path in self.workdir.rglob("*")}
        return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items() if Path(name).suffix}
