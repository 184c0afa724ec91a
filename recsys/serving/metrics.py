"""Counters, as Prometheus reads them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Of one process. Routes are named by their patterns, never by what a client wrote."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._reloads: Counter[str] = Counter()
        self._in_flight = 0
        self._bundle = ""

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests[route, status] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def reloaded(self, outcome: str) -> None:
        """loaded, unchanged or refused"""
        self._reloads[outcome] += 1

    def serving(self, bundle: str) -> None:
        self._bundle = bundle

    def in_flight(self, number: int) -> None:
        self._in_flight = number

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# TYPE recsys_requests_total counter"
        for (route, status), number in sorted(self._requests.items()):
            yield f'recsys_requests_total{{route="{route}",status="{status}"}} {number}'
        yield "# TYPE recsys_request_seconds histogram"
        for route, buckets in sorted(self._buckets.items()):
            yield from self._histogram(route, buckets)
        yield "# TYPE recsys_reloads_total counter"
        for outcome in ("loaded", "unchanged", "refused"):
            yield f'recsys_reloads_total{{outcome="{outcome}"}} {self._reloads[outcome]}'
        yield "# TYPE recsys_in_flight gauge"
        yield f"recsys_in_flight {self._in_flight}"
        yield "# TYPE recsys_bundle_info gauge"
        yield f'recsys_bundle_info{{bundle="{self._bundle}"}} 1'

    def _histogram(self, route: str, buckets: list[int]) -> Iterator[str]:
        total = 0
        for bound, number in zip((*BOUNDS, "+Inf"), buckets, strict=True):
            total += number
            yield f'recsys_request_seconds_bucket{{route="{route}",le="{bound}"}} {total}'
        yield f'recsys_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
        yield f'recsys_request_seconds_count{{route="{route}"}} {total}'
