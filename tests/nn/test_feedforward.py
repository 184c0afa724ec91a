"""Feed-forward networks: gated and plain ones are one family, and pieces are the whole at less memory."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from recsys.nn.feedforward import GATED, PLAIN, FeedForward, FeedForwardConfig, GatedFeedForward

DIM, ROWS, LENGTH = 6, 3, 5
KINDS = [*PLAIN, *GATED]


def network(kind: str, chunks: int = 1):
    torch.manual_seed(0)
    built = FeedForwardConfig.model_validate({"kind": kind, "chunks": chunks}).build(DIM)
    assert built is not None
    return built.double()


def events() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, LENGTH, DIM, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize(
    ("kind", "activation"), [("glu", torch.sigmoid), ("reglu", F.relu), ("geglu", F.gelu), ("swiglu", F.silu)]
)
def test_a_gate_whose_other_factor_is_one_is_a_plain_network(kind, activation):
    gated, x_BLD = network(kind), events()
    assert isinstance(gated, GatedFeedForward)
    assert [name for name, _ in gated.named_parameters()] == ["gate.weight", "up.weight", "down.weight"]
    torch.testing.assert_close(gated(x_BLD), gated.down(activation(gated.gate(x_BLD)) * gated.up(x_BLD)))
    gated.up = torch.nn.Linear(DIM, 4 * DIM).double()
    torch.nn.init.zeros_(gated.up.weight)
    torch.nn.init.ones_(gated.up.bias)
    torch.testing.assert_close(gated(x_BLD), gated.down(activation(gated.gate(x_BLD))))


def test_a_gated_network_two_thirds_as_wide_is_as_large_as_a_plain_one():
    plain, gated = (
        FeedForwardConfig(kind=kind, expansion=expansion).build(64)
        for kind, expansion in (("relu", 4), ("reglu", 8 / 3))
    )
    sizes = [sum(weight.numel() for weight in built.parameters()) for built in (plain, gated)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_each_position_is_transformed_on_its_own(kind):
    built, x_BLD, order = network(kind), events(), torch.randperm(LENGTH)
    torch.testing.assert_close(built(x_BLD[:, order]), built(x_BLD)[:, order])


@pytest.mark.parametrize("kind", ["relu", "swiglu"])
@pytest.mark.parametrize("chunks", [2, 4, 7, ROWS * LENGTH, 99])
def test_pieces_are_the_whole(kind, chunks):
    """Fifteen positions come apart unevenly, too; and packed rows, and one position a row."""
    whole, pieces, x_BLD = network(kind), network(kind, chunks), events()
    assert [*whole.state_dict()] == [*pieces.state_dict()]
    for read in (x_BLD, x_BLD.flatten(0, 1), x_BLD[:, 0]):
        outcomes = [built(read) for built in (whole, pieces)]
        torch.testing.assert_close(*outcomes)
        gradients = [
            torch.autograd.grad(outcome.square().sum(), [x_BLD, *built.parameters()], retain_graph=True)
            for outcome, built in zip(outcomes, (whole, pieces), strict=True)
        ]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("kind", ["relu", "swiglu"])
def test_no_more_than_a_piece_of_the_hidden_numbers_is_there_at_a_time(kind):
    for chunks, positions in ((1, 15), (5, 3), (4, 4)):
        built, kept, largest = network(kind, chunks), Kept(), Largest()
        with largest, torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            built(events()).sum().backward()
        assert largest.rows == positions
        assert (4 * DIM in kept.widths) == (chunks == 1)


class Kept:
    """How wide the activations are that are kept for the backward pass."""

    def __init__(self):
        self.widths = set()

    def pack(self, tensor):
        if not tensor.is_leaf:
            self.widths.add(tensor.shape[-1])
        return tensor


class Largest(TorchDispatchMode):
    """How many positions the largest tensor of hidden width holds, going backward as well; weights aside."""

    rows = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.shape[-1:] == (4 * DIM,) and made.shape != (DIM, 4 * DIM):
            self.rows = max(self.rows, made.numel() // (4 * DIM))
        return made


def test_none_is_no_network_at_all():
    assert FeedForwardConfig(kind="none").build(DIM) is None
    assert isinstance(network("leaky_relu"), FeedForward)
