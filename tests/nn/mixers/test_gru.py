"""The recurrent mixer: the recurrence written out."""

import torch

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.gru import Gru, GruConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events


def gru(num_layers: int = 1) -> Gru:
    torch.manual_seed(0)
    return GruConfig(num_layers=num_layers).build(SequenceShape(DIM, LENGTH)).double()


def test_it_is_the_recurrence_written_out():
    mixer, x_BLD = gru(), events()
    wx, wh, bx, bh = mixer.gru.parameters()
    h_BD = torch.zeros(len(LENGTHS), DIM, dtype=torch.float64)
    mixed = mixer(x_BLD, SequenceContext(torch.full((len(LENGTHS),), LENGTH)))
    for t in range(LENGTH):
        (xr, xz, xn), (hr, hz, hn) = (x_BLD[:, t] @ wx.T + bx).chunk(3, dim=-1), (h_BD @ wh.T + bh).chunk(3, dim=-1)
        update, candidate = (xz + hz).sigmoid(), (xn + (xr + hr).sigmoid() * hn).tanh()
        h_BD = (1 - update) * candidate + update * h_BD
        torch.testing.assert_close(mixed[:, t], h_BD)


def test_it_reads_what_is_earlier_whatever_it_is_asked():
    assert GruConfig.causal_only
    mixed = [gru()(events(), SequenceContext(LENGTHS, causal=causal)) for causal in (True, False)]
    assert torch.equal(*mixed)
