"""What followed what: counted in training, read in the order of the history, and never a reason for itself."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.data.example_batches import ExampleReader
from recsys.data.examples import labelled_examples
from recsys.model.ranking.follows import DECAY, MAX_GAP, Pairs
from tests.model.ranking.conftest import ranker_of


def counted(dataset, without=None) -> Counter:
    """By hand; `without` the pairs that end in one click."""
    histories, counts = dataset.histories, Counter()
    for user in range(len(histories.offsets) - 1):
        begin, end = int(histories.offsets[user]), int(dataset.split.train_end[user])
        for second in range(begin, end):
            if second == without:
                continue
            for gap in range(1, min(MAX_GAP, second - begin) + 1):
                pair = int(histories.items[second - gap]), int(histories.items[second])
                counts[pair] += DECAY ** (gap - 1)
    return counts


def share(counts: Counter, history: list[int], target: int) -> float:
    total = 0.0
    for behind, item in enumerate(reversed(history)):
        leaving = sum(count for (first, _), count in counts.items() if first == item)
        total += DECAY**behind * counts[item, target] / max(leaving, 1.0)
    return total


@pytest.fixture(scope="module")
def ranker(labelled):
    return ranker_of(labelled, interest={"kind": "none"}, covisitation=True)


def test_pairs_are_those_counted_by_hand(labelled):
    pairs, rows = Pairs.of(labelled), len(labelled.items) + 1
    found = {(key // rows, key % rows): count for key, count in zip(pairs.keys.tolist(), pairs.counts, strict=True)}
    assert found == pytest.approx(counted(labelled))


def test_a_share_is_that_of_what_followed(labelled, ranker):
    counts = counted(labelled)
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(20))
    found = ranker.follows.shares(batch)[:, 0]
    for row in range(20):
        history = batch.moments.items_HL[row, : batch.moments.lengths_H[row]].tolist()
        assert float(found[row]) == pytest.approx(share(counts, history, int(batch.items_HC[row])), abs=1e-5)


def test_in_training_no_click_is_a_reason_for_itself(labelled, ranker):
    examples = labelled_examples(labelled, "training")
    alone = np.flatnonzero(examples.clicks == examples.ends)[:200]  # no ties
    batch = ExampleReader(labelled, examples, 6).batch(alone)
    ranker.follows.train()
    found = ranker.follows.shares(batch)[:, 0]
    turned = ranker.follows.shares(replace(batch, labels_HC=1.0 - batch.labels_HC))[:, 0]
    ranker.follows.eval()
    assert torch.equal(found, turned), "the label has a say"
    repeats = 0
    for row in range(0, len(alone), 4):
        history = batch.moments.items_HL[row, : batch.moments.lengths_H[row]].tolist()
        repeats += len(set(history)) < len(history)
        expected = share(counted(labelled, without=int(examples.clicks[alone[row]])), history, int(batch.items_HC[row]))
        assert float(found[row]) == pytest.approx(expected, abs=1e-5)
    assert repeats > 3
