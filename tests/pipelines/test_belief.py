"""`recsys audit` and `recsys compare` as a user types them."""

import shutil

import polars as pl
import pytest

from tests.pipelines.commands import assert_one_message, command


@pytest.fixture
def own_home(finished_home, tmp_path):
    """To be changed."""
    return shutil.copytree(finished_home, tmp_path / "home", symlinks=True)


def test_a_clean_run_is_told_check_by_check(own_home):
    done = command(own_home, "audit", "my.yaml")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Audit:"
    assert lines[-1] == "Findings: run/audit.json"
    assert {line.split()[0] for line in lines[1:-1]} >= {"ok", "note"}


@pytest.mark.slow
def test_a_feature_made_of_the_answers_is_exit_2_with_every_finding_before_it(home):
    """Each user's last click decides which items are `hot`; two of three items are nobody's."""
    rows = [(user, step) for user in range(300) for step in range(12)]
    clicks = pl.DataFrame(
        {
            "user_id": [f"u{user:03}" for user, _ in rows],
            "item_id": [f"i{(user * 7 + step * 13) % 150 + user % 3 * 150 * (step < 11)}" for user, step in rows],
            "timestamp": [1_700_000_000 + user * 977 + step * 3600 for user, step in rows],
        }
    )
    clicks.write_parquet(home / "clicks.parquet")
    answers = clicks.group_by("user_id", maintain_order=True).last()["item_id"].unique()
    items = clicks.select(pl.col("item_id").unique().sort())
    items.with_columns(hot=pl.col("item_id").is_in(answers.implode())).write_parquet(home / "items.parquet")
    text = (home / "my.yaml").read_text()
    features = "  items: {path: items.parquet, features: [{column: hot}]}\n  split:"
    (home / "my.yaml").write_text(text.replace("  split:", features))
    assert command(home, "prepare", "my.yaml").returncode == 0
    done = command(home, "audit", "my.yaml")
    assert done.returncode == 2, done.stdout
    assert "LEAK  no item feature was made from held-out clicks: 'hot' tells test targets" in done.stdout
    assert "not looked at: run/model is missing" in done.stdout
    assert "error: the evaluation leaks" in done.stderr
    assert "evaluation.known_in_advance=[hot]" in done.stderr
    trusted = command(home, "audit", "my.yaml", "evaluation.known_in_advance=[hot]")
    assert trusted.returncode == 0, trusted.stdout


@pytest.mark.slow
def test_two_runs_are_compared(own_home):
    other = command(own_home, "run", "my.yaml", "workdir=other", "model.dim=16")
    assert other.returncode == 0, other.stderr
    done = command(own_home, "compare", "run", "other")
    assert done.returncode == 0, done.stderr
    assert " test users, the same for all; split leave_last_out" in done.stdout.splitlines()[0]
    assert "  model.dim: 8 | 16\n" in done.stdout
    assert any(found in done.stdout for found in ("No difference can be told between", "ranks better than"))


def test_what_cannot_be_compared_is_one_message(finished_home):
    done = command(finished_home, "compare", "run", "nowhere")
    assert done.returncode == 2
    assert_one_message(done, "nowhere is no work directory with an evaluation")
