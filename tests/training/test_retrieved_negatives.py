"""What the retriever knows just before each click, and negatives from its lists."""

import numpy as np
import pytest
import torch

from recsys.data.examples import part_of_clicks
from recsys.data.sampled_examples import Seen, by_popularity, sampled_examples, uniform
from recsys.model.encoding import encode_pasts, recent_pasts
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.topk import topk
from recsys.training.retrieved_negatives import from_retriever, vectors_before


def retriever_of(dataset, **model) -> Retriever:
    torch.manual_seed(0)
    config = RetrieverConfig.model_validate({"dim": 8, "num_blocks": 1, "max_length": 5, **model})
    return Retriever.for_catalogue(config, len(dataset.items), dataset.features.inputs).eval()


@pytest.mark.parametrize(
    "model", [{}, {"gaps": {"kind": "log"}, "query_time": {"kind": "log"}}], ids=["items", "times"]
)
def test_a_clicks_vector_is_that_of_what_lies_before_it_in_its_stretch(small_dataset, model):
    retriever, histories = retriever_of(small_dataset, **model), small_dataset.histories
    vectors = vectors_before(small_dataset, retriever)
    assert vectors.shape == (histories.num_events, 8)
    for user in range(1, 8):
        begin, end = histories.offsets[user : user + 2]
        for click in range(begin, end):
            before = (click - begin) % 5
            if before == 0:
                assert not vectors[click].any()
                continue
            pasts = recent_pasts(
                histories, np.array([user]), np.array([click]), max_length=before,
                known_V=small_dataset.known_items, reads_times=retriever.config.reads_times,
            )  # fmt: skip
            expected = encode_pasts(retriever, pasts)[0]
            torch.testing.assert_close(vectors[click].float(), expected, atol=5e-3, rtol=5e-3)


def test_negatives_are_among_the_first_and_neither_clicked_before_nor_the_click_itself(small_dataset):
    retriever = retriever_of(small_dataset)
    draw = from_retriever(small_dataset, retriever, depth=12)
    examples = sampled_examples(small_dataset, "training", negatives=3, draw=draw, seed=0)
    vectors, items = vectors_before(small_dataset, retriever).float(), retriever.item_vectors().detach()
    best = topk(vectors[examples.clicks], items, k=12).indices_UK.numpy()
    knows = vectors[examples.clicks].any(dim=1).numpy()
    own, negatives = examples.items[:, 0], examples.items[:, 1:]
    among = (best[:, None] == negatives[..., None]).any(axis=2)
    assert among[knows].mean() > 0.98  # where there are few, others are drawn
    assert np.array_equal(own, np.asarray(small_dataset.histories.items)[examples.clicks])
    assert examples.labels.tolist() == [[1, 0, 0, 0]] * examples.num_moments
    assert (negatives != own[:, None]).mean() > 0.99


@pytest.mark.parametrize("source", [uniform, by_popularity])
@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_each_click_has_its_negatives(small_dataset, source, part):
    examples = sampled_examples(small_dataset, part, negatives=4, draw=source(small_dataset), seed=0)
    clicks = part_of_clicks(small_dataset, part)
    assert examples.clicks.tolist() == clicks.tolist()
    assert len(examples) == 5 * len(clicks) == len(examples.user_of_each)
    assert examples.labels.sum(axis=1).tolist() == [1] * len(clicks)
    negatives = examples.items[:, 1:]
    assert small_dataset.candidates[negatives].all()
    seen = Seen(small_dataset)(clicks, negatives)
    assert seen.mean() < 0.01
    assert (negatives != examples.items[:, :1]).mean() > 0.99


def test_what_is_drawn_depends_on_the_seed_alone(small_dataset):
    drawn = [
        sampled_examples(small_dataset, "test", negatives=2, draw=uniform(small_dataset), seed=seed)
        for seed in (1, 1, 2)
    ]
    assert drawn[0].fingerprint() == drawn[1].fingerprint() != drawn[2].fingerprint()
