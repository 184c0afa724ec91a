"""What the same users clicked: nearest neighbours of items (Sarwar et al. 2001; Deshpande and Karypis 2004).

The settings were chosen on the validation clicks of ML-1M, by both splits, and of Beauty.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from recsys.data.dataset import Dataset
from recsys.evaluation.baselines.item_to_item import MAX_PAST, ItemToItem, TrainingClicks, recent_clicks, table_of
from recsys.evaluation.questions import Questions
from recsys.topk import TILE_SCORES

NEIGHBOURS = 100
MAX_CLICKS = 50
"""How many of a user's training clicks count, the most recent ones: tastes drift, and long histories take long.

On the validation clicks of ML-1M, NDCG@10 is .127 with 50 and .089 with 1,000.
"""
SHRINKAGE = 20.0
"""Added to the denominator: a similarity that few users speak for is a small one."""
DECAY = 0.7
"""How much less each earlier click of the user who is asked counts than the one after it."""

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


class ItemKNN(ItemToItem):
    """Scores an item by its similarity to each of a user's recent clicks, if it is among the nearest of that click."""

    def __init__(self, questions: Questions, *, neighbours: int = NEIGHBOURS) -> None:
        super().__init__(
            recent_clicks(questions, decay=DECAY),
            nearest(who_clicked(questions.dataset), neighbours),
            detail=f"cosine of the items' users, {neighbours} neighbours of each of the last {MAX_PAST} clicks",
        )


def who_clicked(dataset: Dataset) -> csr_array:
    """[users + 1, items + 1] 1 where the user clicked the item in training, however often."""
    clicks = TrainingClicks.of(dataset)
    counts = clicks.later < MAX_CLICKS
    pairs = clicks.users[counts], clicks.items[counts]
    table = csr_array((np.ones(len(pairs[0])), pairs), shape=(len(dataset.users) + 1, len(dataset.items) + 1))
    table.data[:] = 1.0
    return table


def nearest(clicked: csr_array, neighbours: int) -> csr_array:
    """[items + 1, items + 1] similarities of each item's nearest others; never more than one tile of them exists.

    similarity(i, j) = users of both / (sqrt(users of i * users of j) + SHRINKAGE)
    """
    by_item = clicked.T.tocsr()
    num_users = by_item.sum(axis=1)
    blocks = []
    for rows in _blocks(by_item, clicked):
        both = by_item[rows] @ clicked
        items = np.repeat(np.arange(rows.start, rows.stop), np.diff(both.indptr))
        both.data /= np.sqrt(num_users[items] * num_users[both.indices]) + SHRINKAGE
        both.data[items == both.indices] = 0.0
        both.eliminate_zeros()
        blocks.append(_strongest(both, neighbours))
    return vstack(blocks, format="csr")


def _blocks(by_item: csr_array, clicked: csr_array) -> Iterator[slice]:
    """Rows of items that so few pairs of clicks belong to that their products fit into a tile."""
    pairs = np.concatenate([[0], np.cumsum(np.diff(clicked.indptr)[by_item.indices])])[by_item.indptr]
    start = 0
    while start < by_item.shape[0]:
        stop = int(np.searchsorted(pairs, pairs[start] + TILE_SCORES, side="right")) - 1
        stop = min(max(stop, start + 1), by_item.shape[0])
        yield slice(start, stop)
        start = stop


def _strongest(similarities: csr_array, count: int) -> csr_array:
    """The `count` largest of each row; of equal ones those of the smaller index."""
    values, columns, offsets = similarities.data, similarities.indices, similarities.indptr
    kept = [start + _largest(values[start:stop], columns[start:stop], count) for start, stop in pairwise(offsets)]
    places, lengths = np.concatenate(kept), np.array([len(row) for row in kept])
    return table_of(values[places], columns[places], lengths, width=similarities.shape[1])


def _largest(values: Float64, columns: Int32, count: int) -> Int64:
    """Places in `values`, in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    least = np.partition(values, -count)[-count]
    above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
    equal = equal[np.argsort(columns[equal])]
    return np.concatenate([above, equal[: count - len(above)]])
