"""What a benchmark of lookups found."""

from recsys.benchmark.results import Measurement
from recsys.index.effort import Effort, Statement
from recsys.section import Section


class LookupRow(Section):
    """One way to search, so many queries at a time."""

    name: str
    batch: int
    queries_per_second: float
    """Of the median call."""
    milliseconds: dict[str, float]
    """Of a call, by percentile."""
    recall: float
    """Of the 10 exact neighbours."""


class FilterRow(Section):
    """Queries one at a time, of which only a random share of the rows may be found."""

    allowed: float
    queries_per_second: float
    """Of the median call."""
    recall: float
    """Of the 10 nearest of what is allowed."""
    are_full: bool
    """Whether every list had 10."""

    def line(self) -> str:
        full = "every list full" if self.are_full else "SHORT LISTS"
        return f"{self.queries_per_second:>10,.0f} queries/s; recall@10 {self.recall:.4f}; {full}"


class KindPoint(Section):
    kind: str
    effort: Effort
    recall: float
    speed: float
    """Queries a second, in one batch."""


class SingleLookup(Section):
    """Milliseconds (p50) of `recommender.similar`, and of FAISS's own search for the item's vector."""

    similar: float
    faiss_alone: float

    def line(self) -> str:
        more = 1e3 * (self.similar - self.faiss_alone)
        return f"recommender.similar {self.similar:.3f} ms, FAISS alone {self.faiss_alone:.3f} ms: {more:.0f} us more"


class LookupBenchmark(Measurement):
    vectors: str
    statement: Statement
    build_seconds: float | None
    build_mb: float | None
    """By how much the process grew meanwhile, the index included; both None of a bundle's own index."""
    searches: tuple[LookupRow, ...]
    filters: tuple[FilterRow, ...]
    single: SingleLookup | None = None
    """Of a bundle."""
    kinds: tuple[KindPoint, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        seconds = "before" if self.build_seconds is None else f"in {self.build_seconds:.1f} s"
        grown = "" if self.build_mb is None else f", {self.build_mb:,.0f} MB more memory at the peak"
        single = [] if self.single is None else [("one lookup", self.single.line())]
        return [
            ("vectors", self.vectors),
            ("index", self.statement.line()),
            ("built", f"{seconds}{grown}"),
            *((f"{row.name}, {row.batch} at a time", _told(row)) for row in self.searches),
            *((f"{row.allowed:.0%} allowed, 1 at a time", row.line()) for row in self.filters),
            *single,
            *super().rows(),
        ]


def _told(row: LookupRow) -> str:
    latencies = ", ".join(f"{name} {value:.3f}" for name, value in row.milliseconds.items())
    return f"{row.queries_per_second:>10,.0f} queries/s; {latencies} ms; recall@10 {row.recall:.4f}"
