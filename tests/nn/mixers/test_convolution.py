"""Lightweight and dynamic convolutions: the windows written out, and how little memory they take."""

import pytest
import torch
import torch.nn.functional as F

from recsys.nn.context import SequenceContext
from recsys.nn.mixers.convolution import Convolution, ConvolutionConfig
from recsys.nn.shape import SequenceShape
from tests.nn.mixers.contract import DIM, LENGTH, LENGTHS, events

KERNELS = ["lightweight", "dynamic"]
ALL = torch.full((len(LENGTHS),), LENGTH)


def convolution(kernel: str, size: int, *, num_heads: int = 2) -> Convolution:
    torch.manual_seed(0)
    config = ConvolutionConfig(kernel=kernel, kernel_size=size, num_heads=num_heads)
    return config.build(SequenceShape(DIM, LENGTH)).double()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("num_heads", [1, 2, DIM])
@pytest.mark.parametrize("size", [1, 2, 3, LENGTH + 2])
@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_the_window_written_out(kernel, size, num_heads, causal):
    mixer, x_BLD = convolution(kernel, size, num_heads=num_heads), events()
    v_BLD = F.glu(mixer.to_gated(x_BLD), dim=-1)
    newest = 0 if causal else (size - 1) // 2
    windows_BLDW = F.pad(v_BLD, (0, 0, size - 1 - newest, newest)).unfold(1, size, 1)
    mixed = torch.zeros_like(v_BLD)
    for channel in range(DIM):
        head = channel // (DIM // num_heads)
        if kernel == "dynamic":
            taps_W = mixer.kernel.to_taps(v_BLD)[..., head * size : (head + 1) * size]
        else:
            taps_W = mixer.kernel.taps_HW[head]
        mixed[..., channel] = (windows_BLDW[:, :, channel] * taps_W.softmax(dim=-1)).sum(dim=-1)
    torch.testing.assert_close(mixer(x_BLD, SequenceContext(ALL, causal=causal)), mixer.to_out(mixed))


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_of_one_is_the_value_projection(kernel):
    mixer, x_BLD = convolution(kernel, 1), events()
    expected = mixer.to_out(F.glu(mixer.to_gated(x_BLD), dim=-1))
    torch.testing.assert_close(mixer(x_BLD, SequenceContext(ALL)), expected)


@pytest.mark.parametrize("causal", [True, False])
def test_a_dynamic_kernel_that_looks_at_nothing_is_lightweight(causal):
    dynamic, lightweight = (convolution(kernel, 5) for kernel in ("dynamic", "lightweight"))
    lightweight.load_state_dict(dynamic.state_dict(), strict=False)
    torch.nn.init.zeros_(dynamic.kernel.to_taps.weight)
    lightweight.kernel.taps_HW.data = dynamic.kernel.to_taps.bias.data.unflatten(0, (2, 5))
    context = SequenceContext(LENGTHS, causal=causal)
    torch.testing.assert_close(dynamic(events(), context), lightweight(events(), context))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("causal", "read"), [(True, [3, 4, 5, 6, 7]), (False, [5, 6, 7, 8, 9])])
def test_a_position_reads_its_window_and_no_more(kernel, causal, read):
    x_BLD = events(1).requires_grad_()
    mixed = convolution(kernel, 5)(x_BLD, SequenceContext(torch.tensor([LENGTH]), causal=causal))
    (gradient,) = torch.autograd.grad(mixed[0, 7].sum(), x_BLD)
    assert (gradient[0] != 0).any(dim=-1).nonzero()[:, 0].tolist() == read


@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_that_is_kept_for_the_gradient_is_as_large_as_the_windows(kernel):
    x_BLD, size, kept = events(), 32, {}

    def remember(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    mixer = convolution(kernel, size, num_heads=1)
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        mixer(x_BLD, SequenceContext(ALL)).sum().backward()
    windows = x_BLD.numel() * x_BLD.element_size() * size
    assert sum(kept.values()) < windows
