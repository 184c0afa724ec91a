"""How far the popularity of items moves from training to test, held against what chance alone would move it."""

import numpy as np
from numpy.typing import NDArray

from recsys.evaluation.audit.clicks import Clicks
from recsys.evaluation.audit.findings import Finding
from recsys.evaluation.questions import Questions

CHECK = "test clicks are spread over items as training clicks are"
MUCH = 0.05
"""By how much the distance may exceed what chance would make."""


def check_drift(questions: Questions, clicks: Clicks) -> Finding:
    """Total variation distance of equal samples: test against training, and training against its own rest."""
    num_rows, random = len(questions.dataset.items) + 1, np.random.default_rng(0)
    trained, tested = clicks.items[clicks.trains], clicks.items[clicks.tests]
    size = min(len(tested), len(trained) // 2)
    is_drawn = np.zeros(len(trained), dtype=bool)
    is_drawn[random.choice(len(trained), size, replace=False)] = True
    rest = _shares(trained[~is_drawn], num_rows)
    by_chance = _distance(rest, _shares(trained[is_drawn], num_rows))
    found = _distance(rest, _shares(random.choice(tested, size, replace=False), num_rows))
    new = float(np.mean(~np.asarray(questions.dataset.trained_items)[tested]))
    return Finding(
        check=CHECK,
        verdict="noted" if found - by_chance > MUCH else "passed",
        found=f"total variation distance {found:.3f}, and {by_chance:.3f} between equal samples of training alone; "
        f"{new:.2%} of {len(tested):,} test clicks are on items that were never trained",
        numbers={"distance": found, "distance by chance": by_chance, "share on untrained items": new},
    )


def _shares(items: NDArray[np.int32], num_rows: int) -> NDArray[np.float64]:
    return np.bincount(items, minlength=num_rows) / max(1, len(items))


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one - other).sum() / 2)
