"""Reversible layers: inputs and gradients come back from the outputs alone."""

import pytest
import torch

from recsys.nn.context import SequenceContext
from recsys.nn.depth.reversible import Coupling
from recsys.nn.encoder import Encoder, EncoderConfig

DIM, LENGTH = 8, 7
CONTEXT = SequenceContext(torch.tensor([1, 4, LENGTH]))
CONFIGS = [{}, {"residual": "gated", "feedforward": {"kind": "none"}}, {"feedforward": {"kind": "gelu", "chunks": 3}}]


def encoder_of(**fields) -> Encoder:
    torch.manual_seed(0)
    config = {"dim": DIM, "num_blocks": 3, "dropout": 0.3, "depth": {"kind": "reversible"}, **fields}
    encoder = Encoder(EncoderConfig.model_validate(config), max_length=LENGTH).double()
    for name, weight in encoder.named_parameters():
        if name.endswith("alpha"):
            torch.nn.init.constant_(weight, 0.5)
    return encoder


def events(width: int = DIM) -> torch.Tensor:
    return torch.randn(3, LENGTH, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def stored(encoder: Encoder, x_BLD: torch.Tensor) -> torch.Tensor:
    """The same of two streams, as torch keeps all that lies between."""
    first = second = x_BLD
    for block in encoder.blocks:
        for branch in block.branches(CONTEXT):
            first, second = second, first + branch(second)
    return encoder.norm((first + second) / 2)


def outcome_and_gradients(function, encoder):
    torch.manual_seed(2)
    x_BLD, wanted = events().requires_grad_(), [weight for weight in encoder.parameters() if weight.requires_grad]
    outcome = function(x_BLD)
    return outcome, torch.autograd.grad(outcome.square().sum(), [x_BLD, *wanted])


@pytest.mark.parametrize("config", [*CONFIGS, {"residual": "rezero"}], ids=str)
def test_gradients_are_those_of_stored_activations_with_the_same_dropout(config):
    encoder = encoder_of(**config)
    mine, expected = (
        outcome_and_gradients(function, encoder)
        for function in (lambda x: encoder(x, CONTEXT), lambda x: stored(encoder, x))
    )
    torch.testing.assert_close(mine, expected, atol=1e-10, rtol=1e-8)
    encoder.blocks[1].requires_grad_(False)
    assert len(outcome_and_gradients(lambda x: encoder(x, CONTEXT), encoder)[1]) < len(mine[1])


def test_a_weight_of_two_layers_gets_the_gradients_of_both():
    encoder = encoder_of()
    encoder.blocks[2] = encoder.blocks[0]
    mine = outcome_and_gradients(lambda x: encoder(x, CONTEXT), encoder)
    expected = outcome_and_gradients(lambda x: stored(encoder, x), encoder)
    torch.testing.assert_close(mine, expected, atol=1e-10, rtol=1e-8)


def test_a_block_is_the_two_equations_of_the_paper():
    encoder, x1 = encoder_of(num_blocks=1).eval(), events()
    (block,) = encoder.blocks
    y1 = x1 + block.mixer(block.mixing.norm(x1), CONTEXT)
    y2 = x1 + block.feedforward(block.transforming.norm(y1))
    torch.testing.assert_close(encoder(x1, CONTEXT), encoder.norm((y1 + y2) / 2))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_inputs_come_back_from_outputs(config):
    encoder, start = encoder_of(**config, num_blocks=8), (events(), events().flip(0))
    first, second, couplings = *start, []
    for block in encoder.blocks:
        for branch in block.branches(CONTEXT):
            coupling, first, second = Coupling.of(branch, first, second)
            couplings.append(coupling)
    assert not torch.allclose(first, start[0])
    for coupling in reversed(couplings):
        first, second, _ = coupling.undone(first.detach(), second.detach())
    torch.testing.assert_close((first, second), start, atol=1e-10, rtol=0)


def test_going_back_draws_nothing_of_what_is_drawn_next():
    encoder = encoder_of()
    outcome = encoder(events(), CONTEXT)
    state = torch.get_rng_state()
    outcome.sum().backward()
    assert torch.equal(torch.get_rng_state(), state)


def test_memory_does_not_grow_with_depth():
    kept = {
        (kind, num_blocks): numbers_kept(encoder_of(num_blocks=num_blocks, depth={"kind": kind}))
        for kind in ("stack", "reversible")
        for num_blocks in (2, 8)
    }
    assert kept["reversible", 2] == kept["reversible", 8] < kept["stack", 2] < 0.3 * kept["stack", 8]


def numbers_kept(encoder: Encoder) -> int:
    """Of activations, for the backward pass."""
    weights, sizes = {weight.data_ptr() for weight in encoder.parameters()}, {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            sizes[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        encoder(events(), CONTEXT).sum()
    return sum(sizes.values())


def test_weights_get_their_gradients_where_products_are_halves_and_going_back_is_within():
    encoder = encoder_of().float()
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(2)
        mine = torch.autograd.grad(encoder(events().float(), CONTEXT).square().sum(), [*encoder.parameters()])
        torch.manual_seed(2)
        expected = torch.autograd.grad(stored(encoder, events().float()).square().sum(), [*encoder.parameters()])
    for one, other in zip(mine, expected, strict=True):
        assert one.norm() > 0
        assert (one - other).norm() < 0.03 * other.norm()


def test_a_weight_written_to_since_is_told():
    encoder = encoder_of()
    outcome = encoder(events(), CONTEXT).sum()
    with torch.no_grad():
        encoder.blocks[0].mixer.to_out.weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outcome.backward()
