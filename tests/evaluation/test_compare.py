from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys.errors import BundleError, DataError
from recsys.evaluation.audit.findings import AuditReport
from recsys.evaluation.compare.answers import Run
from recsys.evaluation.compare.compare import compare
from recsys.evaluation.compare.report import ComparisonReport
from recsys.evaluation.outcome import Evaluation, Protocol

PROTOCOL = Protocol(
    split="by_time",
    item_universe="items clicked in training",
    num_candidates=500,
    filter="none",
    max_length=50,
    gaps_floored_to_seconds=None,
    users=4,
    users_without_history=0,
    targets_never_trained=0,
    targets_not_candidates=0,
    targets_clicked_before=0,
    resamples=1000,
)


def write(directory: Path, ranks, *, targets=None, users=None, lists=None, **protocol) -> Path:
    """A work directory as `recsys evaluate` leaves it; `ranks` of the retriever, None where it has none."""
    targets = [10 * n for n in range(len(ranks))] if targets is None else targets
    truth = pl.DataFrame({"user_id": users or [f"u{n:04}" for n in range(len(ranks))], "item_id": targets})
    evaluation = Evaluation(
        protocol=PROTOCOL.model_copy(update={"users": len(ranks), **protocol}),
        systems={},
        missing={},
        comparisons=(),
        segmentations=(),
        target_popularity=1.0,
        audit=AuditReport(findings=()),
    )
    files = directory / "evaluation"
    files.mkdir(parents=True)
    places = [list(range(1000, 1012))] * len(ranks) if lists is None else lists
    listed = truth.select("user_id", item_id=pl.Series(places)).explode("item_id")
    listed.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id")).write_parquet(files / "lists.parquet")
    columns = {"retriever": pl.Series(ranks, dtype=pl.Int64), "popular": pl.Series([1] * len(ranks))}
    truth.with_columns(**columns).write_parquet(files / "ranks.parquet")
    (directory / "evaluation.json").write_text(evaluation.model_dump_json())
    return directory


@pytest.fixture
def run(tmp_path):
    def build(name, ranks, group=None, **options) -> Run:
        return Run(name, group or name, write(tmp_path / name, ranks, **options))

    return build


def random_ranks(seed, shift=0.0, num_users=600):
    """Of users who are easy or hard to tell, whatever the seed."""
    difficulty = np.random.default_rng(99).normal(2.5, 1.5, num_users)
    noise = np.random.default_rng(seed).normal(shift, 1.0, num_users)
    return np.ceil(np.exp(difficulty + noise)).astype(np.int64).tolist()


def difference(report: ComparisonReport, metric="NDCG@10"):
    return next(found for found in report.comparisons if found.metric == metric)


def test_figures_are_means_over_users_and_differences_are_theirs(run):
    report = compare([run("a", [1, 3, 11, None]), run("b", [2, None, 1, 10])], resamples=500)
    a, b = (system.metrics for system in report.systems)
    assert a["HR@10"].value == pytest.approx(2 / 4)
    assert a["NDCG@10"].value == pytest.approx((1 + 1 / 2) / 4)
    assert b["MRR@10"].value == pytest.approx((1 / 2 + 1 + 1 / 10) / 4)
    for metric in ("HR@10", "NDCG@10", "MRR@10"):
        assert difference(report, metric).difference.value == pytest.approx(a[metric].value - b[metric].value)


def test_order_of_users_in_the_files_does_not_matter(run):
    users = [f"u{n:04}" for n in range(600)]
    ranks, other = random_ranks(0), random_ranks(1)
    turned = run("b2", other[::-1], users=users[::-1], targets=[10 * n for n in range(600)][::-1])
    plain = compare([run("a", ranks), run("b", other)], resamples=500)
    found = compare([run("a2", ranks), turned], resamples=500)
    assert [one.difference for one in found.comparisons] == [one.difference for one in plain.comparisons]


