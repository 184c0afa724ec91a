"""What an ideal.parquet says, and what is none."""

import numpy as np
import polars as pl
import pytest

from recsys.data.simulate import best_possible
from recsys.errors import DataError


def test_best_possible_counts_the_ranks(tmp_path):
    path = tmp_path / "ideal.parquet"
    pl.DataFrame({"user_id": ["a", "b", "c"], "rank": [1, 3, 11], "rank_with_seen": [2, 5, 20]}).write_parquet(path)
    unseen, everything = (best_possible(path, exclude_seen=excluded) for excluded in (True, False))
    assert (unseen.hr, unseen.ndcg) == pytest.approx((2 / 3, (1 + 1 / 2) / 3))
    assert (everything.hr, everything.ndcg) == pytest.approx((2 / 3, (1 / np.log2(3) + 1 / np.log2(6)) / 3))
    assert best_possible(path, k=1, exclude_seen=False).hr == 0
    assert best_possible(path, exclude_seen=True, users=pl.Series(["c", "b", "a"])) == unseen
    for users in (["a", "b"], ["a", "b", "d"], [1, 2, 3]):
        with pytest.raises(DataError, match=r"ideal\.parquet tells of other users than the log has \(3 against"):
            best_possible(path, exclude_seen=True, users=pl.Series(users))


@pytest.mark.parametrize("contents", [b"", b"no parquet", pl.DataFrame({"user_id": ["a"]})])
def test_what_is_no_ideal_is_refused(contents, tmp_path):
    path = tmp_path / "ideal.parquet"
    contents.write_parquet(path) if isinstance(contents, pl.DataFrame) else path.write_bytes(contents)
    with pytest.raises(DataError, match=r"ideal\.parquet is not what `recsys simulate` writes"):
        best_possible(path, exclude_seen=True)
