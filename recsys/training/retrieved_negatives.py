"""Hard negatives: for each click, items that the retriever puts first after what was clicked before."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.batches import gather_padded, length_buckets
from recsys.data.dataset import Dataset
from recsys.data.sampled_examples import Draw, uniform
from recsys.model.encoding import BATCH_TOKENS
from recsys.model.retriever import Retriever
from recsys.topk import topk

Int64 = NDArray[np.int64]
AT_ONCE = 1 << 14
"""Clicks whose lists are made at a time."""


def from_retriever(dataset: Dataset, retriever: Retriever, *, depth: int) -> Draw:
    """Each of the retriever's `depth` first candidates alike; all candidates, where there is no click before.

    Histories are read in stretches of the retriever's L, so that a click's vector costs one position and not L.
    """
    vectors_CD, items_VD = vectors_before(dataset, retriever), retriever.item_vectors().detach().float()
    candidates_V = torch.from_numpy(np.array(dataset.candidates))
    depth = min(depth, int(candidates_V.sum()))
    anything = uniform(dataset)

    def draw(random: np.random.Generator, clicks: Int64, n: int) -> NDArray[np.int32]:
        drawn = anything(random, clicks, n)
        for start in range(0, len(clicks), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            users_UD = vectors_CD[clicks[rows]].float()
            best_UK = topk(users_UD, items_VD, k=depth, candidates_V=candidates_V).indices_UK.numpy()
            places = random.integers(0, depth, (len(best_UK), n))
            knows = users_UD.any(dim=1).numpy()
            drawn[rows][knows] = np.take_along_axis(best_UK, places, axis=1)[knows]
        return drawn

    return draw


@torch.no_grad()
def vectors_before(dataset: Dataset, retriever: Retriever) -> Tensor:
    """[clicks, D] the user as known just before each click; zero before a stretch's first. In half precision."""
    histories, config = dataset.histories, retriever.config
    starts, stops = _stretches(np.asarray(histories.offsets), config.max_length)
    vectors_CD = torch.zeros(histories.num_events, config.dim, dtype=torch.float16)
    order = np.argsort(stops - starts, kind="stable")
    retriever.eval()
    for rows in length_buckets((stops - starts)[order], BATCH_TOKENS["cpu"]):
        chosen = order[rows]
        lengths = stops[chosen] - starts[chosen]
        items_BL = gather_padded(histories.items, starts[chosen], lengths)
        times = _times(dataset, retriever, starts[chosen], lengths)
        hidden_BLD = retriever.encode(items_BL, torch.from_numpy(lengths), *times)
        # what is known after a click is what is known before the one behind it
        inside_BL = torch.arange(items_BL.shape[1]) < torch.from_numpy(lengths)[:, None] - 1
        places_BL = torch.from_numpy(starts[chosen])[:, None] + 1 + torch.arange(items_BL.shape[1])
        vectors_CD[places_BL[inside_BL]] = hidden_BLD[inside_BL].half()
    return vectors_CD


def _times(dataset: Dataset, retriever: Retriever, starts: Int64, lengths: Int64) -> tuple[Tensor, ...]:
    if not retriever.config.reads_times:
        return ()
    times_BL = gather_padded(dataset.histories.times, starts, lengths)
    return times_BL, times_BL.roll(-1, dims=1)


def _stretches(offsets: Int64, length: int) -> tuple[Int64, Int64]:
    """Begins and ends of each history's stretches of `length` clicks, the last of them shorter."""
    counts = -(-np.diff(offsets) // length)
    owners = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = offsets[owners] + nth * length
    return starts, np.minimum(starts + length, offsets[owners + 1])
