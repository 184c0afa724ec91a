"""Calls an index with whatever hypothesis thinks of: a clear ValueError, or an answer that is one.

Run by itself, too, because assertions are gone under `python -O`: python -O -m tests.index.any_arguments 10000
"""

import sys
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.index.item_index import ItemIndex
from recsys.index.selection import Selection
from recsys.index.vectors import Rows
from tests.index.made import DIM, KINDS, clustered, made

NUM_ROWS = 1_100
INDICES: dict[str, ItemIndex] = {}
ODD = st.sampled_from([0.0, 1.0, -1.0, 1e-38, 3e38, np.nan, np.inf, -np.inf])
TYPES = st.sampled_from([np.float32, np.float32, np.float32, np.float64, np.int64, np.bool_])
SHAPES = st.one_of(
    st.tuples(st.integers(0, 5), st.sampled_from([DIM, DIM, DIM, DIM - 1, DIM + 1, 0])),
    st.tuples(st.integers(0, 20)),
    st.just((1, 1, DIM)),
)


@st.composite
def queries(draw: st.DrawFn) -> Any:
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([None, [[0.0] * DIM], "text", 3]))
    shape = draw(SHAPES)
    array = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape).astype(np.float32)
    if array.size and draw(st.booleans()):
        array.flat[draw(st.integers(0, array.size - 1))] = draw(ODD)
    with np.errstate(all="ignore"):
        return array.astype(draw(TYPES))


COUNTS = st.one_of(
    st.integers(1, 30), st.sampled_from([0, -1, -(2**63), NUM_ROWS, NUM_ROWS + 1, 2**31, 2**70, True, 2.0, None, "3"])
)
ROWS = st.one_of(
    st.lists(st.integers(0, NUM_ROWS - 1), max_size=50),
    st.lists(st.sampled_from([-1, 0, 0, 5, NUM_ROWS - 1, NUM_ROWS, 2**62]), max_size=6),
    st.just(list(range(NUM_ROWS))),
)
SELECTIONS = st.one_of(
    st.none(), st.builds(lambda rows, allowed: Selection(np.array(rows, np.int64), allowed), ROWS, st.booleans())
)


def check(kind: str, asked: Any, k: Any, selection: Selection | None) -> None:
    if kind not in INDICES:
        INDICES[kind] = made(kind, clustered(NUM_ROWS))
    index = INDICES[kind]
    try:
        found = index.search(asked, k, selection=selection)
    except ValueError as error:
        if len(str(error)) < 20:
            raise RuntimeError(f"says too little: {error}") from error
        return
    allowed = np.ones(NUM_ROWS, np.bool_)
    if selection is not None:
        allowed = np.isin(np.arange(NUM_ROWS), selection.rows) == selection.is_allowed
    wrong = list(_wrong(found, len(asked), min(int(k), int(allowed.sum())), allowed))
    if wrong:
        raise RuntimeError(f"{wrong}: {kind}, {asked!r}, {k!r}, {selection!r}")


def _wrong(found: Rows, num_queries: int, width: int, allowed: np.ndarray) -> Any:
    if found.rows.shape != (num_queries, width):
        yield f"shape {found.rows.shape} instead of {(num_queries, width)}"
    if ((found.rows < 0) | (found.rows >= NUM_ROWS)).any():
        yield "a row that is none"
    if not allowed[found.rows[found.found]].all():
        yield "a row that is not allowed"
    if not np.isfinite(found.scores[found.found]).all() or (found.scores[~found.found] != -np.inf).any():
        yield "a score that is none"
    for rows, is_found in zip(found.rows, found.found, strict=True):
        if len(set(rows[is_found].tolist())) != int(is_found.sum()):
            yield "a row twice"


def run(num_calls: int) -> None:
    given(st.sampled_from(list(KINDS)), queries(), COUNTS, SELECTIONS)(
        settings(max_examples=num_calls, deadline=None, database=None, suppress_health_check=list(HealthCheck))(check)
    )()


if __name__ == "__main__":
    run(int(sys.argv[1]))
    sys.stdout.write(f"optimised {not __debug__}\n")
