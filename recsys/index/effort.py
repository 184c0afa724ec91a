"""How hard an approximate index tries, and what that costs and finds."""

from pydantic import NonNegativeInt, PositiveInt

from recsys.section import Section


class Effort(Section):
    visited: PositiveInt
    """Lists, or nodes of the graph."""
    fetched: PositiveInt = 1
    """Candidates for each result, scored exactly."""

    def candidates(self, k: int) -> int:
        return k * self.fetched


class Statement(Section):
    """What an index is, and what it finds of the exact answer, on average over rows that it was not trained with, and
    did not hold when it was asked for them."""

    kind: str
    effort: Effort | None = None
    """None where the search is exact."""
    num_rows: NonNegativeInt
    dim: PositiveInt
    num_queries: NonNegativeInt = 0
    recall_10: float = 1.0
    recall_100: float = 1.0
    num_bytes: NonNegativeInt = 0
    """Beside the vectors themselves."""

    def line(self) -> str:
        size = f"{self.num_rows:,} items"
        if self.effort is None:
            return f"exact, {size}"
        found = f"recall@10 {self.recall_10:.3f}, recall@100 {self.recall_100:.3f} of the exact answer"
        how = f"{self.effort.visited} visited" + (f", {self.effort.fetched} fetched" if self.effort.fetched > 1 else "")
        return f"{self.kind}, {size}, {found} ({self.num_queries} queries; {how}; {self.num_bytes / 1e6:,.1f} MB)"


class SavedIndex(Section):
    """What lies beside an index's files."""

    statement: Statement
    sha256: dict[str, str]
    """Of each file, by the end of its name."""


class LookupTimes(Section):
    """Milliseconds for the 10 nearest of one vector, by percentile."""

    index: dict[str, float]
    exact: dict[str, float]

    def line(self, *, is_exact: bool) -> str:
        told = {"each": self.index} if is_exact else {"by the index": self.index, "exactly": self.exact}
        return "; ".join(f"{how} p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms" for how, times in told.items())
