"""A user's vector is the encoding of the last click, whatever the model and whoever else is in the batch."""

import pytest
import torch

from recsys.model.embedding import CatalogueShape
from recsys.model.retriever import Retriever, RetrieverConfig

NUM_ITEMS, WIDTH = 30, 12
LENGTHS = torch.tensor([1, 5, WIDTH, WIDTH - 1, 1])
CONFIGS = [
    {"num_blocks": 0, "score": {"kind": "cosine"}},
    {"num_blocks": 1, "mixer": {"num_heads": 1}, "norm": "rms"},
    {"num_blocks": 1, "mixer": {"num_heads": 2}, "score": {"kind": "cosine"}, "feedforward": {"kind": "relu"}},
    {"num_blocks": 3, "mixer": {"num_heads": 4}, "feedforward": {"kind": "gelu"}},
]


@pytest.fixture(params=CONFIGS, ids=lambda config: "-".join(map(str, config.values())))
def retriever(request):
    torch.manual_seed(0)
    config = RetrieverConfig.model_validate({"dim": 16, "max_length": WIDTH + 4, **request.param})
    return Retriever(config, CatalogueShape(num_items=NUM_ITEMS)).eval()


def histories(width: int = WIDTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    items_BL = torch.randint(1, NUM_ITEMS + 1, (len(LENGTHS), width), generator=generator)
    return items_BL * (torch.arange(width) < LENGTHS[:, None])


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_it_is_the_last_of_all_positions(retriever):
    encoded_BLD = retriever.encode(histories(), LENGTHS)
    assert_same(retriever.user_vectors(histories(), LENGTHS), encoded_BLD[torch.arange(len(LENGTHS)), LENGTHS - 1])


def test_a_user_in_a_batch_is_the_user_alone(retriever):
    together_BD = retriever.user_vectors(histories(), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        items_1L = histories()[row : row + 1, :length]
        assert_same(retriever.user_vectors(items_1L, LENGTHS[row : row + 1])[0], together_BD[row])


def test_neither_the_width_nor_what_pads_it_matters(retriever):
    expected_BD = retriever.user_vectors(histories(), LENGTHS)
    items_BL = torch.cat([histories(), torch.zeros(len(LENGTHS), 4, dtype=torch.int64)], dim=1)
    assert_same(retriever.user_vectors(items_BL, LENGTHS), expected_BD)
    items_BL[torch.arange(WIDTH + 4) >= LENGTHS[:, None]] = 7
    assert_same(retriever.user_vectors(items_BL, LENGTHS), expected_BD)
