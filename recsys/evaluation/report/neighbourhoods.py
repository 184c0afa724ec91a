"""The surroundings of a few well-known items, for people to judge whether neighbours belong together."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.evaluation.report.contents import Neighbourhood
from recsys.evaluation.report.shown import shown_items

Float32 = NDArray[np.float32]

NUM_ITEMS, NUM_NEIGHBOURS = 6, 8
ALIKE_SHARE = 0.05
"""Who is among this share of the candidates nearest to an item that is shown is of its character."""


def neighbourhoods(dataset: Dataset, directions: Float32) -> tuple[Neighbourhood, ...]:
    """The most clicked item, then the most clicked ones of another character. `directions` are unit item vectors."""
    return tuple(_neighbourhood(dataset, *found) for found in _surroundings(dataset, directions))


def _surroundings(dataset: Dataset, directions: Float32) -> Iterator[tuple[int, NDArray[np.int64], Float32]]:
    """Items, the candidates nearest to each, the item itself left out, and their cosines."""
    candidates = np.flatnonzero(dataset.candidates)
    counts = dataset.training_counts()
    waiting = candidates[np.lexsort((candidates, -counts[candidates]))]
    num_alike = max(NUM_NEIGHBOURS, int(ALIKE_SHARE * len(candidates)))
    for _ in range(min(NUM_ITEMS, len(candidates))):
        if not len(waiting):
            return
        item = int(waiting[0])
        others = candidates[candidates != item]
        cosines = directions[others] @ directions[item]
        order = np.argsort(-cosines, kind="stable")
        waiting = waiting[1:][~np.isin(waiting[1:], others[order[:num_alike]])]
        nearest = order[:NUM_NEIGHBOURS]
        yield item, others[nearest], cosines[nearest]


def _neighbourhood(dataset: Dataset, item: int, nearest: NDArray[np.int64], cosines: Float32) -> Neighbourhood:
    shown = shown_items(dataset, [item, *nearest])
    return Neighbourhood(shown[0], tuple(zip(shown[1:], cosines.tolist(), strict=True)))
