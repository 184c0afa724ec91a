"""The directory of an offline job: Parquet parts that appear whole, and a note of what they answer.

recommendations/
    job.json               fingerprint of the request; parts of another request are removed with it
    part-00000.parquet     lists of the first part_size users, and so on
"""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from recsys.durable import json_bytes, replaced_file, sweep, write_json

JOB = "job.json"
_PART = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True)
class Parts:
    """Part n holds users [n * part_size, (n + 1) * part_size) of the request."""

    directory: Path
    num_users: int
    part_size: int

    def __len__(self) -> int:
        return -(-self.num_users // self.part_size)

    def path(self, part: int) -> Path:
        return self.directory / f"part-{part:05}.parquet"

    def bounds(self, part: int) -> tuple[int, int]:
        """First user of a part, and the one after its last."""
        return part * self.part_size, min((part + 1) * self.part_size, self.num_users)

    def done(self) -> list[int]:
        return [part for part in range(len(self)) if self.path(part).is_file()]

    def begin(self, fingerprint: str) -> None:
        """Keeps the parts of this very request, and removes those of any other."""
        self.directory.mkdir(parents=True, exist_ok=True)
        sweep(self.directory)
        job = self.directory / JOB
        note: JsonValue = {"fingerprint": fingerprint}
        if job.is_file() and job.read_bytes() == json_bytes(note):
            return
        job.unlink(missing_ok=True)  # first: parts without a note are nobody's
        for path in sorted(self.directory.iterdir()):
            if _PART.fullmatch(path.name):
                path.unlink()
        write_json(job, note)

    def write(self, part: int, lists: pl.DataFrame) -> None:
        with replaced_file(self.path(part)) as temporary:
            lists.write_parquet(temporary)
