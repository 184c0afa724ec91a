"""Contents of a report, made up: films, and figures as they might be of MovieLens."""

from dataclasses import replace

import numpy as np

from recsys.evaluation.outcome import Estimate
from recsys.evaluation.report.contents import (
    Bar,
    Calibration,
    CalibrationBin,
    EpochPoint,
    Example,
    ItemMap,
    MapPoint,
    Neighbourhood,
    PopularityShares,
    RankerStory,
    Recommended,
    ReportContents,
    ShownItem,
    Training,
)
from tests.evaluation.report.made_evaluation import NDCG, evaluation

FILMS = (
    ("Toy Story (1995)", "Animation", "Comedy"),
    ("Star Wars: Episode IV - A New Hope (1977)", "Sci-Fi", "Adventure"),
    ("Star Wars: Episode V - The Empire Strikes Back (1980)", "Sci-Fi", "Adventure"),
    ("Saving Private Ryan (1998)", "War", "Drama"),
    ("Being John Malkovich (1999)", "Comedy",),
    ("American Beauty (1999)", "Comedy", "Drama"),
    ("Terminator 2: Judgment Day (1991)", "Sci-Fi", "Thriller"),
    ("Silence of the Lambs, The (1991)", "Thriller", "Drama"),
    ("Fargo (1996)", "Thriller", "Drama"),
    ("Bug's Life, A (1998)", "Animation", "Comedy"),
    ("Raiders of the Lost Ark (1981)", "Adventure",),
    ("Monty Python and the Holy Grail (1974)", "Comedy",),
    ("2001: A Space Odyssey (1968)", "Sci-Fi", "Drama"),
    ("Casablanca (1942)", "War", "Drama"),
    ("Wallace & Gromit: The Best of Aardman Animation (1996)", "Animation"),
    ("Shawshank Redemption, The (1994)", "Drama"),
    ("L.A. Confidential (1997)", "Thriller"),
    ("Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)", "Drama"),
    ("Akira (1988)", "Animation", "Sci-Fi"),
    ("Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)", "Sci-Fi", "War"),
)  # fmt: skip
GENRES = ("Drama", "Comedy", "Thriller", "Sci-Fi", "Animation", "War", "other")

LENGTHS = ("1 to 20", "21 to 50", "51 to 100", "101 to 200", "more than 200")
DATA_REPORT = (
    ("rows in", "1,000,209"),
    ("clicks kept", "999,611"),
    ("users", "6,040 (integer)"),
    ("items", "3,416 (integer)"),
    ("times", "2000-04-25 to 2003-02-28"),
    ("clicks tied in time", "341,128"),
)


def film(index: int) -> ShownItem:
    title, *genres = FILMS[index % len(FILMS)]
    return ShownItem(title, str(index + 1), tuple(genres))


def popularity_shares() -> PopularityShares:
    def falling(rate: float) -> tuple[float, ...]:
        weights = np.exp(-rate * np.arange(10))
        return tuple((weights / weights.sum()).tolist())

    rates = dict(zip(NDCG, (0.62, 0.75, 0.5, 2.6, 4.0), strict=True))
    return PopularityShares(falling(0.55), {system: falling(rate) for system, rate in rates.items()})


def item_map(num_points: int = 300) -> ItemMap:
    random = np.random.default_rng(0)
    groups = random.integers(0, len(GENRES), num_points)
    centres = np.stack([np.cos(np.arange(7.0) * 0.9), np.sin(np.arange(7.0) * 0.9)], axis=1) * 0.6
    places = np.clip(centres[groups] + random.normal(0, 0.16, (num_points, 2)), -1, 1)
    clicks = (3000 / (1 + np.arange(num_points)) ** 0.7).astype(int)
    points = tuple(
        MapPoint(float(x), float(y), film(index).name, int(group), int(clicks[index]))
        for index, ((x, y), group) in enumerate(zip(places, groups, strict=True))
    )
    return ItemMap("first genre", GENRES, points, f"t-SNE of the {num_points:,} most clicked items")


def example(index: int, target_rank: int | None) -> Example:
    recommended = tuple(Recommended(film(index + 7 + rank), rank, rank == target_rank) for rank in range(1, 11))
    return Example(
        user_id=str(1000 + index),
        why="no rank" if target_rank is None else f"the target came at rank {target_rank}",
        history=tuple(film(index + place) for place in range(6)),
        num_earlier=40 * index,
        recommended=recommended,
        target=film(index + 7 + (target_rank or 12)),
        target_rank=target_rank,
    )


def training(num_epochs: int = 30) -> Training:
    def ndcg(epoch: int) -> float:
        return 0.19 * (1 - np.exp(-epoch / 5)) - 0.0004 * max(0, epoch - 20)

    epochs = tuple(EpochPoint(epoch, 5.2 + 2.6 / epoch**0.6, float(ndcg(epoch))) for epoch in range(1, num_epochs + 1))
    return Training(epochs, min(20, num_epochs), 21.4)


def calibration() -> Calibration:
    bins = tuple(
        CalibrationBin(float(p), float(p * 0.86 + 0.001), int(20000 * 0.5**n))
        for n, p in enumerate(np.geomspace(0.004, 0.31, 10))
    )
    return Calibration(bins, 0.0047)


def ranker() -> RankerStory:
    estimates = {"AUC": 0.78, "GAUC": 0.71, "log loss": 0.55, "calibration error": 0.011}
    return RankerStory(
        kind="bst",
        metrics=tuple((name, Estimate(value=x, low=x - 0.01, high=x + 0.01)) for name, x in estimates.items()),
        about=("12,000 test examples of 1,209 users", "54.4% of them clicked"),
        training=training(4),
        validated_by="AUC",
        calibration=calibration(),
        weights=tuple((step / 20, 0.1 - (step / 20 - 0.3) ** 2 / 5) for step in range(21)),
        weight=0.3,
        covisitation=0.5,
        retriever_alone=0.09,
    )


def neighbourhood(index: int) -> Neighbourhood:
    near = tuple((film(index + step), 0.93 - 0.04 * step) for step in range(1, 6))
    return Neighbourhood(film(index), near)


def contents(**changes: object) -> ReportContents:
    """Nothing is missing, unless the changes say so."""
    made = ReportContents(
        title="ml-1m",
        evaluation=evaluation(),
        best=None,
        training=training(),
        ranker=ranker(),
        calibration=calibration(),
        history_lengths=tuple(Bar(label, 900 - 90 * n) for n, label in enumerate(LENGTHS)),
        popularity=popularity_shares(),
        item_map=item_map(),
        examples=tuple(example(n, rank) for n, rank in enumerate((1, 3, 9, 27, None, 2))),
        neighbourhoods=tuple(neighbourhood(index) for index in range(6)),
        data_report=DATA_REPORT,
        configuration="workdir: runs/ml-1m\ndata:\n  events:\n    path: clicks.parquet\nmodel: {dim: 64}\n",
        command="recsys run configs/ml-1m.yaml data.events.path=clicks.parquet seed=1",
        facts=(("recsys", "0.1.0"), ("torch", "2.10.0"), ("dataset", "sha256 " + "0123456789abcdef" * 4)),
    )
    return replace(made, **changes)
