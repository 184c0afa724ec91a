import pytest
from pydantic import ValidationError

from recsys.evaluation.config import EvaluationConfig


def test_ten_is_always_among_the_cutoffs():
    assert EvaluationConfig(cutoffs=(50, 1, 1)).cutoffs == (1, 10, 50)


@pytest.mark.parametrize("cutoffs", [(0,), (-1,), (2**63 - 1,), (10**20,)])
def test_a_cutoff_is_the_length_of_a_list(cutoffs):
    with pytest.raises(ValidationError, match="cutoffs"):
        EvaluationConfig(cutoffs=cutoffs)


def test_so_few_resamples_that_no_p_value_could_be_small_are_refused():
    with pytest.raises(ValidationError, match="resamples"):
        EvaluationConfig(resamples=999)
