"""What a feature tells, against plain loops; and that being new is no leak."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import ConfigError
from recsys.evaluation.audit.clicks import Clicks
from recsys.evaluation.audit.features import CHECK, check_features
from recsys.evaluation.audit.strata import Outcome
from tests.evaluation.audit.conftest import KINDS, Log
from tests.evaluation.audit.garden import asked

DAYS, DAY = 60, 86_400


def outcome_of(has, strata):
    return Outcome("test targets", np.array([False, *has]), np.array([-1, *strata]))


def pairs_won(outcome, scores):
    """Twice the pairs of one stratum in which the item with the outcome scores higher, and twice all of them."""
    won = total = 0
    items = range(1, len(outcome.has))
    for one in (item for item in items if outcome.has[item]):
        for other in (item for item in items if not outcome.has[item]):
            if outcome.strata[one] == outcome.strata[other] >= 0:
                won += 2 * (scores[one] > scores[other]) + (scores[one] == scores[other])
                total += 2
    return won, total


items_of_a_log = st.lists(
    st.tuples(st.booleans(), st.integers(-1, 3), st.integers(0, 3), st.booleans()), min_size=1, max_size=40
)


@given(items_of_a_log)
def test_auc_counts_pairs_of_one_stratum(items):
    has, strata, scores, _ = zip(*items, strict=True)
    outcome = outcome_of(has, strata)
    scores = np.array([0.0, *scores])
    won, total = pairs_won(outcome, scores)
    assert outcome.auc(scores) == pytest.approx(won / total if total else 0.5)


@given(items_of_a_log)
def test_membership_sums_to_the_auc_of_a_set(items):
    has, strata, _, member = zip(*items, strict=True)
    outcome = outcome_of(has, strata)
    inside = np.array([False, *member])
    assert 0.5 + outcome.membership[inside].sum() / 2 == pytest.approx(outcome.auc(inside.astype(float)))


@given(items_of_a_log)
def test_surprise_sums_to_nothing_in_every_stratum(items):
    has, strata, _, _ = zip(*items, strict=True)
    outcome = outcome_of(has, strata)
    for stratum in set(strata) - {-1}:
        assert outcome.surprise[outcome.strata == stratum].sum() == pytest.approx(0.0, abs=1e-9)


def news(directory, random, *, lifetime, is_by_date):
    """Items are clicked for some days after they were published; the table tells when that was, which is honest."""
    num_items, num_clicks = 1500, 20_000
    published = random.uniform(0, DAYS, num_items)
    appeal = random.lognormal(0.0, 1.0, num_items)
    times = np.sort(random.uniform(5, DAYS, num_clicks))
    items = np.empty(num_clicks, dtype=np.int64)
    for rows in np.array_split(np.arange(num_clicks), 2000):
        age = times[rows[0]] - published
        weight = np.where(age > 0, appeal * np.exp(-age / lifetime), 0.0)
        items[rows] = random.choice(num_items, len(rows), p=weight / weight.sum())
    users = np.arange(num_clicks) // 10 if is_by_date else random.integers(0, 1500, num_clicks)
    is_test = users > 0.85 * users.max() if is_by_date else users % 3 == 0
    seconds = 1_700_000_000 + (times * DAY).astype(np.int64)
    part = np.where(is_test, "test", "train")
    clicks = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": seconds, "part": part})
    days = published.astype(np.int64)
    table = pl.DataFrame({"item_id": np.arange(num_items), "day": days, "week": [f"week {day // 7}" for day in days]})
    return Log(clicks, table, directory)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_by_date", [False, True], ids=["users stay", "users come and go"])
@pytest.mark.parametrize("lifetime", [2.0, 10.0])
def test_that_the_new_is_clicked_more_is_no_leak(kind, is_by_date, lifetime, tmp_path, random):
    log = news(tmp_path / "log", random, lifetime=lifetime, is_by_date=is_by_date)
    questions = asked(log.prepare(kind, features=[{"column": "day"}, {"column": "week"}]))
    finding = check_features(questions, Clicks.of(questions.dataset))
    assert finding.verdict in ("passed", "noted"), finding.found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_input", [True, False])
def test_a_column_of_targets_is_found_among_news(kind, is_input, tmp_path, random):
    log = news(tmp_path / "log", random, lifetime=10.0, is_by_date=False)
    clean = asked(log.prepare(kind, features=[]))
    targets = clean.dataset.items.ids_of(np.unique(clean.targets).tolist())
    items = log.items.with_columns(pl.col("item_id").is_in(targets).cast(pl.String).alias("answers"))
    log = log.having(tmp_path / "planted", items=items)
    questions = asked(log.prepare(kind, features=[{"column": "day"}, {"column": "answers", "is_input": is_input}]))
    finding = check_features(questions, Clicks.of(questions.dataset))
    assert (finding.check, finding.verdict) == (CHECK, "leak" if is_input else "noted")
    assert "'answers' tells test targets from other items" in finding.found
    assert ("the model does not read it" in finding.found) == (not is_input)
    assert finding.numbers["AUC of answers"] > 0.999


def test_somebody_may_answer_for_a_feature(tmp_path, random):
    log = news(tmp_path / "log", random, lifetime=10.0, is_by_date=False)
    clean = asked(log.prepare("by_time", features=[]))
    targets = clean.dataset.items.ids_of(np.unique(clean.targets).tolist())
    items = log.items.with_columns(pl.col("item_id").is_in(targets).cast(pl.String).alias("ahead"))
    questions = asked(log.having(tmp_path / "planned", items=items).prepare("by_time", features=[{"column": "ahead"}]))
    clicks = Clicks.of(questions.dataset)
    found = check_features(questions, clicks)
    assert found.verdict == "leak"
    assert "say so with evaluation.known_in_advance=[ahead]" in found.remedy
    trusted = check_features(questions, clicks, trusted=("ahead",))
    assert trusted.verdict == "noted"
    assert "(evaluation.known_in_advance)" in trusted.found
    with pytest.raises(ConfigError, match=r"names 'price'; the features of data\.items are: ahead"):
        check_features(questions, clicks, trusted=("price",))


def test_without_features_there_is_nothing_to_look_at(log):
    questions = asked(log.prepare("by_time", features=[]))
    assert check_features(questions, Clicks.of(questions.dataset)).verdict == "not applicable"
