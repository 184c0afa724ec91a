"""Sinusoidal positions: no weights, and a step is a rotation."""

import torch

from recsys.nn.context import Packing, SequenceContext
from recsys.nn.positions import POSITIONS, sinusoids


def test_going_on_turns_each_pair_by_a_fixed_angle():
    length, dim, k = 50, 8, 7
    pairs_LJ = torch.view_as_complex(sinusoids(length, dim).double().unflatten(1, (-1, 2)).flip(-1).contiguous())
    turn_J = torch.polar(torch.ones(dim // 2).double(), k * 10_000.0 ** -(torch.arange(0, dim, 2).double() / dim))
    torch.testing.assert_close(pairs_LJ[k:], pairs_LJ[:-k] * turn_J, atol=1e-6, rtol=0)


def test_they_are_added_from_the_start_to_padded_and_packed_rows_and_are_no_weights():
    positions, lengths = POSITIONS["sinusoidal"](6, 5), torch.tensor([2, 4])
    assert not positions.state_dict()
    x_BLD = torch.zeros(2, 4, 5)
    placed = positions(x_BLD, SequenceContext(lengths))
    assert torch.equal(placed, sinusoids(6, 5)[:4].expand(2, -1, -1))
    packing = Packing.of(lengths, torch.tensor([0, 1, 4, 5, 6, 7]), 4)
    packed = positions(torch.zeros(6, 5), SequenceContext(lengths, packing=packing))
    assert torch.equal(packed, packing.pack(placed))
    assert positions(torch.zeros(1, 6, 5), SequenceContext(torch.tensor([6]))).shape == (1, 6, 5)
