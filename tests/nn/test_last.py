"""The last position alone is what computing all positions and picking it gives, at a fraction of the work."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.mixers.attention import SoftmaxConfig

DIM, LENGTH = 16, 9
LENGTHS = torch.tensor([1, 4, LENGTH, LENGTH - 1, 2])
CONFIGS = [
    {"num_blocks": 0},
    {"num_blocks": 1, "mixer": {"kind": "softmax", "num_heads": 1}},
    {"num_blocks": 1, "mixer": {"kind": "softmax", "num_heads": DIM}, "norm": "rms"},
    {"num_blocks": 3, "mixer": {"num_heads": 4}, "feedforward": {"kind": "gelu"}},
    {"num_blocks": 2, "residual": "pre_norm"},
    {"num_blocks": 2, "residual": "post_norm"},
    {"num_blocks": 2, "mixer": {"kind": "rotary", "num_heads": 4}},
]


@pytest.fixture(params=CONFIGS, ids=lambda config: "-".join(map(str, config.values())))
def encoder(request):
    torch.manual_seed(0)
    return Encoder(EncoderConfig.model_validate({"dim": DIM, **request.param}), max_length=LENGTH).double().eval()


def events(length: int = LENGTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(LENGTHS), length, DIM, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("causal", [True, False])
def test_last_is_the_last_of_all(encoder, causal):
    x_BLD, context = events(), SequenceContext(LENGTHS, causal=causal)
    torch.testing.assert_close(encoder.last(x_BLD, context), context.last(encoder(x_BLD, context)))


def test_the_gradient_is_the_same(encoder):
    wanted = [*encoder.parameters()]
    context = SequenceContext(LENGTHS)
    gradients = [
        torch.autograd.grad(last_BD.square().sum(), wanted, allow_unused=True)
        for last_BD in (encoder.last(events(), context), context.last(encoder(events(), context)))
    ]
    for mine, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, expected)


def test_what_lies_behind_the_last_click_changes_nothing(encoder):
    x_BLD, context = events(LENGTH + 3), SequenceContext(LENGTHS)
    changed = x_BLD.clone()
    changed[~context.valid_BL(LENGTH + 3)] = 9.0
    torch.testing.assert_close(encoder.last(changed, context), encoder.last(x_BLD, context))
    torch.testing.assert_close(encoder.last(x_BLD[:, :LENGTH], context), encoder.last(x_BLD, context))


def test_a_row_in_a_batch_is_the_row_alone(encoder):
    x_BLD = events()
    together = encoder.last(x_BLD, SequenceContext(LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = encoder.last(x_BLD[row : row + 1, :length], SequenceContext(LENGTHS[row : row + 1]))
        torch.testing.assert_close(together[row : row + 1], alone)


def test_the_last_block_computes_one_position_a_row():
    encoder = Encoder(EncoderConfig(dim=DIM, num_blocks=2, mixer=SoftmaxConfig()), max_length=LENGTH).double().eval()
    first, final = encoder.blocks
    modules = [first.feedforward, final.feedforward, final.transforming.norm, final.mixer.to_out, encoder.norm]
    shapes = []
    for module in modules:
        module.register_forward_hook(lambda _, inputs, __: shapes.append(inputs[0].shape[:-1]))
    for module in (final.mixer, final.mixer.to_qkv):
        module.register_forward_hook(lambda *_: pytest.fail("all queries, keys and values were made"))
    encoder.last(events(), SequenceContext(LENGTHS))
    alone = (len(LENGTHS),)
    assert shapes == [(len(LENGTHS), LENGTH), alone, alone, alone, alone]


def test_dropout_is_applied_where_forward_applies_it():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(dim=DIM, num_blocks=1, dropout=0.5), max_length=LENGTH).double()
    context = SequenceContext(torch.full((len(LENGTHS),), LENGTH))
    draws = [encoder.last(events(), context) for _ in range(2)]
    assert not torch.equal(*draws)
    encoder.eval()
    assert torch.equal(*(encoder.last(events(), context) for _ in range(2)))


def test_in_half_precision_it_is_as_exact_as_all_positions():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(dim=DIM), max_length=LENGTH).eval()
    x_BLD, context = events().float(), SequenceContext(LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        last_BD, all_BLD = encoder.last(x_BLD, context), encoder(x_BLD, context)
    assert last_BD.dtype == all_BLD.dtype
    torch.testing.assert_close(last_BD, context.last(all_BLD), atol=0.05, rtol=0)
