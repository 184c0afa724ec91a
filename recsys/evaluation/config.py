"""The `evaluation` section."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from recsys.section import Section

K = 10
"""The k of everything that is told at one k only."""


Cutoff = Annotated[int, Field(ge=1, le=1_000_000)]


def _with_ten(cutoffs: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*cutoffs, K}))


class EvaluationConfig(Section):
    cutoffs: Annotated[tuple[Cutoff, ...], AfterValidator(_with_ten)] = (5, 10, 20)
    """The k of HR@k, NDCG@k, MRR@k and MAP@k; 10 is always among them."""
    resamples: int = Field(default=10_000, ge=1_000, le=1_000_000)
    """How often the test users are drawn anew, with replacement, for intervals and paired tests.

    No p value is below 2 / resamples, and Holm's method multiplies it by the number of comparisons.
    """
    list_length: PositiveInt = 100
    """How many items of each test user's list are kept in evaluation/lists.parquet."""
    covisitation_decay: float = Field(default=0.7, gt=0.0, le=1.0)
    """How much less each earlier click of a history counts than the one after it, in the Co-visitation baseline."""
    known_in_advance: tuple[str, ...] = ()
    """Item features of which the audit takes your word that they were known before the test clicks: an event's date."""
    ideal: Path | None = None
    """Ranks under the true probabilities, as `recsys simulate` writes them: results are told as shares of the best."""
