"""`recsys similar` as a user types it: several items together, JSON, every item at once."""

import json

import polars as pl
import pytest

import recsys
from tests.pipelines.commands import assert_one_message, command


def test_several_items_together_are_one_list(finished_home):
    done = command(finished_home, "similar", "run/bundle", "i001", "i007", "--together", "--k", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nearest to 'i001' (Heat [1995] :fire:), 'i007' (Film i007)")
    assert done.stdout.count("Nearest to") == 1
    expected = recsys.load(finished_home / "run/bundle").similar_to_all(["i001", "i007"], k=5)
    assert [line.split("│")[2].strip() for line in done.stdout.splitlines() if line.startswith("│")] == [
        found.item for found in expected
    ]


@pytest.mark.parametrize("index", ["bundle", pytest.param("exact", marks=pytest.mark.slow)])
def test_json_is_for_programs(finished_home, index):
    done = command(finished_home, "similar", "run/bundle", "i001", "i002", "--json", "--k", "3", "--index", index)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    opened = recsys.load(finished_home / "run/bundle")
    assert (told["bundle"], told["metric"]) == (opened.bundle.content_id, "cosine")
    assert told["index"] == "exact" if index == "exact" else told["index"]["kind"] == "flat"
    for answer, item in zip(told["answers"], ["i001", "i002"], strict=True):
        assert answer["items"] == [item]
        assert [(near["item"], near["title"], near["score"]) for near in answer["neighbours"]] == [
            (near.item, near.title, near.score) for near in opened.similar(item, k=3)
        ]


def test_every_items_neighbours_go_to_one_file(finished_home, tmp_path):
    file = tmp_path / "made" / "near.parquet"
    done = command(finished_home, "similar", "run/bundle", "--all", str(file), "--k", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (f"Neighbours: {file}\n  of 40 items; 0 were never clicked in training and have none\n")
    written, opened = pl.read_parquet(file), recsys.load(finished_home / "run/bundle")
    assert written.schema == {"item_id": pl.String, "rank": pl.Int32, "neighbour_id": pl.String, "score": pl.Float32}
    for (item,), own in written.group_by("item_id", maintain_order=True):
        near = opened.similar(item, k=4)
        assert own["rank"].to_list() == [1, 2, 3, 4]
        assert own["neighbour_id"].to_list() == [found.item for found in near]
        assert own["score"].to_list() == [found.score for found in near]
    assert written["item_id"].n_unique() == 40


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name items to look up, or write every item's neighbours with --all FILE"),
        (["i001", "--all", "near.parquet"], "leave items, --together and --json out, or leave --all out"),
        pytest.param(
            *(["--all", "near.parquet", "--json"], "leave items, --together and --json out"), marks=pytest.mark.slow
        ),
        pytest.param(*(["--all", "near.csv"], "near.csv must end in .parquet"), marks=pytest.mark.slow),
        pytest.param(*(["--all", "near.parquet", "--k", "0"], "k must be at least 1, got 0"), marks=pytest.mark.slow),
        pytest.param(
            *(["i001", "i099", "--together"], "item 'i099' is not in this bundle's catalogue"), marks=pytest.mark.slow
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(finished_home, arguments, told):
    before = sorted(finished_home.iterdir())
    done = command(finished_home, "similar", "run/bundle", *arguments)
    assert done.returncode == 2
    assert_one_message(done, told)
    assert sorted(finished_home.iterdir()) == before
