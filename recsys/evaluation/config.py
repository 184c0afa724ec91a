"""The `evaluation` section."""

from pathlib import Path

from pydantic import Field, PositiveInt

from recsys.section import Section


class EvaluationConfig(Section):
    list_length: PositiveInt = 100
    """How many items of each test user's list are kept in evaluation/lists.parquet."""
    covisitation_decay: float = Field(default=0.7, gt=0.0, le=1.0)
    """How much less each earlier click of a history counts than the one after it, in the Co-visitation baseline."""
    ideal: Path | None = None
    """Ranks under the true probabilities, as `recsys simulate` writes them: results are told as shares of the best."""
