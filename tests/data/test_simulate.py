"""Simulated logs keep their promises, and their clicks follow the probabilities that the ideal ranking uses."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from recsys.data import simulation_process as process
from recsys.data.simulate import best_possible, simulate_log
from recsys.data.simulation_calendar import BEGIN, SPAN, draw_lengths
from recsys.data.simulation_config import SimulationConfig
from recsys.data.simulation_process import draw_world, ideal_ranks, next_click_probabilities, ranks_of
from recsys.data.simulation_walk import _draw, walks

SMALL = SimulationConfig(num_users=3_000, num_items=300, num_clicks=36_000, seed=3)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return simulate_log(SMALL, tmp_path_factory.mktemp("small") / "clicks.parquet")


@pytest.fixture(scope="module")
def world():
    return draw_world(300, np.random.default_rng(0))


@pytest.fixture(scope="module")
def some_walks(world):
    lengths = draw_lengths(4_000, 60_000, rng=np.random.default_rng(1))
    return list(walks(world, lengths, seed=np.random.SeedSequence(2)))


def contents(log):
    return [path.read_bytes() for path in (log.clicks, log.items, log.ideal)]


def numbers(frame, column):
    return frame[column].str.slice(1).cast(pl.Int64).to_numpy()


def last_click_ranks(scores, targets, seen):
    """Ranks among the unseen, ties in the target's favour: kind to a baseline."""
    own = scores[np.arange(len(targets)), targets][:, None]
    return 1 + ((scores > own) & ~seen).sum(axis=1)


def ndcg(ranks, k=10):
    return float(np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0).mean())


class LeaveLastOut:
    """A log as arrays: the last click of a user is the target, the one before it validates, the rest trains."""

    def __init__(self, log):
        clicks, self.num_items = pl.read_parquet(log.clicks), pl.scan_parquet(log.items).collect().height
        self.items, self.users = numbers(clicks, "item_id"), numbers(clicks, "user_id")
        self.offsets = np.concatenate(([0], np.cumsum(np.bincount(self.users))))
        self.from_end = self.offsets[1:][self.users] - np.arange(len(self.users))  # 1 is the last click
        self.targets = self.items[self.offsets[1:] - 1]
        self.seen = np.zeros((len(self.targets), self.num_items), dtype=bool)
        known = self.from_end > 1
        self.seen[self.users[known], self.items[known]] = True

    def popular(self):
        return np.bincount(self.items[self.from_end > 2], minlength=self.num_items).astype(float)

    def ndcg_of(self, scores):
        return ndcg(last_click_ranks(np.broadcast_to(scores, self.seen.shape), self.targets, self.seen))

    def co_visitation(self, decay, num_recent=10):
        first = np.flatnonzero(self.from_end > 3)
        steps = np.zeros((self.num_items, self.num_items))
        np.add.at(steps, (self.items[first], self.items[first + 1]), 1.0)
        scores = np.zeros(self.seen.shape)
        for distance in range(num_recent):
            place = self.offsets[1:] - 2 - distance
            there = place >= self.offsets[:-1]
            scores[there] += decay**distance * steps[self.items[place[there]]]
        return scores + 1e-9 * self.popular()  # popular items first where nothing followed


def test_the_same_config_gives_the_same_bytes(log, tmp_path):
    assert contents(simulate_log(SMALL, tmp_path / "clicks.parquet")) == contents(log)


def test_another_seed_gives_another_log(log, tmp_path):
    other = simulate_log(SMALL.model_copy(update={"seed": 4}), tmp_path / "clicks.parquet")
    assert all(ours != theirs for ours, theirs in zip(contents(log), contents(other), strict=True))


def test_a_log_with_a_name_lies_beside_its_items_and_ideal(log, tmp_path):
    named = simulate_log(SMALL, tmp_path / "new" / "shop.parquet")
    assert contents(named) == contents(log)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["shop.ideal.parquet", "shop.items.parquet", "shop.parquet"]


@pytest.mark.parametrize(("users", "items", "clicks"), [(1, 20, 4), (7, 20, 28), (5, 37, 2_000), (1_500, 5_000, 9_001)])
def test_sizes_are_exact(users, items, clicks, tmp_path):
    config = SimulationConfig(num_users=users, num_items=items, num_clicks=clicks)
    log = simulate_log(config, tmp_path / "clicks.parquet")
    rows = pl.read_parquet(log.clicks)
    assert (rows.height, rows["user_id"].n_unique()) == (clicks, users)
    assert pl.read_parquet(log.items).height == items
    assert pl.read_parquet(log.ideal)["user_id"].to_list() == rows["user_id"].unique(maintain_order=True).to_list()
    assert rows.group_by("user_id").len()["len"].min() >= 4


def test_a_size_that_cannot_be_is_refused():
    with pytest.raises(ValidationError, match=r"between 40 and 4,000 for 10 users .* found 39: change num_clicks"):
        SimulationConfig(num_users=10, num_clicks=39)


def test_the_columns(log):
    assert pl.read_parquet_schema(log.clicks) == {
        "user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64
    }  # fmt: skip
    items = pl.read_parquet(log.items)
    assert items.columns == ["item_id", "title", "category", "department", "tags"]
    assert items.null_count().row(0) == (0,) * 5
    assert pl.read_parquet_schema(log.ideal) == {
        "user_id": pl.String, "rank": pl.Int64, "rank_with_seen": pl.Int64
    }  # fmt: skip


