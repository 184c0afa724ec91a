"""The Synthesizer: its three kinds of weights, and the rows that it is too small for."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.attention import merge_heads, split_heads
from recsys.nn.mixers.synthesizer import Synthesizer, SynthesizerConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events

KINDS = ["dense", "random", "factorised"]
MAX_LENGTH = LENGTH + 15  # the contract's padding


def synthesizer(scores: str, *, max_length: int = MAX_LENGTH, rank: int = 3) -> Synthesizer:
    torch.manual_seed(0)
    return SynthesizerConfig(scores=scores, rank=rank).build(SequenceShape(DIM, max_length)).double()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scores", KINDS)
def test_it_is_the_formula_written_out(scores, causal):
    mixer, x_BLD = synthesizer(scores), events()
    v_BHLK = split_heads(mixer.to_v(x_BLD), 2)
    mixed = torch.zeros_like(v_BHLK)
    for head in range(2):
        for t in range(LENGTH):
            end = t + 1 if causal else LENGTH
            if scores == "dense":
                hidden_BK = split_heads(mixer.scores.to_hidden(x_BLD[:, t : t + 1]).relu(), 2)[:, head, 0]
                row_BL = hidden_BK @ mixer.scores.places_HKN[head] + mixer.scores.bias_HN[head]
            elif scores == "random":
                row_BL = mixer.scores.scores_HNN[head, t].expand(len(x_BLD), -1)
            else:
                row_BL = (mixer.scores.sources_HNR[head] @ mixer.scores.readers_HNR[head, t]).expand(len(x_BLD), -1)
            weights_BL = row_BL[:, :end].softmax(dim=-1)
            mixed[:, head, t] = torch.einsum("bl,blk->bk", weights_BL, v_BHLK[:, head, :end])
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=causal)
    torch.testing.assert_close(mixer(x_BLD, context), mixer.to_out(merge_heads(mixed)))


@pytest.mark.parametrize(("scores", "are_same"), [("dense", False), ("random", True), ("factorised", True)])
def test_random_weights_do_not_know_what_they_weigh(scores, are_same):
    mixer, context = synthesizer(scores), SequenceContext(torch.full((len(LENGTHS),), LENGTH))
    weights = [mixer.weights(x_BLD, context) for x_BLD in (events(), events().flip(1))]
    assert torch.equal(*weights) == are_same
    assert (weights[0].dim() == 3) == are_same


def test_a_factorisation_of_full_rank_can_be_any_random_matrix():
    random, factorised = synthesizer("random"), synthesizer("factorised", rank=MAX_LENGTH)
    factorised.load_state_dict(random.state_dict(), strict=False)
    factorised.scores.readers_HNR.data = random.scores.scores_HNN.data
    factorised.scores.sources_HNR.data = torch.eye(MAX_LENGTH, dtype=torch.float64).expand(2, -1, -1)
    context = SequenceContext(LENGTHS)
    torch.testing.assert_close(factorised(events(), context), random(events(), context))


def test_equal_scores_are_the_mean_of_what_may_be_read():
    mixer, x_BLD = synthesizer("random"), events()
    torch.nn.init.zeros_(mixer.scores.scores_HNN)
    means = mixer.to_v(x_BLD).cumsum(dim=1) / torch.arange(1, LENGTH + 1)[:, None]
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH))
    torch.testing.assert_close(mixer(x_BLD, context), mixer.to_out(means))


@pytest.mark.parametrize("scores", KINDS)
def test_a_row_that_is_too_long_is_refused(scores):
    mixer = synthesizer(scores, max_length=LENGTH - 1)
    with pytest.raises(ValueError, match="at most 10 positions was given 11: shorten the rows, or build"):
        mixer(events(), SequenceContext(LENGTHS))
