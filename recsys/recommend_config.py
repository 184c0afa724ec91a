"""What the offline job is asked for."""

from pathlib import Path
from typing import Self

from pydantic import PositiveInt, model_validator

from recsys.blend import Blend
from recsys.section import Section


class RecommendConfig(Section):
    k: PositiveInt = 10
    """How many items each user gets, at most."""
    candidates: PositiveInt = 200
    """How many of the retriever's items the ranker is handed, where there is one."""
    blend: Blend | None = None
    """How the scores of both stages become one, as in {weight: 0.3, covisitation: 0.5}; null: what ranks the validation
    clicks best."""
    approximate: bool = False
    """Whether candidates are looked up in an index of `index.kind`, instead of scoring the whole catalogue. The
    evaluation then shows both, and what the index costs."""
    exclude_seen: bool = True
    """Whether items of the user's history are left out. Governs evaluation too."""
    users: Path | None = None
    """A Parquet or CSV file: only the users in it. Every user of the log where neither file is named."""
    histories: Path | None = None
    """A Parquet or CSV file of other histories: one row a click in order, or (Parquet) one row a user with a list."""
    user_column: str = "user_id"
    """The column of users in either file."""
    item_column: str = "item_id"
    """The column of items, or of lists of items, in the file of histories."""
    part_size: PositiveInt = 10_000
    """Users in each part file; a job that was stopped goes on with the first part that is missing."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.users is not None and self.histories is not None:
            raise ValueError("users and histories exclude each other: histories brings its own users")
        return self