def test_the_better_one_is_named_in_whatever_order(run):
    good, bad = run("good", random_ranks(0, -0.5)), run("bad", random_ranks(1))
    told, turned = (compare(runs, resamples=1000).verdicts for runs in ([good, bad], [bad, good]))
    assert told[0].startswith("good ranks better than bad: HR@10 +0.")
    assert turned[0].startswith("good ranks better than bad: HR@10 +0.")


def test_alike_systems_are_not_told_apart(run):
    report = compare([run("a", random_ranks(0)), run("b", random_ranks(1))], resamples=1000)
    assert report.verdicts[0].startswith("No difference can be told between a and b: NDCG@10")
    same = compare([run("c", random_ranks(0)), run("d", random_ranks(0))], resamples=1000)
    assert all(found.p == found.p_adjusted == 1.0 for found in same.comparisons)
    assert same.disagreements[0].better_by_first == same.disagreements[0].better_by_second == ()


def test_systems_that_differ_both_ways_are_said_to(run):
    # the first always comes second or third; the other is first, or just out
    first, second = [3] * 600, [1, 1, 11, 11, 11] * 120
    report = compare([run("a", first), run("b", second)], resamples=500)
    assert difference(report, "HR@10").difference.value > 0 > difference(report, "MRR@10").difference.value
    assert report.verdicts[0].startswith("a and b differ, and neither is better throughout: HR@10 +0.6000")


def test_p_values_are_adjusted_for_all_pairs_and_metrics(run):
    report = compare([run(name, random_ranks(seed, -0.1 * seed)) for seed, name in enumerate("abc")], resamples=1000)
    assert [found.systems for found in report.comparisons] == [
        pair for pair in (("a", "b"), ("a", "c"), ("b", "c")) for _ in range(3)
    ]
    smallest = min(report.comparisons, key=lambda found: found.p)
    assert smallest.p_adjusted == pytest.approx(min(1.0, 9 * smallest.p))
    assert all(found.p <= found.p_adjusted <= min(1.0, 9 * found.p) for found in report.comparisons)


def test_seeds_of_one_system_are_combined_and_widen_its_interval(run):
    seeds = [run(f"a{seed}", random_ranks(seed, 0.1 * seed), group="a") for seed in range(3)]
    report = compare([*seeds, run("b", random_ranks(9))], resamples=1000)
    assert [(system.name, system.runs) for system in report.systems] == [("a", ("a0", "a1", "a2")), ("b", ("b",))]
    alone = [compare([seed, run(f"b{seed.name}", random_ranks(9))], resamples=1000).systems[0] for seed in seeds]
    together = report.systems[0].metrics["NDCG@10"]
    assert together.value == pytest.approx(np.mean([one.metrics["NDCG@10"].value for one in alone]))
    assert together.high - together.low > max(one.metrics["NDCG@10"].high - one.metrics["NDCG@10"].low for one in alone)


def test_one_seed_is_warned_of(run):
    a, b = run("a", [1, 2]), run("b", [2, 1])
    assert "one seed each of a, b:" in compare([a, b], resamples=100).warnings[0]
    seeds = [run(f"{name}{n}", [1, 2], group=name) for name in "cd" for n in range(2)]
    assert compare(seeds, resamples=100).warnings == ()
    assert "one seed each of a:" in compare([a, *seeds[2:]], resamples=100).warnings[0]


def test_disagreement_counts_every_user_once(run):
    lists = [[[1, 2, 3], [4, 5, 6], [7], [8, 9]], [[3, 2, 9], [6, 1, 4], [8], [9, 8]]]
    first = run("a", [1, 3, 11, None], lists=lists[0])
    found = compare([first, run("b", [2, None, 1, 400], lists=lists[1])], resamples=100).disagreements[0]
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 1, 1, 1)
    assert found.shared_items == (2 + 2 + 0 + 2) / 4
    best, *_ = found.better_by_first
    assert (best.user_id, best.target, best.ranks) == ("u0001", "10", (3, None))
    assert best.lists == (("4", "5", "6"), ("6", "1", "4"))
    assert [example.user_id for example in found.better_by_first] == ["u0001", "u0000"]
    assert [example.ranks for example in found.better_by_second] == [(11, 1), (None, 400)]


