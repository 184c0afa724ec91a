"""What every mixer keeps, whatever it does inside: each check takes a mixer in fp64 and whether it reads causally."""

import torch

from recsys.nn.context import Packing, SequenceContext
from recsys.nn.mixers.mixer import Mixer, PaddedMixer, with_target

DIM, LENGTH, MAX_LENGTH = 8, 11, 26
LENGTHS = torch.tensor([1, 4, LENGTH, 10])


def events(rows: int = len(LENGTHS), length: int = LENGTH) -> torch.Tensor:
    return torch.randn(rows, length, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def real(lengths: torch.Tensor, length: int) -> torch.Tensor:
    """Where there is no padding, without asking a context."""
    return torch.arange(length) < lengths[:, None]


def whole(rows: int, length: int, *, causal: bool) -> SequenceContext:
    return SequenceContext(torch.full((rows,), length), causal=causal)


def no_position_reads_the_future(mixer, causal):
    x_BLD, context = events(), whole(len(LENGTHS), LENGTH, causal=causal)
    before = mixer(x_BLD, context)
    for t in range(LENGTH - 1):
        changed = torch.cat([x_BLD[:, : t + 1], torch.randn_like(x_BLD[:, t + 1 :])], dim=1)
        torch.testing.assert_close(mixer(changed, context)[:, : t + 1], before[:, : t + 1], atol=1e-12, rtol=0)
        read = x_BLD.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(mixer(read, context)[:, t].sum(), read)
        assert (gradient[:, t + 1 :] == 0).all()
        assert (gradient[:, : t + 1] != 0).any()


def padding_changes_nothing(mixer, causal):
    lengths = torch.tensor([LENGTH, 3])
    x_BLD, context, valid = events(2), SequenceContext(lengths, causal=causal), real(lengths, LENGTH)
    for pads in (0, 1, 3, 7, 15):
        padded, is_padding = torch.cat([x_BLD, events(2, pads)], dim=1), ~real(lengths, LENGTH + pads)
        padded[is_padding] = 9.0
        mixed = mixer(padded, context)
        torch.testing.assert_close(mixed[:, :LENGTH][valid], mixer(x_BLD, context)[valid])
        assert torch.isfinite(mixed).all()
        if isinstance(mixer, PaddedMixer):
            assert (mixed[is_padding] == 0).all()


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


def a_batch_without_rows_is_mixed(mixer, causal):
    """A rank's share of a batch that is smaller than there are ranks."""
    x_BLD = events()[:0].requires_grad_()
    context = SequenceContext(LENGTHS[:0], causal=causal)
    mixed_BLD, last_BD = mixer(x_BLD, context), mixer.last(x_BLD, context)
    assert (mixed_BLD.shape, last_BD.shape) == (x_BLD.shape, (0, DIM))
    mixed_BLD.sum().backward()
    assert all(parameter.grad is None or (parameter.grad == 0).all() for parameter in mixer.parameters())


def rows_may_be_as_long_as_the_longest(mixer, causal):
    """What is longer is cut before a mixer sees it."""
    x_BLD = events(2, MAX_LENGTH)
    longest = mixer(x_BLD, whole(2, MAX_LENGTH, causal=causal))
    assert torch.isfinite(longest).all()
    if causal:
        torch.testing.assert_close(mixer(x_BLD[:, :LENGTH], whole(2, LENGTH, causal=True)), longest[:, :LENGTH])


def last_is_the_last_of_all(mixer, causal):
    x_BLD, context = events(), SequenceContext(LENGTHS, causal=causal)
    lasts = [mixer.last(x_BLD, context), Mixer.last(mixer, x_BLD, context)]
    gradients = [torch.autograd.grad(last.square().sum(), [*mixer.parameters()]) for last in lasts]
    torch.testing.assert_close(*lasts)
    torch.testing.assert_close(*gradients)


def what_comes_behind_a_row_is_its_next_position(mixer, causal):
    targets_BND = events(length=3).flip(1)
    longer_BLD, longer = with_target(events(), LENGTHS, targets_BND)
    expected = Mixer.last(mixer, longer_BLD, longer).view_as(targets_BND)
    torch.testing.assert_close(mixer.beyond(events(), SequenceContext(LENGTHS, causal=causal), targets_BND), expected)


def packed_rows_are_mixed_as_padded_ones(mixer, causal):
    packing = Packing.of(LENGTHS, real(LENGTHS, LENGTH).flatten().nonzero()[:, 0], LENGTH)
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
    a_batch_without_rows_is_mixed,
    rows_may_be_as_long_as_the_longest,
    last_is_the_last_of_all,
    the_gradient_is_that_of_the_function,
]
# packed rows are read causally, and what stands behind a row is read by nobody that does
CAUSAL = [(check, True) for check in (no_position_reads_the_future, packed_rows_are_mixed_as_padded_ones, *ANY)]
BIDIRECTIONAL = [(check, False) for check in (what_comes_behind_a_row_is_its_next_position, *ANY)]


def label(value) -> str:
    return value.__name__ if callable(value) else f"causal={value}"
