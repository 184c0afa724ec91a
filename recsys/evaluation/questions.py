"""What evaluation asks: of each user, given everything before the held-out click, which item came next?"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.data.split import HeldOut
from recsys.errors import DataError
from recsys.model.encoding import Pasts, recent_pasts
from recsys.topk import Exclusions

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Questions:
    """N users in the order of their index. `filters_seen`: what was clicked before cannot be the answer."""

    dataset: Dataset
    held_out: HeldOut
    filters_seen: bool

    @classmethod
    def of_test(cls, dataset: Dataset, *, exclude_seen: bool) -> "Questions":
        """DataError where the split leaves nobody to test."""
        held_out = dataset.split.test(dataset.histories)
        if not len(held_out):
            raise DataError(
                f"nothing to evaluate: under the split {dataset.manifest.split!r}, none of {len(dataset.users)} users "
                "has a test click with a click before it; give a longer log or another data.split.kind"
            )
        return cls(dataset, held_out, exclude_seen)

    @classmethod
    def of_validation(cls, dataset: Dataset, *, exclude_seen: bool, max_users: int) -> "Questions":
        """What to choose a setting by; of more users than `max_users`, as many, evenly spread. Perhaps nobody's."""
        return cls(dataset, dataset.split.validation(dataset.histories), exclude_seen).spread(max_users)

    def spread(self, at_most: int) -> "Questions":
        """Of more users than `at_most`, as many, evenly spread."""
        rows = np.unique(np.linspace(0, len(self) - 1, min(at_most, len(self))).astype(np.int64))
        return replace(self, held_out=HeldOut(self.held_out.users[rows], self.held_out.positions[rows]))

    def __len__(self) -> int:
        return len(self.held_out)

    @cached_property
    def targets(self) -> Int64:
        """[N] item indices."""
        return np.asarray(self.dataset.histories.items)[self.held_out.positions].astype(np.int64)

    def pasts(self, max_length: int, *, reads_times: bool = False) -> Pasts:
        """The last clicks before the target, as far as they may be read."""
        users, ends, known = self.held_out.users, self.held_out.positions, self.dataset.known_items
        return recent_pasts(
            self.dataset.histories, users, ends, max_length=max_length, known_V=known, reads_times=reads_times
        )

    def seen(self, rows: slice) -> Exclusions:
        """Every item clicked before the target, readable or not."""
        begins = np.asarray(self.dataset.histories.offsets)[self.held_out.users[rows]]
        return Exclusions.of_stretches(self.dataset.histories.items, begins, self.held_out.positions[rows])

    def exclusions(self, rows: slice) -> Exclusions | None:
        return self.seen(rows) if self.filters_seen else None

    @cached_property
    def are_repeated(self) -> NDArray[np.bool_]:
        """[N] whether the user had clicked the target before."""
        repeated = np.zeros(len(self), dtype=bool)
        for start in range(0, len(self), 4096):
            rows = np.arange(start, min(start + 4096, len(self)))
            seen = self.seen(slice(start, start + len(rows)))
            asked = np.repeat(rows, seen.offsets_U.diff().numpy())
            repeated[asked[seen.items_E.numpy() == self.targets[asked]]] = True
        return repeated
