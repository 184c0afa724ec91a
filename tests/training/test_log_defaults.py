"""The rules, at their borders; and that held-out clicks have no say."""

import numpy as np
import pytest

from recsys.training.log_defaults import RULES, LogStatistics

LOG = LogStatistics(num_clicks=100_000, num_items=1_000, usual_length=60)


def changed(**fields: int) -> LogStatistics:
    return LogStatistics(**{**vars(LOG), **fields})


@pytest.mark.parametrize(("usual", "expected"), [(1, 10), (10, 10), (57, 57), (200, 200), (5_000, 200)])
def test_as_many_clicks_are_read_as_histories_have(usual, expected):
    assert RULES["model.max_length"](changed(usual_length=usual)).value == expected


@pytest.mark.parametrize(("clicks", "expected"), [(29_999, 0.5), (30_000, 0.3), (149_999, 0.3), (150_000, 0.2)])
def test_the_sparser_the_log_the_more_is_dropped(clicks, expected):
    assert RULES["model.dropout"](changed(num_clicks=clicks)).value == expected


@pytest.mark.parametrize(("clicks", "expected"), [(1, 256), (150_000, 512), (153_600, 1024), (10**9, 4096)])
def test_an_epoch_has_about_as_many_steps_whatever_the_log(clicks, expected):
    assert RULES["training.batch_tokens"](changed(num_clicks=clicks)).value == expected


def test_a_very_large_catalogue_is_sampled():
    exact, sampled = (RULES["training.objective"](changed(num_items=n)).value["kind"] for n in (20_000, 20_001))
    assert (exact, sampled) == ("softmax", "sampled_softmax")
    rates = [RULES["training.optimizer.learning_rate"](changed(num_items=n)).value for n in (20_000, 20_001)]
    assert rates == [4e-3, 8e-3]


def test_every_rule_names_its_key_and_what_it_counted():
    for key, rule in RULES.items():
        assert rule(LOG).key == key
        assert any(character.isdigit() for character in rule(LOG).reason)


def test_only_training_clicks_are_counted(small_dataset):
    log = LogStatistics.of(small_dataset)
    split, histories = small_dataset.split, small_dataset.histories
    lengths = np.asarray(split.train_end) - np.asarray(histories.offsets[:-1])
    assert log.num_clicks == lengths.sum() < histories.num_events
    assert log.usual_length <= lengths.max()
