"""Batches against the histories they are cut from, whether the clicks lie in the mapped file or on the device."""

from itertools import accumulate, islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.batches import EpochPlan, Shard, TrainingBatches, lay_out
from recsys.data.clicks import MappedClicks, ResidentClicks
from recsys.data.windows import Windows

CPU = torch.device("cpu")
SHARDS = [Shard(), Shard(0, 2), Shard(1, 2), Shard(2, 3)]


@pytest.fixture(params=["all", "last"])
def batches(request, small_dataset) -> TrainingBatches:
    return TrainingBatches(small_dataset, max_length=5, token_budget=40, windows=request.param, seed=1)


def tensors(batch):
    return batch.items_BL, batch.lengths_B, batch.targets_BL, batch.positions_N


@pytest.mark.parametrize("shard", SHARDS, ids=str)
@pytest.mark.parametrize("first", [0, 2])
def test_resident_clicks_make_the_batches_of_mapped_ones(batches, shard, first):
    plan = batches.plan(4, shard)
    histories = batches.dataset.histories
    places = [clicks(histories.items, histories.times, CPU) for clicks in (MappedClicks, ResidentClicks)]
    epochs = [list(batches.iterate(plan, first=first, shard=shard, clicks=clicks)) for clicks in places]
    assert len(epochs[0]) == len(plan) - first > 0
    for mapped, resident in zip(*epochs, strict=True):
        assert mapped.num_targets == resident.num_targets
        for one, other in zip(tensors(mapped), tensors(resident), strict=True):
            assert one.dtype == other.dtype == torch.int64
            assert torch.equal(one, other)


@pytest.mark.parametrize("shard", SHARDS, ids=str)
def test_a_batch_holds_its_windows_and_nothing_else(batches, shard):
    plan = batches.plan(0, shard)
    items = batches.dataset.histories.items
    for number, batch in enumerate(batches.iterate(plan, first=0, shard=shard)):
        rows = plan.rows(number, shard)
        windows = list(zip(plan.windows.starts[rows], plan.windows.stops[rows], strict=True))
        assert [len(batch.items_BL), len(batch.targets_BL)] == [len(windows)] * 2
        for items_L, targets_L, (start, stop) in zip(batch.items_BL, batch.targets_BL, windows, strict=True):
            padding = [0] * (batch.items_BL.shape[1] - (stop - start - 1))
            assert items_L.tolist() == items[start : stop - 1].tolist() + padding
            assert targets_L.tolist() == items[start + 1 : stop].tolist() + padding


@pytest.mark.parametrize("shard", SHARDS, ids=str)
def test_without_padding_there_is_none(batches, shard):
    for batch in batches.iterate(batches.plan(0, shard), first=0, shard=shard):
        assert torch.equal(batch.positions_N, batch.items_BL.flatten().nonzero()[:, 0])
        assert torch.equal(batch.positions_N, batch.targets_BL.flatten().nonzero()[:, 0])
        assert torch.equal(batch.without_padding(batch.targets_BL), batch.targets_BL[batch.targets_BL > 0])
        vectors_BLD = torch.randn(*batch.items_BL.shape, 3)
        assert torch.equal(batch.without_padding(vectors_BLD), vectors_BLD[batch.items_BL > 0])


def test_the_plan_counts_what_is_to_come(batches):
    plan = batches.plan(0, Shard())
    counts = [plan.num_targets(batch) for batch in range(len(plan))]
    seen = [len(batch.positions_N) for batch in batches.iterate(plan, first=0, shard=Shard())]
    assert counts == seen
    assert [plan.clicks_from(first) for first in range(len(plan) + 1)] == list(accumulate(counts[::-1], initial=0))[
        ::-1
    ]


def test_an_epoch_without_windows_has_no_batches():
    nobody = Windows(*np.zeros((3, 0), np.int64))
    plan = EpochPlan(nobody, token_budget=40, random=np.random.default_rng(0))
    assert (len(plan), plan.clicks_from(0)) == (0, 0)


def test_more_ranks_than_windows_leave_a_rank_an_empty_batch(batches):
    plan = batches.plan(0, Shard())
    idle = Shard(1000, 1001)
    for clicks in (MappedClicks, ResidentClicks):
        placed = clicks(batches.dataset.histories.items, None, CPU)
        batch = next(batches.iterate(plan, first=0, shard=idle, clicks=placed))
        assert batch.items_BL.shape == (0, 1)
        assert len(batch.positions_N) == 0
        assert batch.num_targets == plan.num_targets(0) > 0


def test_a_log_is_sent_in_parts(small_dataset, monkeypatch):
    monkeypatch.setattr("recsys.data.clicks.SENT_AT_ONCE", 7)
    items = small_dataset.histories.items
    clicks = ResidentClicks(items, small_dataset.histories.times, CPU)
    assert clicks.items_E.tolist() == items.tolist()
    assert clicks.times_E.tolist() == small_dataset.histories.times.tolist()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 5))
def test_any_windows_are_laid_out_row_by_row(lengths, gap):
    counts = np.array(lengths)
    starts = gap + np.cumsum(counts) - counts
    items = np.arange(1, starts[-1] + counts[-1] + 2, dtype=np.int32)
    windows = Windows(np.ones_like(starts), starts, starts + counts + 1)
    times = 10 * items.astype(np.int64)
    for clicks in (MappedClicks(items, times, CPU), ResidentClicks(items, times, CPU)):
        batch = lay_out(clicks.reader(windows)(slice(None)), lengths=counts, num_targets=int(counts.sum()))
        rows = [list(range(start + 1, start + count + 1)) for start, count in zip(starts, lengths, strict=True)]
        assert batch.without_padding(batch.items_BL).tolist() == [item for row in rows for item in row]
        assert batch.without_padding(batch.times_BL).tolist() == [10 * item for row in rows for item in row]
        assert batch.without_padding(batch.asked_BL).tolist() == [10 * (item + 1) for row in rows for item in row]
        assert batch.without_padding(batch.targets_BL).tolist() == [item + 1 for row in rows for item in row]
        assert batch.items_BL.shape == batch.targets_BL.shape == (len(lengths), max(lengths))
        assert int((batch.items_BL > 0).sum()) == int((batch.targets_BL > 0).sum()) == sum(lengths)


def test_epochs_differ_and_one_epoch_does_not(batches):
    one, again, other = (batches.plan(epoch, Shard()).windows for epoch in (0, 0, 1))
    assert np.array_equal(one.starts, again.starts)
    assert not np.array_equal(one.starts, other.starts)
    first = next(islice(batches.iterate(batches.plan(0, Shard()), first=2, shard=Shard()), 1))
    third = next(islice(batches.iterate(batches.plan(0, Shard()), first=0, shard=Shard()), 2, 3))
    assert torch.equal(first.items_BL, third.items_BL)
