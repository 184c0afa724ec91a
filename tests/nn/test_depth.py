"""How a stream goes through the blocks: one contract for every kind, and what each kind is at its limits."""

import copy

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import Packing, SequenceContext
from recsys.nn.depth.dense import Dense
from recsys.nn.depth.stack import Shared
from recsys.nn.encoder import Encoder, EncoderConfig
from recsys.nn.mixers.mixer import with_target
from recsys.nn.residual import RESIDUALS

DIM, LENGTH = 8, 7
LENGTHS = torch.tensor([1, 4, LENGTH, 6])
KINDS = ["stack", "shared", "dense", "reversible"]


def encoder_of(kind: str = "stack", **fields) -> Encoder:
    torch.manual_seed(0)
    config = {"dim": DIM, "dropout": 0.0, "depth": {"kind": kind}, **fields}
    return Encoder(EncoderConfig.model_validate(config), max_length=LENGTH + 1).double()


def events() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(LENGTHS), LENGTH, DIM, dtype=torch.float64, generator=generator)


def gradients(outcome, wanted):
    return torch.autograd.grad(outcome.square().sum(), wanted, allow_unused=True)


@pytest.fixture(params=[(kind, num_blocks) for kind in KINDS for num_blocks in (0, 1, 3)], ids=str)
def encoder(request):
    kind, num_blocks = request.param
    return encoder_of(kind, num_blocks=num_blocks).eval()


def test_no_position_reads_the_future_or_padding_or_another_row(encoder):
    x_BLD, context = events(), SequenceContext(LENGTHS)
    before, valid_BL = encoder(x_BLD, context), context.valid_BL(LENGTH)
    changed = torch.where(torch.arange(LENGTH)[:, None] < 3, x_BLD, 9.0)
    torch.testing.assert_close(encoder(changed, context)[:, :3], before[:, :3], atol=1e-12, rtol=0)
    padded = torch.where(valid_BL[..., None], x_BLD, 9.0)
    torch.testing.assert_close(encoder(padded, context)[valid_BL], before[valid_BL])
    for row, length in enumerate(LENGTHS.tolist()):
        alone = encoder(x_BLD[row : row + 1, :length], SequenceContext(LENGTHS[row : row + 1]))
        torch.testing.assert_close(alone[0], before[row, :length])


def test_last_and_beyond_are_the_last_of_all(encoder):
    x_BLD, context = events(), SequenceContext(LENGTHS)
    torch.testing.assert_close(encoder.last(x_BLD, context), context.last(encoder(x_BLD, context)))
    targets_BND = torch.randn(len(LENGTHS), 3, DIM, dtype=torch.float64)
    longer_BLD, longer = with_target(x_BLD, LENGTHS, targets_BND)
    expected = longer.last(encoder(longer_BLD, longer)).view_as(targets_BND)
    torch.testing.assert_close(encoder.beyond(x_BLD, context, targets_BND), expected)


def test_packed_rows_are_encoded_as_padded_ones(encoder):
    valid_BL = SequenceContext(LENGTHS).valid_BL(LENGTH)
    packing = Packing.of(LENGTHS, valid_BL.flatten().nonzero()[:, 0], LENGTH)
    packed_ND = encoder(packing.pack(events()), SequenceContext(LENGTHS, packing=packing))
    torch.testing.assert_close(packed_ND, encoder(events(), SequenceContext(LENGTHS))[valid_BL])


def test_stored_encoders_find_their_weights_by_the_names_they_had():
    branches = ["feedforward.down.weight", "feedforward.gate.weight", "feedforward.up.weight"]
    branches += ["mixer.to_out.weight", "mixer.to_qkv.weight", "mixing.norm.bias", "mixing.norm.weight"]
    branches += ["transforming.norm.bias", "transforming.norm.weight"]
    expected = [*(f"blocks.{n}.{name}" for n in (0, 1) for name in branches), "norm.bias", "norm.weight"]
    encoder = Encoder(EncoderConfig(), max_length=9)
    assert sorted(name for name, _ in encoder.named_parameters()) == expected
    assert sorted(encoder.state_dict()) == expected


def test_steps_through_one_block_are_tied_layers():
    shared, tied = (encoder_of(kind, num_blocks=3) for kind in ("shared", "stack"))
    (block,), x_BLD, context = shared.blocks, events(), SequenceContext(LENGTHS)
    assert isinstance(shared.depth, Shared)
    steps = shared.depth.steps_TD
    for layer in tied.blocks:
        layer.load_state_dict(block.state_dict())
    stepped = x_BLD
    for layer, step_D in zip(tied.blocks, steps, strict=True):
        stepped = layer(stepped + step_D, context)
    torch.testing.assert_close(shared(x_BLD, context), tied.norm(stepped))
    torch.nn.init.zeros_(steps)
    outcomes = [one(x_BLD, context) for one in (shared, tied)]
    torch.testing.assert_close(*outcomes)
    mine = gradients(outcomes[0], [*block.parameters()])
    of_each = gradients(outcomes[1], [weight for layer in tied.blocks for weight in layer.parameters()])
    for n, gradient in enumerate(mine):
        torch.testing.assert_close(gradient, sum(of_each[n :: len(mine)]))


