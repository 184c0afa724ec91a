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


def test_they_are_as_long_as_fresh_learned_ones_and_turn_as_the_waves_do():
    waves, learned = (
        POSITIONS[kind](200, 64)(torch.zeros(1, 200, 64), SequenceContext(torch.tensor([200])))
        for kind in ("sinusoidal", "start")
    )
    torch.testing.assert_close(waves.norm(dim=-1), torch.ones(1, 200))
    torch.testing.assert_close(learned.norm(dim=-1).mean(), torch.tensor(1.0), atol=0.05, rtol=0)
    torch.testing.assert_close(waves, sinusoids(torch.arange(200), 64, torch.float32)[None] * 32**-0.5)


def test_they_are_added_from_the_start_to_padded_and_packed_rows_and_are_no_weights():
    positions, lengths = POSITIONS["sinusoidal"](6, 5), torch.tensor([2, 4])
    assert not positions.state_dict()
    x_BLD = torch.zeros(2, 4, 5)
    placed = positions(x_BLD, SequenceContext(lengths))
    waves_LD = sinusoids(torch.arange(4), 5, torch.float32)
    torch.testing.assert_close(placed, (waves_LD / waves_LD.norm(dim=-1, keepdim=True)).expand(2, -1, -1))
    packing = Packing.of(lengths, torch.tensor([0, 1, 4, 5, 6, 7]), 4)
    packed = positions(torch.zeros(6, 5), SequenceContext(lengths, packing=packing))
    assert torch.equal(packed, packing.pack(placed))
    assert positions(torch.zeros(1, 6, 5), SequenceContext(torch.tensor([6]))).shape == (1, 6, 5)
