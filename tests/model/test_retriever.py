"""A user's vector is the encoding of the last click, whatever the model and whoever else is in the batch."""

import numpy as np
import pytest
import torch

from recsys.data.feature_table import Feature, Features
from recsys.data.texts import Texts
from recsys.model.retriever import Retriever, RetrieverConfig

NUM_ITEMS, WIDTH = 30, 12
LENGTHS = torch.tensor([1, 5, WIDTH, WIDTH - 1, 1])
MOMENTS = 10**6 * torch.randint(0, 99, (len(LENGTHS), WIDTH + 1), generator=torch.Generator().manual_seed(2)).cumsum(1)
TIMES, ASKED = MOMENTS[:, :-1], MOMENTS[:, 1:]
CONFIGS = [
    {"num_blocks": 0, "score": {"kind": "cosine"}},
    {"num_blocks": 1, "mixer": {"num_heads": 1}, "norm": "rms"},
    {"num_blocks": 1, "mixer": {"num_heads": 2}, "score": {"kind": "cosine"}, "feedforward": {"kind": "relu"}},
    {"num_blocks": 3, "mixer": {"num_heads": 4}, "feedforward": {"kind": "gelu"}},
    {"positions": "end", "gaps": {"kind": "log", "unit_seconds": 1}},
    {"positions": "none", "mixer": {"kind": "rotary"}, "residual": "post_norm", "gaps": {"kind": "log"}},
    {"query_time": {"kind": "log", "unit_seconds": 1}},
    {"calendar": {"kind": "stretches"}},
]


@pytest.fixture(params=CONFIGS, ids=lambda config: "-".join(map(str, config.values())))
def retriever(request):
    torch.manual_seed(0)
    config = RetrieverConfig.model_validate({"dim": 16, "max_length": WIDTH + 4, **request.param})
    lifetime = int(MOMENTS.min()), int(MOMENTS.max())
    return Retriever.for_catalogue(config, NUM_ITEMS, Features(()), lifetime=lifetime).eval()


def histories(width: int = WIDTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    items_BL = torch.randint(1, NUM_ITEMS + 1, (len(LENGTHS), width), generator=generator)
    return items_BL * (torch.arange(width) < LENGTHS[:, None])


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_it_is_the_last_of_all_positions(retriever):
    encoded_BLD = retriever.encode(histories(), LENGTHS, TIMES, ASKED)
    assert_same(
        retriever.user_vectors(histories(), LENGTHS, TIMES, ASKED), encoded_BLD[torch.arange(len(LENGTHS)), LENGTHS - 1]
    )


def test_a_user_in_a_batch_is_the_user_alone(retriever):
    together_BD = retriever.user_vectors(histories(), LENGTHS, TIMES, ASKED)
    for row, length in enumerate(LENGTHS.tolist()):
        items_1L, times_1L, asked_1L = (given[row : row + 1, :length] for given in (histories(), TIMES, ASKED))
        alone_1D = retriever.user_vectors(items_1L, LENGTHS[row : row + 1], times_1L, asked_1L)
        assert_same(alone_1D[0], together_BD[row])


def test_neither_the_width_nor_what_pads_it_matters(retriever):
    expected_BD = retriever.user_vectors(histories(), LENGTHS, TIMES, ASKED)
    items_BL = torch.cat([histories(), torch.zeros(len(LENGTHS), 4, dtype=torch.int64)], dim=1)
    times_BL, asked_BL = (torch.cat([moments, torch.zeros_like(moments[:, :4])], dim=1) for moments in (TIMES, ASKED))
    assert_same(retriever.user_vectors(items_BL, LENGTHS, times_BL, asked_BL), expected_BD)
    items_BL[torch.arange(WIDTH + 4) >= LENGTHS[:, None]] = 7
    for moments in (times_BL, asked_BL):
        moments[torch.arange(WIDTH + 4) >= LENGTHS[:, None]] = 7
    assert_same(retriever.user_vectors(items_BL, LENGTHS, times_BL, asked_BL), expected_BD)


def test_what_was_known_after_a_click_does_not_depend_on_later_ones(retriever):
    if retriever.config.positions == "end":
        pytest.skip("positions from the end depend on what comes behind: see its docstring")
    length = torch.full((1,), WIDTH)
    whole_LD = retriever.encode(histories()[2:3], length, TIMES[2:3], ASKED[2:3])[0]
    for t in range(WIDTH):
        given = (moments[2:3, : t + 1] for moments in (TIMES, ASKED))
        prefix_D = retriever.user_vectors(histories()[2:3, : t + 1], torch.tensor([t + 1]), *given)[0]
        assert_same(prefix_D, whole_LD[t])


def test_times_matter_to_spans_alone_and_only_by_their_differences(retriever):
    given = ((), (TIMES, ASKED), (TIMES + 10**12, ASKED + 10**12))
    vectors = [retriever.user_vectors(histories(), LENGTHS, *times) for times in given]
    assert torch.equal(vectors[0], vectors[1]) is not retriever.config.reads_times
    if not retriever.config.calendar.num_stretches:
        assert_same(vectors[2], vectors[1])


def test_the_moment_asked_about_matters_to_query_time_alone(retriever):
    vectors = [retriever.user_vectors(histories(), LENGTHS, TIMES, ASKED + later) for later in (0, 10**12)]
    assert torch.equal(*vectors) is not retriever.config.reads_query_time


def test_item_dropout_leaves_the_features_and_evaluation_alone():
    torch.manual_seed(0)
    config = RetrieverConfig(dim=8, num_blocks=0, dropout=0.0, item_dropout=0.999999, positions="none")
    offsets = np.arange(-1, NUM_ITEMS + 1).clip(min=0)
    kinds = (np.arange(NUM_ITEMS) % 3 + 1).astype(np.int32)
    feature = Feature("kind", True, 4, kinds, offsets, Texts.of(["a", "b", "c"]))
    retriever = Retriever.for_catalogue(config, NUM_ITEMS, Features((feature,)))
    items_BL, length = torch.tensor([[1, 4, 2]]), torch.tensor([3])
    first, same_kind, other_kind = retriever.train().encode(items_BL, length)[0]
    assert_same(first, same_kind)
    assert not torch.allclose(first, other_kind)
    first, same_kind, _ = retriever.eval().encode(items_BL, length)[0]
    assert not torch.allclose(first, same_kind)
