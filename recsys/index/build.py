"""Builds an index of a kind, with as much effort as its recall takes, or chooses the kind."""

import numpy as np

from recsys.index import trial as trials
from recsys.index.config import ApproximateIndex, AutoIndex, FlatIndex, IndexConfig, IvfIndex, PqIndex
from recsys.index.effort import Effort, Statement
from recsys.index.item_index import ItemIndex, checked_table
from recsys.index.trial import Tell, Trial
from recsys.index.vectors import Float32

# Numbers up to which nothing beats comparing with all of them.
EXACT_NUMBERS = 8_000_000
# `auto` leaves exact search for an index that costs no more than this share of it.
WORTHWHILE = 1 / 3


def build_index(vectors: Float32, config: IndexConfig, *, tell: Tell) -> ItemIndex:
    """Copies nothing but what the kind keeps. Normalise the vectors first where cosine is meant."""
    table = checked_table(vectors)
    if isinstance(config, FlatIndex) or (isinstance(config, AutoIndex) and table.size <= EXACT_NUMBERS):
        return ItemIndex.exact(table)
    if len(table) < trials.LEAST_ROWS:
        tell(f"index: {len(table):,} items are fewer than {trials.LEAST_ROWS:,}: the search stays exact")
        return ItemIndex.exact(table)
    trial = Trial.of(table)
    if isinstance(config, AutoIndex):
        return _automatic(trial, config, tell)
    built = _built(trial, config, tell)
    if built.statement.recall_10 < config.min_recall:
        remedy = "take another kind" if config.visited is None else "raise index.visited, or take another kind"
        found = f"index: {config.kind} finds {built.statement.recall_10:.3f} of the 10 nearest"
        tell(f"{found}, and index.min_recall is {config.min_recall}: {remedy}")
    return built


def _automatic(trial: Trial, config: AutoIndex, tell: Tell) -> ItemIndex:
    """The cheapest that is good enough."""
    best, least = None, WORTHWHILE
    for kind in (IvfIndex(min_recall=config.min_recall), PqIndex(min_recall=config.min_recall)):
        size = trial.num_bytes(kind) / 1e6
        if config.max_mb is not None and size > config.max_mb:
            tell(f"index: {kind.kind} would take {size:,.0f} MB, more than index.max_mb, {config.max_mb:,.0f}")
            continue
        built = _built(trial, kind, tell)
        cost = trial.cost(kind, _effort(built))
        tell(f"index: {built.statement.line()}; {cost:.1%} of the exact search's work")
        if built.statement.recall_10 >= config.min_recall and cost <= least:
            best, least = built, cost
    if best is not None:
        return best
    limits = f"index.min_recall, {config.min_recall}" + ("" if config.max_mb is None else ", within index.max_mb")
    tell(f"index: no kind reaches {limits}, with a third of the exact search's work: it stays exact")
    return ItemIndex.exact(trial.vectors)


def _built(trial: Trial, config: ApproximateIndex, tell: Tell) -> ItemIndex:
    structure = trial.structure(config, tell)
    for effort in trial.efforts(config):
        recall_10, error = trial.recall(structure, effort, 10)
        if recall_10 - 2 * error >= config.min_recall:
            break
    statement = Statement(
        kind=config.kind,
        effort=effort,
        num_rows=len(trial.vectors),
        dim=trial.dim,
        num_queries=len(trial.asked),
        recall_10=recall_10,
        recall_100=trial.recall(structure, effort, 100)[0],
        num_bytes=trial.num_bytes(config),
    )
    structure.add(np.ascontiguousarray(trial.vectors[trial.asked]), trial.asked)
    return ItemIndex(trial.vectors, statement, structure)


def _effort(index: ItemIndex) -> Effort:
    assert index.statement.effort is not None
    return index.statement.effort
