"""Rows laid one behind the other are encoded as padded ones are."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from recsys.data.batches import Shard
from recsys.data.feature_table import Features
from recsys.model.retriever import Retriever, RetrieverConfig
from recsys.nn.context import Packing
from recsys.nn.mixers import packed as module
from recsys.nn.mixers.packed import has_kernel, packed_attention
from recsys.training.engine import fit
from recsys.training.layouts import packed, padded
from recsys.training.retrieval_job import build_batches, build_task
from tests.training.conftest import changed, job, weights  # noqa: F401

LENGTHS = torch.tensor([3, 1, 5, 4])
WIDTH = 5


def packing() -> Packing:
    positions_N = (torch.arange(WIDTH) < LENGTHS[:, None]).flatten().nonzero()[:, 0]
    return Packing.of(LENGTHS, positions_N, WIDTH)


def test_packing_and_unpacking_are_inverse():
    x_ND = torch.randn(int(LENGTHS.sum()), 2, 3)
    x_BLD = packing().unpack(x_ND)
    assert torch.equal(packing().pack(x_BLD), x_ND)
    assert int((x_BLD != 0).any(-1).any(-1).sum()) == len(x_ND)
    assert packing().offsets_B1.tolist() == [0, 3, 4, 9, 13]
    assert packing().columns_N.tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3]


CONFIGS = [
    {"num_blocks": 0},
    {"num_blocks": 1, "score": {"kind": "cosine"}},
    {"num_blocks": 3, "residual": "post_norm"},
    {"positions": "end", "gaps": {"kind": "log", "unit_seconds": 1}},
    {"query_time": {"kind": "log", "unit_seconds": 1}, "calendar": {"kind": "stretches"}},
    {"positions": "none", "mixer": {"kind": "rotary"}},
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_packed_rows_are_encoded_as_padded_ones(config):
    torch.manual_seed(0)
    config = {"dim": 8, "max_length": 6, **config}
    model = Retriever.for_catalogue(RetrieverConfig.model_validate(config), 20, Features(())).eval()
    items_BL = torch.randint(1, 21, (len(LENGTHS), WIDTH)) * (torch.arange(WIDTH) < LENGTHS[:, None])
    moments = 10**6 * torch.randint(0, 9, (len(LENGTHS), WIDTH + 1)).cumsum(dim=1)
    times = moments[:, :-1], moments[:, 1:]
    padded_ND = packing().pack(model.encode(items_BL, LENGTHS, *times))
    items_N, positions_N = packing().pack(items_BL), packing().positions_N
    packed_ND = model.encode_packed(items_N, LENGTHS, *times, positions_N=positions_N, width=WIDTH)
    torch.testing.assert_close(packed_ND, padded_ND)


def test_the_gradient_is_the_same(job):  # noqa: F811
    batches = build_batches(job)
    for batch in batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard()):
        gradients = []
        for layout in (padded, packed):
            task = build_task(job).eval()
            layout(task.retriever, batch).square().sum().backward()
            gradients.append([p.grad for p in task.parameters() if p.grad is not None])
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other)


def test_packed_training_is_padded_training(changed, tmp_path):  # noqa: F811
    jobs = [changed({"layout": kind}, {"dropout": 0.0}, directory=tmp_path / kind) for kind in ("padded", "packed")]
    for one in jobs:
        fit(one, tell=lambda _: None)
    for name, value in weights(jobs[0].directory).items():
        torch.testing.assert_close(weights(jobs[1].directory)[name], value, atol=1e-4, rtol=1e-3)


def test_the_kernel_takes_what_it_is_given():
    """No device is needed to see shapes through it."""
    if not module.torch_has_it():
        pytest.skip("torch 2.10 has no window in its variable-length attention")
    with FakeTensorMode():
        parts = [torch.empty(13, 2, 8, device="cuda", dtype=torch.bfloat16) for _ in range(3)]
        offsets_B1 = torch.empty(5, dtype=torch.int32, device="cuda")
        rows = Packing(offsets_B1, torch.empty(13, dtype=torch.int64, device="cuda"), WIDTH)
        assert has_kernel(parts[0])
        mixed_NHK = packed_attention(*parts, rows)
        assert (mixed_NHK.shape, mixed_NHK.dtype) == (parts[0].shape, torch.bfloat16)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((13, 2, 8), torch.float32), ((13, 2, 4), torch.bfloat16), ((13, 2, 264), torch.bfloat16)]
)
def test_what_the_kernel_does_not_take_is_padded(shape, dtype):
    with FakeTensorMode():
        assert not has_kernel(torch.empty(shape, dtype=dtype, device="cuda"))
    assert not has_kernel(torch.empty(shape, dtype=dtype))
