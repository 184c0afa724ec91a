"""What every ranker keeps to, whichever model of the field it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.click_columns import ClickFeature, ClickFeatures
from recsys.data.dataset import Dataset
from recsys.data.example_batches import ExampleReader, RankingBatch
from recsys.data.examples import labelled_examples
from recsys.data.histories import Histories
from recsys.errors import ConfigError
from recsys.model.ranking.objectives import ListConfig
from tests.model.ranking.conftest import MODELS, READS_HISTORY, logits_of, ranker_of


def edited(dataset: Dataset, places: np.ndarray, random: np.random.Generator) -> Dataset:
    """Other items, and other values of what is known afterwards, at the places of some clicks."""
    items = np.array(dataset.histories.items)
    items[places] = random.integers(1, len(dataset.items) + 1, len(places))
    features = []
    for feature in dataset.click_features:
        values = np.array(feature.values)
        if not feature.is_context:
            values[places] = random.integers(0, feature.num_values, values[places].shape)
        features.append(ClickFeature(feature.name, feature.is_context, feature.num_values, values, feature.labels))
    histories = Histories(items, dataset.histories.times, dataset.histories.offsets)
    return replace(dataset, histories=histories, click_features=ClickFeatures(features))


def test_nothing_at_or_after_an_examples_time_reaches_its_score(ranker, labelled):
    random = np.random.default_rng(0)
    examples = labelled_examples(labelled, "test")
    expected = logits_of(ranker, labelled)
    for row in range(0, len(examples), 3):
        user, end = examples.users[row], examples.ends[row]
        later = np.arange(end, labelled.histories.offsets[user + 1])
        changed = edited(labelled, later, random)
        reader = ExampleReader(changed, examples, ranker.config.max_length)
        with torch.inference_mode():
            one = ranker(reader.batch(np.array([row])))
            as_before = ranker(ExampleReader(labelled, examples, ranker.config.max_length).batch(np.array([row])))
        assert torch.equal(one, as_before), "an event at or after the example's time has a say"
        torch.testing.assert_close(as_before[0, 0], expected[row], atol=1e-5, rtol=1e-5)


def test_clicks_of_the_same_moment_do_not_tell_of_each_other(labelled):
    examples, times = labelled_examples(labelled, "test"), labelled.histories.times
    tied = 0
    for click, user, end in zip(examples.clicks, examples.users, examples.ends, strict=True):
        begin = labelled.histories.offsets[user]
        assert (times[begin:end] < times[click]).all()
        assert (times[end : click + 1] == times[click]).all()
        tied += end < click
    assert tied > 0


@pytest.mark.parametrize("name", READS_HISTORY)
def test_a_history_is_read(name, labelled):
    ranker = ranker_of(labelled, **MODELS[name])
    examples = labelled_examples(labelled, "test")
    row = int(np.argmax(examples.ends - labelled.histories.offsets[examples.users]))
    last = np.array([examples.ends[row] - 1])
    items = np.array(labelled.histories.items)
    items[last] = items[last] % 30 + 1
    histories = Histories(items, labelled.histories.times, labelled.histories.offsets)
    changed = replace(labelled, histories=histories)
    reader = [ExampleReader(one, examples, 6).batch(np.array([row])) for one in (labelled, changed)]
    with torch.inference_mode():
        assert not torch.allclose(ranker(reader[0]), ranker(reader[1]))


def swapped(batch: RankingBatch, row: int) -> RankingBatch:
    """The last two clicks of a history, with what they carry, change places; their times stay."""
    moments, length = batch.moments, int(batch.moments.lengths_H[row])
    order = torch.arange(moments.items_HL.shape[1])
    order[length - 2], order[length - 1] = length - 1, length - 2

    def turned(values: torch.Tensor) -> torch.Tensor:
        values = values.clone()
        values[row] = values[row][order]
        return values

    marks = tuple(map(turned, moments.marks))
    return replace(batch, moments=replace(moments, items_HL=turned(moments.items_HL), marks=marks))


def test_order_means_something_to_bst_and_nothing_to_din(ranker, labelled):
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(len(reader.examples)))
    reads_order = ranker.events.placement is not None or ranker.follows is not None
    moments, changes = batch.moments, 0
    for row in (moments.lengths_H >= 2).nonzero().flatten().tolist():
        with torch.inference_mode():
            one, other = ranker(batch), ranker(swapped(batch, row))
        changes += not torch.allclose(one, other, atol=1e-5)
    assert (changes > 0) is reads_order


def test_another_target_has_another_score(ranker, labelled):
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(5))
    with torch.inference_mode():
        one, other = ranker(batch), ranker(replace(batch, items_HC=batch.items_HC % 20 + 7))
    assert not torch.isclose(one, other).any()


def test_a_batch_is_one_by_one_whoever_else_is_in_it(ranker, labelled):
    together = logits_of(ranker, labelled)
    for row in range(0, len(together), 5):
        torch.testing.assert_close(logits_of(ranker, labelled, [row])[0], together[row], atol=1e-5, rtol=1e-5)


def test_examples_of_one_moment_share_its_history(ranker, labelled):
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(6))
    items = torch.randint(1, 31, (6, 30), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = ranker(RankingBatch(batch.moments, items, torch.zeros(6, 30)))
        for candidate in (0, 7, 29):
            alone = ranker(replace(batch, items_HC=items[:, candidate : candidate + 1]))
            torch.testing.assert_close(found[:, candidate], alone[:, 0], atol=1e-5, rtol=1e-5)


def test_neither_padding_nor_what_lies_in_it_matters(ranker, labelled):
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(len(reader.examples)))
    moments = batch.moments
    padding_HL = torch.arange(moments.items_HL.shape[1]) >= moments.lengths_H[:, None]
    spoilt = replace(
        moments,
        items_HL=moments.items_HL.masked_fill(padding_HL, 7),
        ages_HL=moments.ages_HL.masked_fill(padding_HL, 123),
        marks=tuple(mark.masked_fill(padding_HL[..., None], 2) for mark in moments.marks),
    )
    with torch.inference_mode():
        torch.testing.assert_close(ranker(replace(batch, moments=spoilt)), ranker(batch), atol=1e-5, rtol=1e-5)


def test_users_without_a_click_before_have_a_score(ranker, labelled):
    reader = ExampleReader(labelled, labelled_examples(labelled, "training"), 6)
    first = np.flatnonzero(reader.examples.ends == labelled.histories.offsets[reader.examples.users])[:3]
    with torch.inference_mode():
        assert ranker(reader.batch(first)).isfinite().all()


def test_what_training_never_saw_adds_nothing(labelled):
    ranker = ranker_of(labelled, reads_user_ids=True)
    untrained = np.flatnonzero(~labelled.trained_items)[1:]
    vectors = ranker.items.ids(torch.from_numpy(untrained))
    assert len(untrained)
    assert not vectors.any()
    trains = labelled.split.train_end > labelled.histories.offsets[:-1]
    assert torch.equal(ranker.users.ids(torch.arange(len(trains))).any(dim=1), torch.from_numpy(trains))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_a_feature_is_the_mean_of_its_known_values(values):
    from recsys.model.ranking.vectors import ValueEmbedding

    embed = ValueEmbedding(4, 3)
    embed.know(torch.tensor([1, 3]))
    known = [value for value in values if value in (1, 3)]
    expected = embed.weight[known].mean(dim=0) if known else torch.zeros(3)
    torch.testing.assert_close(embed(torch.tensor([values]))[0], expected)


def test_a_cross_of_features_that_are_not_there_is_told(labelled):
    with pytest.raises(ConfigError, match="no user has a feature 'age'; there are group"):
        ranker_of(labelled, wide=True, crosses=[["age", "genre"]])


@pytest.mark.parametrize("mixer", ["softmax", "rotary"])
@pytest.mark.parametrize("residual", ["post_norm", "pre_norm", "gated"])
def test_one_block_read_once_for_all_targets_is_one_by_one(labelled, mixer, residual):
    interest = {"kind": "bst", "mixer": {"kind": mixer, "num_heads": 2}, "residual": residual}
    ranker = ranker_of(labelled, interest=interest)
    reader = ExampleReader(labelled, labelled_examples(labelled, "test"), 6)
    batch = reader.batch(np.arange(9))
    items = torch.randint(1, 31, (9, 5), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = ranker(RankingBatch(batch.moments, items, torch.zeros(9, 5)))
        alone = [ranker(replace(batch, items_HC=items[:, [one]])) for one in range(5)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-5)


def test_the_softmax_tells_the_clicked_from_those_beside_it():
    logits, labels = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]]), torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    expected = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[1, 1]) / 2
    torch.testing.assert_close(ListConfig().loss(logits, labels), expected)
    torch.testing.assert_close(ListConfig().loss(logits + torch.tensor([[3.0], [-7.0]]), labels), expected)
