"""A job that died goes on with what is missing; no user is missing, none is there twice."""

import random
import signal
from pathlib import Path

import pytest

from recsys import durable
from tests.offline.asked import Asked, by_user, killed_at, lists_in
from tests.processes import ended


class Died(BaseException):
    """What stands for the end of the process."""


def written(directory: Path) -> dict[str, int]:
    """When each part was written."""
    return {path.name: path.stat().st_mtime_ns for path in directory.glob("part-*.parquet")}


def is_kept(before: dict[str, int], after: dict[str, int]) -> bool:
    return before.items() <= after.items()


def test_dying_before_any_durable_step_loses_nothing(
    texts: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts.ask(tmp_path / "whole", part_size=20)
    for num_steps in range(8):  # the note and three parts, two steps each
        directory = tmp_path / f"died{num_steps}"
        die_after(num_steps, monkeypatch)
        with pytest.raises(Died):
            texts.ask(directory, part_size=20)
        monkeypatch.undo()
        before = written(directory)
        texts.ask(directory, part_size=20)
        assert is_kept(before, written(directory))
        assert lists_in(directory).equals(lists_in(tmp_path / "whole"))


def die_after(num_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(num_steps))

    def die(path: Path) -> None:
        if next(left, None) is None:
            raise Died(path)

    monkeypatch.setattr(durable, "before_write", die)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(texts: Asked, text_workdir: Path, tmp_path: Path) -> None:
    texts.ask(tmp_path / "whole", part_size=1)
    steps = random.Random(0).sample(range(2, 100), 20)  # the note and fifty parts take two durable steps each, or more
    num_parts_seen = set()
    for step in steps:
        directory = tmp_path / f"killed{step}"
        assert ended(killed_at, step, text_workdir, directory) == -signal.SIGKILL, f"no window at step {step}"
        before = written(directory)
        assert len(before) < 50
        num_parts_seen.add(len(before))
        texts.ask(directory, part_size=1)
        assert is_kept(before, written(directory))
        assert lists_in(directory).equals(lists_in(tmp_path / "whole"))
        assert sorted(by_user(directory)) == list(texts.dataset.users)
        assert not [path for path in directory.iterdir() if path.suffix == ".tmp"]
    assert len(num_parts_seen) > 15, "the moments should differ"


def test_the_same_again_does_nothing_and_says_so(texts: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = texts.ask(tmp_path)
    before = written(tmp_path)
    monkeypatch.delattr(type(texts.recommender), "lists")
    again = texts.ask(tmp_path)
    assert texts.told == ["recommend: all 8 parts are there already; nothing to do"]
    assert written(tmp_path) == before
    assert (again.num_users_now, again.users_per_second) == (0, 0.0)
    assert (again.num_users, again.num_popular, again.num_short) == (
        first.num_users,
        first.num_popular,
        first.num_short,
    )


def test_only_what_is_missing_is_done(texts: Asked, tmp_path: Path) -> None:
    whole = lists_in(texts.ask(tmp_path).directory)
    (tmp_path / "part-00002.parquet").unlink()
    before = written(tmp_path)
    result = texts.ask(tmp_path)
    assert texts.told == ["recommend: 7 of 8 parts are there already; going on with the others"]
    assert is_kept(before, written(tmp_path))
    assert (result.num_users_now, result.num_users) == (7, 50)
    assert lists_in(tmp_path).equals(whole)


@pytest.mark.parametrize("change", [{"k": 4}, {"exclude_seen": False}, {"part_size": 30}])
def test_another_request_removes_the_parts_of_the_first(texts: Asked, tmp_path: Path, change: dict[str, int]) -> None:
    texts.ask(tmp_path)
    (tmp_path / "notes.parquet.txt").write_text("not ours")
    result = texts.ask(tmp_path, **change)
    texts.ask(tmp_path / "fresh", **change)
    assert result.num_users_now == result.num_users
    assert texts.told == []
    assert lists_in(tmp_path).equals(lists_in(tmp_path / "fresh"))
    assert (tmp_path / "notes.parquet.txt").exists()


def test_a_changed_file_is_another_request(texts: Asked, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    for user in ("u010", "u020"):
        path.write_text(f"user_id\n{user}\n")
        texts.ask(tmp_path / "out", users=path)
        assert list(by_user(tmp_path / "out")) == [user]


def test_parts_without_a_note_are_not_trusted(texts: Asked, tmp_path: Path) -> None:
    texts.ask(tmp_path)
    (tmp_path / "job.json").unlink()
    assert texts.ask(tmp_path).num_users_now == 50
