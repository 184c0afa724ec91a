"""One contract, every mixer of the union. Its letters are those of the conformance suite of the family:

C1 the future, C2 padding, C3 batches, C4 empty rows, C5 lengths and C7 gradients are `contract.py`; C6, what a mixer is
at its limits, differs from kind to kind and stands with each kind in `mixers/`; C8 to C11 are here; C12 is
`test_scaling.py`; and C13, that all of this catches mistakes, `test_mutants.py`.
"""

import pytest
import torch
from torch import nn

from recsys.errors import ConfigError
from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.incremental import IncrementalEncoder
from recsys.nn.mixers.mixer import Mixer
from recsys.nn.positions import POSITIONS
from recsys.nn.segments import encode_segment
from tests.nn.mixers.contract import BIDIRECTIONAL, CAUSAL, DIM, LENGTH, LENGTHS, events, label, whole
from tests.nn.mixers.variants import KINDS, VARIANTS, first_of_each_kind

READ_BOTH_WAYS = [name for name, variant in VARIANTS.items() if not variant.config.causal_only]
FIRSTS = first_of_each_kind()
CASES = [
    pytest.param(name, check, causal, id=f"{name}-{label(check)}-{label(causal)}")
    for name, variant in VARIANTS.items()
    for check, causal in CAUSAL + ([] if variant.config.causal_only else BIDIRECTIONAL)
]
STEPPING = {"softmax", "rotary", "transformer_xl"}
NOT_EXPORTED = {"adaptive_span": "how far it reads is a value, and decides about shapes"}


def test_every_kind_of_the_union_has_its_variant():
    assert {*KINDS.values()} == {*FIRSTS}


@pytest.mark.parametrize(("name", "check", "causal"), CASES)
def test_it_keeps_the_contract(name, check, causal):
    check(VARIANTS[name].build(), causal)


@pytest.mark.parametrize("name", READ_BOTH_WAYS)
def test_order_means_something_to_it_as_it_says(name):
    """C8 and C9: what reads all positions and knows no places gives the same in any order, until places are added."""
    variant, order, context = VARIANTS[name], torch.randperm(LENGTH), whole(len(LENGTHS), LENGTH, causal=False)
    mixer, positions = variant.build(), POSITIONS["sinusoidal"](LENGTH, DIM).double()
    assert moves_along(lambda x: mixer(x, context), order) is not variant.knows_order
    if not variant.knows_order:
        assert not moves_along(lambda x: mixer(positions(x, context), context), order)


def moves_along(function, order: torch.Tensor) -> bool:
    return torch.allclose(function(events()[:, order]), function(events())[:, order])


@pytest.mark.parametrize("kind", FIRSTS)
def test_it_reads_click_by_click_what_it_reads_at_once_or_says_that_it_cannot(kind):
    """C10, for one block. What keeps state is in `test_incremental.py` and `test_transformer_xl.py` in full."""
    encoder = encoder_of(kind)
    if kind not in STEPPING:
        with pytest.raises(ConfigError, match=r"reads whole histories, not one click at a time; use mixer.kind"):
            IncrementalEncoder(encoder, max_length=LENGTH)
        return
    incremental, starts = IncrementalEncoder(encoder, max_length=LENGTH), LENGTHS.clamp(max=LENGTH - 1)
    _, state = incremental.begin(events(), SequenceContext(starts))
    next_BD = events()[torch.arange(len(starts)), starts]
    stepped_BD, _ = incremental.step(next_BD, state)
    torch.testing.assert_close(stepped_BD, encoder.last(events(), SequenceContext(starts + 1)))


@pytest.mark.parametrize("kind", FIRSTS)
def test_it_remembers_earlier_segments_or_says_that_it_does_not(kind):
    encoder, lengths = encoder_of(kind), torch.tensor([LENGTH])
    if not encoder.blocks[0].mixer.reads_memory:
        with pytest.raises(ValueError, match="reads none; use "):
            encode_segment(encoder, events(1), SequenceContext(lengths))
        return
    at_once, memories, parts = encoder(events(1), SequenceContext(lengths)), None, []
    for part in events(1).split(4, dim=1):
        mixed, memories = encode_segment(encoder, part, whole(1, part.shape[1], causal=True), memories)
        parts.append(mixed)
    torch.testing.assert_close(torch.cat(parts, dim=1), at_once)


def encoder_of(kind: str) -> Encoder:
    torch.manual_seed(0)
    config = EncoderConfig.model_validate({"dim": DIM, "num_blocks": 1, "mixer": FIRSTS[kind].config.model_dump()})
    return Encoder(config, max_length=LENGTH).double().eval()


@pytest.mark.parametrize("name", VARIANTS)
def test_its_weights_are_all_that_it_is(name):
    """C11: another one, drawn otherwise, is the same with the same weights."""
    mixer, other = (VARIANTS[name].build(seed=seed) for seed in (0, 1))
    context = SequenceContext(LENGTHS)
    assert not torch.allclose(other(events(), context), mixer(events(), context))
    other.load_state_dict(mixer.state_dict())
    assert torch.equal(other(events(), context), mixer(events(), context))


class Told(nn.Module):
    """A mixer as what takes and gives tensors alone."""

    def __init__(self, mixer: Mixer) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x_BLD, lengths_B):
        return self.mixer(x_BLD, SequenceContext(lengths_B))


# torch looks twice at weights which it shares with a GRU's own list of them
@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights.* assigned during export:UserWarning")
@pytest.mark.parametrize("kind", FIRSTS)
def test_an_exported_mixer_is_the_mixer(kind):
    """C11."""
    if kind in NOT_EXPORTED:
        pytest.skip(NOT_EXPORTED[kind])
    mixer = Told(FIRSTS[kind].build().eval())
    exported = torch.export.export(mixer, (events(), LENGTHS)).module()
    for x_BLD, lengths in ((events(), LENGTHS), (events().flip(0), LENGTHS.flip(0))):
        torch.testing.assert_close(exported(x_BLD, lengths), mixer(x_BLD, lengths))