def test_ids_have_their_form(log):
    clicks, items = pl.read_parquet(log.clicks), pl.read_parquet(log.items)
    assert clicks["user_id"].unique().sort().to_list() == [f"u{n:06d}" for n in range(SMALL.num_users)]
    assert items["item_id"].to_list() == [f"i{n:05d}" for n in range(SMALL.num_items)]
    assert set(clicks["item_id"]) <= set(items["item_id"])
    assert items["title"].n_unique() == SMALL.num_items
    assert items.group_by("category").agg(pl.col("department").n_unique())["department"].max() == 1
    assert items["tags"].str.contains(r"^[a-z]+(\|[a-z]+){0,2}$").all()


def test_time_moves_on_within_a_user(log):
    clicks = pl.read_parquet(log.clicks)
    assert clicks["user_id"].is_sorted()
    assert clicks.select(pl.col("timestamp").diff().over("user_id").min()).item() >= 1
    assert clicks["timestamp"].is_between(BEGIN, BEGIN + SPAN).all()


def test_time_moves_on_even_for_the_busiest(tmp_path):
    config = SimulationConfig(num_users=20, num_items=20, num_clicks=8_000, seed=1)
    log = simulate_log(config, tmp_path / "clicks.parquet")
    gaps = pl.read_parquet(log.clicks).select(pl.col("timestamp").diff().over("user_id")).to_series()
    assert gaps.min() >= 1


def test_no_item_is_clicked_before_it_arrives(world, some_walks):
    arrival = world.catalogue.arrival
    assert (arrival > 0).sum() > 40
    assert all((walk.visits.times >= arrival[walk.items]).all() for walk in some_walks)


def test_the_ideal_ranking_beats_popular(log):
    data = LeaveLastOut(log)
    assert best_possible(log.ideal, exclude_seen=True).ndcg > 1.5 * data.ndcg_of(data.popular())


def test_probabilities_sum_to_one_over_what_has_arrived(world, some_walks):
    moment = some_walks[0].final.of(slice(50))
    probabilities = next_click_probabilities(world, moment)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(50), rel=1e-5)
    assert np.array_equal(probabilities > 0, world.catalogue.arrival <= moment.time[:, None])


def test_draws_follow_the_stated_probabilities(world, some_walks):
    """Chi-square of 40,000 next clicks of each of three users, items expected less than ten times lumped."""
    rng, num_draws = np.random.default_rng(5), 40_000
    for user in (0, 1, 2):
        moment = some_walks[0].final.of(np.full(num_draws, user))
        opens = rng.random(num_draws) < process.OPENING
        counts = np.bincount(_draw(world, moment, opens, rng), minlength=300)
        expected = num_draws * next_click_probabilities(world, moment.of(slice(1)))[0]
        rare = expected < 10
        seen, due = (np.append(values[~rare], values[rare].sum()) for values in (counts, expected))
        freedom = len(seen) - 1
        assert abs(((seen - due) ** 2 / due).sum() - freedom) < 4 * np.sqrt(2 * freedom)


def test_the_ideal_hits_as_often_as_it_expects(world, some_walks):
    """Its top ten hold the last click as often as their probabilities say, within four standard errors."""
    gains = []
    for walk in some_walks:
        expected = np.sort(next_click_probabilities(world, walk.final), axis=1)[:, -10:].sum(axis=1)
        gains.append((ideal_ranks(world, walk.final, walk.last_items()).among_all <= 10) - expected)
    errors = np.concatenate(gains)
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(len(errors))


def test_every_part_of_the_truth_helps(world, some_walks):
    """The ideal ranking that forgets a part of the state scores less."""
    forgets = {
        "nothing": lambda m: m,
        "before": lambda m: replace(m, before=np.full_like(m.before, 300)),
        "last": lambda m: replace(m, last=np.full_like(m.last, 300)),
        "user": lambda m: replace(m, interest=0 * m.interest, taste=0 * m.taste),
    }
    score = {}
    for name, forget in forgets.items():
        ranks = [ideal_ranks(world, forget(w.final), w.last_items()).among_unseen for w in some_walks]
        score[name] = ndcg(np.concatenate(ranks))
    assert max(score["before"], score["last"], score["user"]) < 0.97 * score["nothing"]


def test_ties_rank_the_target_last_and_it_is_never_excluded():
    probabilities = np.array([[0.4, 0.2, 0.2, 0.2]])
    target, everything, others = np.array([2]), np.ones((1, 4), dtype=bool), np.array([[False, True, False, True]])
    assert ranks_of(probabilities, target, everything).tolist() == [4]
    assert ranks_of(probabilities, target, others).tolist() == [3]


def test_chunks_of_users_are_whole(some_walks):
    assert len(some_walks) > 1
    assert sum(walk.num_users for walk in some_walks) == 4_000
    assert all(walk.visits.offsets[-1] == len(walk.items) for walk in some_walks)
    assert all((walk.final.seen.sum(axis=1) < np.diff(walk.visits.offsets)).all() for walk in some_walks)


@pytest.mark.slow
def test_the_default_needs_a_memory_longer_than_one_click(tmp_path):
    config = SimulationConfig()
    assert (config.num_users, config.num_items, config.num_clicks) >= (5_000, 2_000, 200_000)
    log = simulate_log(config, tmp_path / "clicks.parquet")
    best = best_possible(log.ideal, exclude_seen=True)
    assert 0.2 < best.hr < 0.5
    assert 0.2 < best_possible(log.ideal, exclude_seen=False).hr < 0.5
    data = LeaveLastOut(log)
    scores = [data.ndcg_of(data.co_visitation(decay)) for decay in (0.05, 0.1, 0.2, 0.4, 0.7)]
    assert data.ndcg_of(data.popular()) < max(scores) < 0.7 * best.ndcg
