"""Lists of another system are compared with a run as a run's own would be, and what is no list is refused."""

import polars as pl
import pytest

from recsys.errors import DataError
from recsys.evaluation.compare.answers import Run
from recsys.evaluation.compare.compare import compare
from tests.evaluation.test_compare import difference, random_ranks, write

RANKS = random_ranks(1, num_users=300)


@pytest.fixture
def run(tmp_path):
    return Run("own", "own", write(tmp_path / "own", RANKS))


@pytest.fixture
def lists(tmp_path):
    """A file whose lists have each user's target at its rank, if that is among the first 20, and fillers elsewhere."""

    def build(ranks, **changes) -> Run:
        rows = [
            (f"u{user:04}", 10 * user if place == rank else 100_000 + place, place)
            for user, rank in enumerate(ranks)
            for place in range(1, 21)
        ]
        frame = pl.DataFrame(rows, schema=["user_id", "item_id", "rank"], orient="row").with_columns(**changes)
        frame.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(tmp_path / "lists.parquet")
        return Run("lists", "lists", tmp_path / "lists.parquet")

    return build


@pytest.mark.parametrize("k", [1, 10, 20])
def test_the_same_ranks_differ_by_nothing(run, lists, k):
    report = compare([lists(RANKS), run], k=k, resamples=200)
    assert [system.name for system in report.systems] == ["lists", "own"]
    assert difference(report, f"NDCG@{k}").difference.value == 0
    found = report.disagreements[0]
    assert found.k == min(k, 12), "as far as both lists reach"
    assert found.both == sum(rank <= found.k for rank in RANKS)
    assert report.warnings[0].startswith("lists: lists from elsewhere")


def test_other_ranks_differ_as_two_runs_would(run, lists, tmp_path):
    others = random_ranks(2, shift=1.0, num_users=300)
    as_run = Run("other", "other", write(tmp_path / "other", others))
    found = [difference(compare([run, other], resamples=200)) for other in (lists(others), as_run)]
    assert found[0].difference == found[1].difference


def test_users_without_a_list_are_misses_and_users_who_are_not_asked_do_not_count(run, lists):
    file = lists([*RANKS, 1]).path
    frame = pl.read_parquet(file)
    frame.filter(pl.col("user_id") != "u0000").write_parquet(file)
    report = compare([run, Run("lists", "lists", file)], resamples=200)
    assert difference(report, "HR@10").difference.value == pytest.approx((RANKS[0] <= 10) / 300)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": pl.col("rank") - 1}, "ranks from 0 to 19: they have to go from 1 to 10"),
        ({"rank": pl.lit(1)}, "ranks from 1 to 1: they have to go"),
        ({"rank": pl.col("rank").cast(pl.Float64)}, "rank is Float64"),
        ({"rank": pl.max_horizontal("rank", pl.lit(2)) - 1}, "has two items of one rank"),
        ({"item_id": pl.lit(7)}, "has one item twice"),
        ({"item_id": pl.lit("a")}, "item_id is String, and that of the run it is compared with Int64"),
        ({"item_id": pl.lit(None, pl.Int64)}, "has empty values"),
        ({"user_id": pl.lit("nobody")}, "has none of the users who are asked"),
    ],
)
def test_what_is_no_list_is_told(run, lists, changes, message):
    with pytest.raises(DataError, match=message):
        compare([run, lists(RANKS, **changes)], resamples=200)


def test_a_file_of_something_else_is_told(run, tmp_path):
    pl.DataFrame({"user_id": [1]}).write_parquet(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("user_id,item_id,rank")
    with pytest.raises(DataError, match="has no column 'item_id', only user_id"):
        compare([run, Run("a", "a", tmp_path / "other.parquet")])
    with pytest.raises(DataError, match=r"text.parquet is no Parquet file of lists"):
        compare([run, Run("a", "a", tmp_path / "text.parquet")])
