"""One contract, every encoder configuration: causal, blind to padding, rows apart."""

import pytest
import torch
from pydantic import ValidationError

from recsys.nn.context import SequenceContext
from recsys.nn.encoder import Encoder, EncoderConfig

CONFIGS = [
    *(
        {"norm": norm, "feedforward": {"kind": kind}}
        for norm in ("layer", "rms")
        for kind in ("relu", "gelu", "swiglu")
    ),
    *({"residual": residual} for residual in ("gated", "pre_norm", "post_norm")),
    {"mixer": {"kind": "rotary", "num_heads": 2}},
]
LENGTH, DIM = 9, 16


@pytest.fixture(params=CONFIGS, ids=str)
def encoder(request):
    torch.manual_seed(0)
    return Encoder(EncoderConfig.model_validate({"dim": DIM, **request.param}), max_length=LENGTH).double().eval()


def events(rows: int = 4) -> torch.Tensor:
    return torch.randn(rows, LENGTH, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_no_position_reads_the_future(encoder):
    x_BLD = events()
    context = SequenceContext(torch.full((4,), LENGTH))
    before = encoder(x_BLD, context)
    for t in range(LENGTH - 1):
        changed = x_BLD.clone()
        changed[:, t + 1 :] = torch.randn_like(changed[:, t + 1 :])
        torch.testing.assert_close(encoder(changed, context)[:, : t + 1], before[:, : t + 1], atol=1e-12, rtol=0)


def test_the_gradient_towards_the_future_is_exactly_zero(encoder):
    x_BLD = events(1).requires_grad_()
    encoder(x_BLD, SequenceContext(torch.tensor([LENGTH])))[0, 3, 0].backward()
    assert x_BLD.grad is not None
    assert (x_BLD.grad[0, 4:] == 0).all()
    assert (x_BLD.grad[0, :4] != 0).any()


@pytest.mark.parametrize("pads", [0, 1, 7])
def test_padding_changes_nothing(encoder, pads):
    x_BLD = events(1)
    padded = torch.cat([x_BLD, torch.full((1, pads, DIM), 9.0, dtype=torch.float64)], dim=1)
    context = SequenceContext(torch.tensor([LENGTH]))
    torch.testing.assert_close(encoder(padded, context)[:, :LENGTH], encoder(x_BLD, context))


def test_a_row_in_a_batch_is_the_row_alone(encoder):
    x_BLD, lengths_B = events(), torch.tensor([1, 3, LENGTH, 5])
    together = encoder(x_BLD, SequenceContext(lengths_B))
    for row, length in enumerate(lengths_B.tolist()):
        alone = encoder(x_BLD[row : row + 1, :length], SequenceContext(lengths_B[row : row + 1]))
        torch.testing.assert_close(together[row : row + 1, :length], alone)


def test_heads_must_share_the_width():
    with pytest.raises(ValidationError, match=r"dim \(10\) must be divisible by mixer.num_heads \(4\)"):
        EncoderConfig.model_validate({"dim": 10, "mixer": {"num_heads": 4}})