@pytest.mark.parametrize("kind", ["stack", "reversible"])
def test_a_fresh_rezero_encoder_is_the_identity_of_any_depth(kind):
    encoder = encoder_of(kind, num_blocks=12, residual="rezero")
    outcome = encoder(events(), SequenceContext(LENGTHS))
    torch.testing.assert_close(outcome, events())
    alphas = [weight for name, weight in encoder.named_parameters() if name.endswith("alpha")]
    assert len(alphas) == 24
    assert all(gradient != 0 for gradient in gradients(outcome, alphas))
    assert not [name for name, _ in encoder.named_parameters() if "norm" in name]


def test_dense_layers_begin_with_the_mean_of_what_was_before():
    encoder, x_BLD, context = encoder_of("dense", num_blocks=3), events(), SequenceContext(LENGTHS)
    assert isinstance(encoder.depth, Dense)
    for n, row in enumerate(encoder.depth.weights, start=1):
        torch.testing.assert_close(row.data, torch.full((n,), 1 / n).double())
    normed = [encoder.depth.norms[0](x_BLD)]
    for block, norm in zip(encoder.blocks, encoder.depth.norms[1:], strict=True):
        normed.append(norm(block(torch.stack(normed).mean(0), context)))
    torch.testing.assert_close(encoder(x_BLD, context), encoder.norm(torch.stack(normed).mean(0)))


def test_dense_layers_that_read_the_last_alone_are_a_stack():
    """But for their norms: a stack's stream is not normed between its blocks."""
    dense, stack = (encoder_of(kind, num_blocks=3) for kind in ("dense", "stack"))
    assert isinstance(dense.depth, Dense)
    stack.load_state_dict({name: value for name, value in dense.state_dict().items() if not name.startswith("depth")})
    for row in dense.depth.weights:
        row.data = torch.zeros_like(row.data).index_fill(0, torch.tensor([len(row) - 1]), 1.0)
    dense.depth.norms = torch.nn.ModuleList(torch.nn.Identity() for _ in dense.depth.norms)
    context = SequenceContext(LENGTHS)
    torch.testing.assert_close(dense(events(), context), stack(events(), context))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_drop_of_nothing_is_off_and_evaluation_drops_nothing(kind):
    whole, never, often = (encoder_of(kind, num_blocks=4, layer_drop=share) for share in (0.0, 0.0, 0.9))
    context = SequenceContext(LENGTHS)
    expected = whole.eval()(events(), context)
    for encoder in (never.train(), often.eval()):
        state = torch.get_rng_state()
        assert torch.equal(encoder(events(), context), expected)
        assert torch.equal(torch.get_rng_state(), state), "nothing was drawn"


@pytest.mark.parametrize("kind", ["stack", "shared", "reversible"])
def test_where_every_layer_is_left_out_the_stream_goes_by(kind):
    encoder = encoder_of(kind, num_blocks=3, layer_drop=1 - 1e-9)
    context, targets_BND = SequenceContext(LENGTHS), events()[:, :2]
    torch.testing.assert_close(encoder(events(), context), encoder.norm(events()))
    torch.testing.assert_close(encoder.last(events(), context), encoder.norm(context.last(events())))
    torch.testing.assert_close(encoder.beyond(events(), context, targets_BND), encoder.norm(targets_BND))


def test_left_out_layers_are_those_that_get_no_gradient():
    encoder, context = encoder_of(num_blocks=6, layer_drop=0.5), SequenceContext(LENGTHS)
    counts = []
    for _ in range(40):
        outcome = encoder(events(), context)
        firsts = gradients(outcome, [block.mixer.to_out.weight for block in encoder.blocks])
        kept = [n for n, gradient in enumerate(firsts) if gradient is not None]
        rest = copy.deepcopy(encoder).eval()
        rest.blocks = torch.nn.ModuleList(rest.blocks[n] for n in kept)
        torch.testing.assert_close(rest(events(), context), outcome)
        counts.append(len(kept))
    assert 2.3 < sum(counts) / 40 < 3.7


def test_gradients_of_a_deep_pre_norm_stack_are_even():
    encoder = encoder_of(num_blocks=24)
    context, weights = SequenceContext(torch.full((4,), LENGTH)), torch.randn(4, LENGTH, DIM).double()
    (encoder(events(), context) * weights).sum().backward()
    first, last = (block.feedforward.down.weight.grad.norm() for block in (encoder.blocks[0], encoder.blocks[-1]))
    assert 0.1 < first / last < 10


@pytest.mark.parametrize(("kind", "least", "most"), [("pre_norm", 0.999, 1.001), ("post_norm", 0.0, 0.01)])
def test_norms_on_the_stream_shrink_what_comes_back_along_it_and_sums_do_not(kind, least, most):
    """Through 24 branches as large as the stream, of whose own gradient nothing is counted: 2^-12 with a norm on each
    sum. Whole post-norm encoders, as torch fills them at first, have small branches, and suffer little."""
    torch.manual_seed(0)
    residual = RESIDUALS[kind](torch.nn.LayerNorm(64), 64, 0.0)
    start = stream = torch.randn(32, 64).requires_grad_()
    for branch in torch.randn(24, 32, 64):
        stream = residual.join(stream, residual.read(stream), branch)
    weights = torch.randn(32, 64)
    (gradient,) = torch.autograd.grad((stream * weights).sum(), start)
    assert least < gradient.norm() / weights.norm() < most


def test_a_reversible_depth_refuses_what_it_cannot_take_back():
    with pytest.raises(ValidationError, match="post_norm is no sum: choose another residual or another depth"):
        EncoderConfig.model_validate({"depth": {"kind": "reversible"}, "residual": "post_norm"})
