"""How many users have how many clicks."""

from itertools import chain, count

import numpy as np

from recsys.data.dataset import Dataset
from recsys.evaluation.equal_parts import range_text
from recsys.evaluation.report.contents import Bar


def history_lengths(dataset: Dataset) -> tuple[Bar, ...]:
    """Of all clicks of all users: 1, 2, 3-4, 5-9, 10-19, 20-49, ..., from the shortest history to the longest."""
    lengths = dataset.histories.lengths[1:]
    starts = np.array(_starts(int(lengths.max())))
    counts = np.histogram(lengths, starts)[0]
    labels = [range_text(np.array(bounds)) for bounds in zip(starts[:-1], starts[1:] - 1, strict=True)]
    shortest = int(np.flatnonzero(counts)[0])
    return tuple(map(Bar, labels[shortest:], counts[shortest:].tolist()))


def _starts(longest: int) -> list[int]:
    """Where bins begin, up to the first one beyond the longest history."""
    rising = chain((1, 2, 3), (factor * 10**power for power in count() for factor in (5, 10, 20)))
    starts = [next(rising)]
    while starts[-1] <= longest:
        starts.append(next(rising))
    return starts
