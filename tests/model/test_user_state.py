"""A user's vector after one more click is that of the longer history, for as long as clicks come."""

import pytest
import torch

from recsys.benchmark.incremental import benchmark_steps
from recsys.data.feature_table import Features
from recsys.errors import ConfigError
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.model.user_state import UserStates
from recsys.nn.mixers.attention import SoftmaxConfig
from recsys.nn.mixers.rotary import RotaryConfig
from recsys.nn.mixers.transformer_xl import TransformerXlConfig

NUM_ITEMS, MAX_LENGTH, CLICKS = 30, 8, 6
LENGTHS = torch.tensor([3, 0, 7, 8, 11, 1])
CONFIGS = [
    (SoftmaxConfig(), {"positions": "start", "score": {"kind": "cosine"}}),
    (SoftmaxConfig(num_heads=4), {"positions": "none", "num_blocks": 3, "residual": "post_norm"}),
    (RotaryConfig(), {"positions": "none", "item_table": "own"}),
    (RotaryConfig(), {"positions": "sinusoidal", "depth": {"kind": "dense"}, "norm": "rms"}),
    (TransformerXlConfig(), {"positions": "none", "item_dropout": 0.2}),
    (TransformerXlConfig(), {"positions": "start", "depth": {"kind": "shared"}, "num_blocks": 3}),
]


def retriever(mixer, config) -> Retriever:
    torch.manual_seed(0)
    values = {"dim": 16, "max_length": MAX_LENGTH, **config}
    built = RetrieverConfig.model_validate(values).model_copy(update={"mixer": mixer})
    return Retriever.for_catalogue(built, NUM_ITEMS, Features(())).eval()


def clicks() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, NUM_ITEMS + 1, (len(LENGTHS), int(LENGTHS.max()) + CLICKS), generator=generator)


def by_passes(model: Retriever, items_BW: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    vectors = [
        model.user_vectors(items[None, max(0, length - MAX_LENGTH) : length], torch.tensor([min(length, MAX_LENGTH)]))
        if length
        else torch.zeros(1, 16, dtype=model.clicked.weight_VD.dtype)
        for items, length in zip(items_BW, lengths.tolist(), strict=True)
    ]
    return torch.cat(vectors)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("mixer", "config"), CONFIGS, ids=str)
@pytest.mark.parametrize("lengths", [LENGTHS, torch.full((1,), 5)], ids=["uneven", "alone"])
def test_a_step_is_a_pass_over_the_longer_history_also_beyond_its_window(mixer, config, dtype, atol, lengths):
    model, items_BW = retriever(mixer, config).to(dtype), clicks()[: len(lengths)]
    history = items_BW * (torch.arange(items_BW.shape[1]) < lengths[:, None])
    users = UserStates.begin(model, history[:, : int(lengths.max())], lengths)
    torch.testing.assert_close(users.vectors_BD, by_passes(model, items_BW, lengths), atol=atol, rtol=0)
    for _ in range(CLICKS):
        vectors_BD = users.step(items_BW[torch.arange(len(lengths)), lengths])
        lengths = lengths + 1
        torch.testing.assert_close(vectors_BD, by_passes(model, items_BW, lengths), atol=atol, rtol=0)
        assert vectors_BD is users.vectors_BD


def test_what_was_given_is_left_as_it_was():
    model, items_BW, lengths = retriever(*CONFIGS[0]), clicks()[:, :MAX_LENGTH], LENGTHS.clamp(max=5)
    given = items_BW.clone(), lengths.clone()
    users = UserStates.begin(model, items_BW, lengths)
    for _ in range(CLICKS):
        users.step(items_BW[:, 0])
    assert torch.equal(items_BW, given[0])
    assert torch.equal(lengths, given[1])


def test_there_may_be_no_users():
    users = UserStates.begin(retriever(*CONFIGS[0]), torch.zeros(0, 3, dtype=torch.int64), LENGTHS[:0])
    assert users.vectors_BD.shape == users.step(LENGTHS[:0]).shape == (0, 16)


def test_a_retriever_that_is_trained_meanwhile_is_read_as_it_is_used():
    model, items_BW = retriever(*CONFIGS[4]), clicks()
    expected_BD = by_passes(model, items_BW, LENGTHS + 1)
    users = UserStates.begin(model.train(), items_BW[:, : int(LENGTHS.max())], LENGTHS)
    vectors_BD = users.step(items_BW[torch.arange(len(LENGTHS)), LENGTHS])
    torch.testing.assert_close(vectors_BD, expected_BD, atol=1e-5, rtol=0)


def test_new_users_begin_with_nothing():
    model = retriever(*CONFIGS[2])
    users = UserStates.begin(model, torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, dtype=torch.int64))
    assert (users.vectors_BD == 0).all()
    expected_BD = model.user_vectors(torch.tensor([[4], [9]]), torch.tensor([1, 1]))
    torch.testing.assert_close(users.step(torch.tensor([4, 9])), expected_BD)


@pytest.mark.parametrize(
    "config",
    [
        {"positions": "end"},
        {"gaps": {"kind": "log"}},
        {"calendar": {"kind": "stretches"}},
        {"query_time": {"kind": "log"}},
        {"depth": {"kind": "reversible"}},
    ],
    ids=lambda config: next(iter(config)),
)
def test_a_retriever_that_reads_more_than_items_is_refused(config):
    (setting,) = config
    with pytest.raises(ConfigError, match=rf"{setting}\b.*(one by one|one click at a time)"):
        UserStates.begin(retriever(RotaryConfig(), config), clicks()[:, :5], LENGTHS.clamp(max=5))


def test_the_benchmark_tells_of_both_ways():
    measured = benchmark_steps(retriever(*CONFIGS[2]), rounds=1)
    assert measured.length == MAX_LENGTH
    assert [point.users for point in measured.points] == [1, 32]
    for point in measured.points:
        assert point.speedup == point.pass_seconds / point.step_seconds > 0


def test_users_of_one_click_have_no_further_one_to_measure():
    with pytest.raises(ConfigError, match="max_length is 1"):
        benchmark_steps(retriever(RotaryConfig(), {"max_length": 1}))