def test_only_the_first_ten_of_a_list_are_compared(run):
    lists = [[[*range(100)]] * 2, [[*range(5, 10), *range(20, 95)]] * 2]
    runs = [run(name, [1, 1], lists=own) for name, own in zip("ab", lists, strict=True)]
    assert compare(runs, resamples=100).disagreements[0].shared_items == 5


def test_the_report_prints_what_it_found(run):
    runs = [run("runs/a", [1, 3, 11, None]), run("runs/b", [2, None, 1, 10])]
    report = compare(runs, resamples=100)
    text = "\n".join(report.lines())
    for part in (
        "4 test users, the same for all; split by_time, 500 candidates, filter: none",
        "runs/a - runs/b  NDCG@10 ",
        "hit by both 1, by runs/a only 1, by runs/b only 2, by neither 0",
        "user u0002, target 20: rank 11 (1000, 1001, 1002 ...) and rank 1 (1000, 1001, 1002 ...)",
        "not returned",
        "Note: one seed each of runs/a, runs/b",
        *report.verdicts,
    ):
        assert part in text
    assert ComparisonReport.model_validate_json(report.model_dump_json()) == report


def test_the_same_runs_get_the_same_answer(run):
    runs = [run(name, random_ranks(seed)) for seed, name in enumerate("ab")]
    assert compare(runs, resamples=100) == compare(runs, resamples=100)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"split": "leave_last_out"}, "split 'by_time' against 'leave_last_out'; prepare and evaluate both"),
        ({"filter": "items clicked before the target"}, "filter 'none' against 'items clicked before the target'"),
        ({"num_candidates": 501}, "num_candidates 500 against 501"),
        (
            {"users": ["u0000", "u0001", "u0009"]},
            "1 users are in the first only and 1 in the second only, such as 'u0002'",
        ),
        ({"targets": [0, 11, 20]}, "1 of 3 users have another target, such as 'u0001': 10 against 11; prepare both"),
        ({"users": [1, 2, 3]}, r"their ids are \[String, Int64\] against \[Int64, Int64\]; prepare both"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_runs_that_were_asked_something_else_are_refused(run, other, found):
    runs = [run("a", [1, 2, 3]), run("b", [1, 2, 3], **other)]
    with pytest.raises(DataError, match=f"a and b .*{found}"):
        compare(runs)


def test_a_users_subset_is_refused_with_an_example_of_what_lacks(run):
    with pytest.raises(DataError, match="0 users are in the first only and 1 in the second only, such as 'u0002'"):
        compare([run("a", [1, 2]), run("b", [1, 2, 3])])


def test_seeds_of_one_system_alone_are_no_comparison(run):
    with pytest.raises(DataError, match="needs two systems, and these 2 runs are seeds of one, a"):
        compare([run("a0", [1], group="a"), run("a1", [1], group="a")])


@pytest.mark.parametrize("file", ["evaluation.json", "evaluation/ranks.parquet", "evaluation/lists.parquet"])
def test_a_run_without_its_evaluation_and_a_damaged_one_are_refused(run, file):
    a, b = run("a", [1, 2]), run("b", [2, 1])
    (b.path / file).write_bytes(b"half")
    with pytest.raises(BundleError, match=f"{file} is damaged .*`recsys evaluate` again"):
        compare([a, b], resamples=100)
    (b.path / file).unlink()
    with pytest.raises(DataError, match=f"b has no evaluation to compare: {file} is missing; run `recsys evaluate`"):
        compare([a, b], resamples=100)
