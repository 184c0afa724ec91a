"""Sinusoidal positions: no weights, and a step is a rotation."""

import torch

from recsys.nn.context import Packing, SequenceContext
from recsys.nn.positions import POSITIONS
from recsys.nn.sinusoids import sinusoids


def test_going_on_turns_each_pair_by_a_fixed_angle():
    length, dim, k = 50, 8, 7
    waves_LD = sinusoids(torch.arange(length), dim, torch.float64)
    pairs_LJ = torch.view_as_complex(waves_LD.unflatten(1, (-1, 2)).flip(-1).contiguous())
    turn_J = torch.polar(torch.ones(dim // 2).double(), k * 10_000.0 ** -(torch.arange(0, dim, 2).double() / dim))
    torch.testing.assert_close(pairs_LJ[k:], pairs_LJ[:-k] * turn_J, atol=1e-12, rtol=0)


def test_they_are_added_from_the_start_to_padded_and_packed_rows_and_are_no_weights():
    positions, lengths = POSITIONS["sinusoidal"](6, 5), torch.tensor([2, 4])
    assert not positions.state_dict()
    x_BLD = torch.zeros(2, 4, 5)
    placed = positions(x_BLD, SequenceContext(lengths))
    assert torch.equal(placed, sinusoids(torch.arange(4), 5, torch.float32).expand(2, -1, -1))
    packing = Packing.of(lengths, torch.tensor([0, 1, 4, 5, 6, 7]), 4)
    packed = positions(torch.zeros(6, 5), SequenceContext(lengths, packing=packing))
    assert torch.equal(packed, packing.pack(placed))
    assert positions(torch.zeros(1, 6, 5), SequenceContext(torch.tensor([6]))).shape == (1, 6, 5)
