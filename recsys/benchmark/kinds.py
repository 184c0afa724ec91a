"""Recall against speed: kinds of index on the same vectors, from little effort to much."""

import time
from collections.abc import Callable, Sequence

from tqdm import tqdm

from recsys.benchmark.lookup_results import KindPoint
from recsys.index.config import ApproximateIndex
from recsys.index.effort import Effort
from recsys.index.structures import Structure
from recsys.index.trial import Trial
from recsys.index.vectors import ranked

K, ENOUGH = 10, 0.999


def points_of(trial: Trial, kinds: Sequence[ApproximateIndex], *, tell: Callable[[str], None]) -> list[KindPoint]:
    """Each kind until it finds nearly everything; queries a second in one batch."""
    points = []
    for config in kinds:
        structure = trial.structure(config, tell)
        for effort in tqdm(trial.efforts(config), desc=f"recall, {config.kind}", disable=None):
            recall, _ = trial.recall(structure, effort, K)
            points.append(
                KindPoint(kind=config.kind, effort=effort, recall=recall, speed=_speed(trial, structure, effort))
            )
            if recall >= ENOUGH:
                break
    return points


def _speed(trial: Trial, structure: Structure, effort: Effort) -> float:
    """Queries a second, the better of two rounds."""
    queries, seconds = trial.vectors[trial.asked], []
    for _ in range(2):
        began = time.perf_counter()
        ranked(queries, trial.vectors, structure.candidates(queries, effort.candidates(K), effort.visited), K)
        seconds.append(time.perf_counter() - began)
    return len(queries) / min(seconds)
