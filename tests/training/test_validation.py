"""Whom a validation ranks."""

import numpy as np
import pytest

from recsys.training import validation
from recsys.training.validation import Validator


@pytest.mark.parametrize(("most_users", "ranked"), [(10**6, 7), (5, 5)])
def test_of_a_large_catalogue_fewer_users_are_ranked(small_dataset, monkeypatch, most_users, ranked):
    monkeypatch.setattr(validation, "MOST_SCORES", 7 * len(small_dataset.candidates) + 1)
    one, again = (Validator(small_dataset, exclude_seen=True, max_users=most_users, seed=0) for _ in range(2))
    assert len(one) == ranked
    assert np.array_equal(one.users, again.users)


def test_a_very_wide_catalogue_still_has_a_user_to_rank(small_dataset, monkeypatch):
    monkeypatch.setattr(validation, "MOST_SCORES", 1)
    assert len(Validator(small_dataset, exclude_seen=True, max_users=9, seed=0)) == 1
