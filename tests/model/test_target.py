"""A cloze: what is masked is predicted from what is on both sides of it, and asked for behind the last click."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.config import make_config
from recsys.data.batches import SequenceBatch, lay_out
from recsys.data.clicks import Stretches
from recsys.data.feature_table import Features
from recsys.errors import ConfigError
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.model.target import MASK, spread
from recsys.model.user_state import UserStates
from recsys.nn.mixers.gru import GruConfig

NUM_ITEMS, WIDTH = 30, 12
LENGTHS = torch.tensor([1, 5, WIDTH, WIDTH - 1, 2])
CONFIGS = [
    {"num_blocks": 1, "positions": "start", "mixer": {"kind": "softmax"}},
    {"num_blocks": 2, "positions": "end", "score": {"kind": "cosine"}, "item_table": "own"},
    {"num_blocks": 2, "depth": {"kind": "shared"}},
    {"num_blocks": 2, "positions": "sinusoidal", "depth": {"kind": "reversible"}},
]


def retriever_of(config: dict | None = None, **target) -> Retriever:
    torch.manual_seed(0)
    values = {"dim": 16, "max_length": WIDTH, "target": {"kind": "cloze", **target}, **(config or {})}
    return Retriever.for_catalogue(RetrieverConfig.model_validate(values), NUM_ITEMS, Features(())).eval().double()


@pytest.fixture(params=CONFIGS, ids=lambda config: "-".join(map(str, config.values())))
def retriever(request) -> Retriever:
    return retriever_of(request.param)


def histories() -> torch.Tensor:
    items_BL = torch.randint(1, NUM_ITEMS + 1, (len(LENGTHS), WIDTH), generator=torch.Generator().manual_seed(1))
    return items_BL * (torch.arange(WIDTH) < LENGTHS[:, None])


def clicks() -> torch.Tensor:
    """Of all windows, one behind the other: each holds one more click than it reads."""
    return torch.randint(1, NUM_ITEMS + 1, (int((LENGTHS + 1).sum()),), generator=torch.Generator().manual_seed(1))


def windows(items_E: torch.Tensor, lengths_B: torch.Tensor = LENGTHS) -> SequenceBatch:
    stretches = Stretches(items_E, None, (lengths_B + 1).cumsum(0) - lengths_B - 1, lengths_B)
    return lay_out(stretches, lengths=lengths_B.numpy(), num_targets=int(lengths_B.sum()))


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)


def test_a_user_is_what_is_read_at_a_mask_behind_the_last_click_alone_or_not_and_whatever_pads(retriever):
    users_BD = retriever.user_vectors(histories(), LENGTHS)
    padded_BL = histories().masked_fill(torch.arange(WIDTH) >= LENGTHS[:, None], 7)
    assert_same(retriever.user_vectors(padded_BL, LENGTHS), users_BD)
    for user_D, items_L, length in zip(users_BD, histories(), LENGTHS.tolist(), strict=True):
        asked_1L = torch.cat([items_L[:length], torch.tensor([MASK])])[None]
        assert_same(retriever.encode(asked_1L, torch.tensor([length + 1]))[0, length], user_D)
        assert_same(retriever.user_vectors(items_L[None, :length], torch.tensor([length]))[0], user_D)


def test_every_other_click_is_read_the_earlier_and_the_later_ones(retriever):
    items_1L, length = histories()[2:3], torch.tensor([WIDTH])
    items_1L[0, 5] = MASK
    hidden_D = retriever.encode(items_1L, length)[0, 5]
    for place in set(range(WIDTH)) - {5}:
        other_1L = items_1L.clone()
        other_1L[0, place] = items_1L[0, place] % NUM_ITEMS + 1
        assert (retriever.encode(other_1L, length)[0, 5] - hidden_D).abs().max() > 1e-6


def test_of_a_masked_click_nothing_is_read_but_that_it_is_there():
    cloze = retriever_of(last_share=0.0).target
    torch.manual_seed(3)
    seen = cloze.examples(windows(clicks()))
    hidden_E = (seen.items_BL == MASK)[seen.targets_BL > 0]
    torch.manual_seed(3)
    other = cloze.examples(windows(clicks().where(~hidden_E, clicks() % NUM_ITEMS + 1)))
    assert torch.equal(seen.items_BL, other.items_BL)
    assert torch.equal(seen.positions_N, other.positions_N)
    wanted_N, changed_N = (batch.without_padding(batch.targets_BL) for batch in (seen, other))
    assert torch.equal(changed_N, wanted_N % NUM_ITEMS + 1)


def test_what_is_masked_is_what_is_to_be_predicted_and_nothing_else():
    batch, cloze = windows(clicks()), retriever_of(last_share=0.4).target
    seen = cloze.examples(batch)
    whole_BL = torch.cat([batch.items_BL[:, :1], batch.targets_BL], dim=1)
    assert torch.equal((seen.items_BL == MASK).flatten().nonzero()[:, 0], seen.positions_N.sort().values)
    assert torch.equal(seen.items_BL.where(seen.items_BL != MASK, seen.targets_BL), seen.targets_BL)
    assert torch.equal(seen.targets_BL[: len(LENGTHS)], whole_BL)
    assert seen.num_targets == len(seen.positions_N)
    copies = list(zip(seen.items_BL, seen.targets_BL, seen.lengths_B.tolist(), strict=True))[len(LENGTHS) :]
    assert len(copies) == 2
    for items_L, targets_L, length in copies:
        assert (items_L == MASK).nonzero().flatten().tolist() == [length - 1]
        assert targets_L.tolist() in whole_BL.tolist()


def test_a_share_of_each_history_is_masked_and_each_click_as_often_as_any_other():
    lengths_B, share, num_draws = torch.tensor([2, 7, 20, 3, 0, 9]), 0.3, 1500
    counts, num_clicks = torch.zeros(6, 20), int(lengths_B.sum())
    torch.manual_seed(0)
    for _ in range(num_draws):
        masked_M = spread(lengths_B, 20, num_clicks=num_clicks, share=share)
        drawn = torch.zeros(120).index_add(0, masked_M, torch.ones(len(masked_M))).view(6, 20)
        expected_B = lengths_B * len(masked_M) / num_clicks
        assert (drawn <= 1).all()
        assert ((drawn.sum(dim=1) - expected_B).abs() < 1).all()
        counts += drawn
    real = torch.arange(20) < lengths_B[:, None]
    assert (counts[~real] == 0).all()
    frequency = len(masked_M) / num_clicks
    assert len(masked_M) == int(np.ceil(share * num_clicks))
    torch.testing.assert_close(counts[real] / num_draws, torch.full((num_clicks,), frequency), atol=0.05, rtol=0)


def test_a_rank_without_rows_trains_on_nothing():
    nothing = torch.zeros(0, dtype=torch.int64)
    seen = retriever_of().target.examples(replace(windows(clicks(), nothing), num_targets=50))
    assert (len(seen.items_BL), len(seen.positions_N)) == (0, 0)
    assert seen.num_targets >= 1


def test_the_mask_is_no_item_and_where_none_is_needed_there_is_none():
    cloze, next_click = retriever_of(), retriever_of({"target": {"kind": "next_click"}})
    assert len(cloze.item_vectors()) == len(next_click.item_vectors()) == NUM_ITEMS + 1
    assert cloze.state_dict().keys() - next_click.state_dict().keys() == {"target.mask_D"}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"model.gaps.kind": "log"}, "query_time or a mixer of times. tells when it was: use none of that"),
        ({"model.query_time.kind": "log"}, "query_time or a mixer of times. tells when it was: use none of that"),
        ({"training.layout": "packed"}, "training.layout packed reads what is earlier alone, and model.target cloze"),
        ({"ranker.examples": {"kind": "sampled", "source": "retriever"}}, "asks behind the last one alone: use pop"),
        ({"model.target.mask_share": 0}, "model.target.mask_share must be greater than 0"),
    ],
)
def test_what_reads_histories_causally_or_tells_times_is_refused(overrides, told):
    values = {"workdir": "run", "data": {"events": {"path": "a.csv"}}, "model": {"target": {"kind": "cloze"}}}
    with pytest.raises(ConfigError, match=told):
        make_config(values, overrides, source="FILE")


def test_a_mixer_that_cannot_look_ahead_is_refused():
    target = retriever_of().config.target
    with pytest.raises(ValueError, match="a gru mixer reads what is earlier alone: choose another mixer"):
        target.require_fit(GruConfig(), reads_times=False, has_positions=True)


@pytest.mark.parametrize("kind", ["softmax", "rotary"])
@pytest.mark.parametrize("positions", ["none", "start"])
def test_hidden_clicks_that_nothing_tells_apart_are_refused(kind, positions):
    values = {"mixer": {"kind": kind}, "positions": positions, "target": {"kind": "cloze"}}
    if (kind, positions) == ("softmax", "none"):
        with pytest.raises(ValueError, match=r"which a softmax mixer does not know: set positions to start, end or"):
            RetrieverConfig.model_validate(values)
    else:
        RetrieverConfig.model_validate(values)


def test_users_whose_clicks_come_one_by_one_are_refused():
    with pytest.raises(ConfigError, match=r"model\.target is cloze, and users .* need next_click"):
        UserStates.begin(retriever_of(), histories(), LENGTHS)
