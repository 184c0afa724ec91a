"""What every mixer keeps, whatever it does inside: each check takes a mixer in fp64 and whether it reads causally."""

import torch

from recsys.nn.context import Packing, SequenceContext
from recsys.nn.mixers.mixer import Mixer

DIM, LENGTH = 8, 11
LENGTHS = torch.tensor([1, 4, LENGTH, 10])


def events(rows: int = len(LENGTHS), length: int = LENGTH) -> torch.Tensor:
    return torch.randn(rows, length, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def no_position_reads_the_future(mixer, causal):
    x_BLD, context = events(), SequenceContext(torch.full((len(LENGTHS),), LENGTH), causal=causal)
    before = mixer(x_BLD, context)
    for t in range(LENGTH - 1):
        changed = torch.cat([x_BLD[:, : t + 1], torch.randn_like(x_BLD[:, t + 1 :])], dim=1)
        torch.testing.assert_close(mixer(changed, context)[:, : t + 1], before[:, : t + 1], atol=1e-12, rtol=0)
        read = x_BLD.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(mixer(read, context)[:, t].sum(), read)
        assert (gradient[:, t + 1 :] == 0).all()
        assert (gradient[:, t] != 0).any()


def padding_changes_nothing(mixer, causal):
    x_BLD, context = events(2), SequenceContext(torch.tensor([LENGTH, 3]), causal=causal)
    valid = context.valid_BL(LENGTH)
    for pads in (0, 1, 7, 15):
        padded = torch.cat([x_BLD, torch.zeros(2, pads, DIM, dtype=torch.float64)], dim=1)
        padded[~context.valid_BL(LENGTH + pads)] = 9.0
        mixed = mixer(padded, context)
        torch.testing.assert_close(mixed[:, :LENGTH][valid], mixer(x_BLD, context)[valid])
        assert (mixed[~context.valid_BL(LENGTH + pads)] == 0).all()


def a_row_in_a_batch_is_the_row_alone(mixer, causal):
    x_BLD = events()
    together = mixer(x_BLD, SequenceContext(LENGTHS, causal=causal))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = mixer(x_BLD[row : row + 1, :length], SequenceContext(LENGTHS[row : row + 1], causal=causal))
        torch.testing.assert_close(together[row : row + 1, :length], alone)


def an_empty_row_is_finite(mixer, causal):
    x_BLD = events(2).requires_grad_()
    mixed = mixer(x_BLD, SequenceContext(torch.tensor([0, 4]), causal=causal))
    mixed.square().sum().backward()
    assert torch.isfinite(mixed).all()
    for tensor in (x_BLD, *mixer.parameters()):
        assert torch.isfinite(tensor.grad).all()


def last_is_the_last_of_all(mixer, causal):
    x_BLD, context = events(), SequenceContext(LENGTHS, causal=causal)
    lasts = [mixer.last(x_BLD, context), Mixer.last(mixer, x_BLD, context)]
    gradients = [torch.autograd.grad(last.square().sum(), [*mixer.parameters()]) for last in lasts]
    torch.testing.assert_close(*lasts)
    torch.testing.assert_close(*gradients)


def packed_rows_are_mixed_as_padded_ones(mixer, causal):
    positions_N = (torch.arange(LENGTH) < LENGTHS[:, None]).flatten().nonzero()[:, 0]
    packing = Packing.of(LENGTHS, positions_N, LENGTH)
    packed = mixer(packing.pack(events()), SequenceContext(LENGTHS, causal=causal, packing=packing))
    torch.testing.assert_close(packed, packing.pack(mixer(events(), SequenceContext(LENGTHS, causal=causal))))


def the_gradient_is_that_of_the_function(mixer, causal):
    context = SequenceContext(torch.tensor([3, 5]), causal=causal)
    inputs = events(2, 5).requires_grad_(), *mixer.parameters()
    assert torch.autograd.gradcheck(lambda x, *_: mixer(x, context), inputs, fast_mode=True)


ANY = [
    padding_changes_nothing,
    a_row_in_a_batch_is_the_row_alone,
    an_empty_row_is_finite,
    last_is_the_last_of_all,
    packed_rows_are_mixed_as_padded_ones,
    the_gradient_is_that_of_the_function,
]
CAUSAL = [(check, True) for check in (no_position_reads_the_future, *ANY)]
BIDIRECTIONAL = [(check, False) for check in ANY]


def label(value) -> str:
    return value.__name__ if callable(value) else f"causal={value}"
