"""All that a report shows, as plain values: what gathers it and what draws it meet here.

Items and users are shown by their titles, or by their ids where they have none.
"""

from dataclasses import dataclass

from recsys.evaluation.outcome import Estimate, Evaluation


@dataclass(frozen=True)
class ShownItem:
    name: str
    """Its title, or its id."""
    item_id: str
    labels: tuple[str, ...] = ()
    """A few values of its features, such as genres."""


@dataclass(frozen=True)
class Recommended:
    item: ShownItem
    rank: int
    is_target: bool
    """It is what the user clicked next."""


@dataclass(frozen=True)
class Example:
    """One test user: what was known, what was recommended, what was clicked."""

    user_id: str
    why: str
    """Why this one is shown, such as "the target came third"."""
    history: tuple[ShownItem, ...]
    """The last few clicks, oldest first."""
    num_earlier: int
    """Clicks before those."""
    recommended: tuple[Recommended, ...]
    target: ShownItem
    target_rank: int | None
    """None where the target could not be returned."""


@dataclass(frozen=True)
class Neighbourhood:
    item: ShownItem
    neighbours: tuple[tuple[ShownItem, float], ...]
    """By falling cosine."""


@dataclass(frozen=True)
class MapPoint:
    """An item on the map, -1 <= x, y <= 1; `group` is an index into the map's groups."""

    x: float
    y: float
    name: str
    group: int
    clicks: int


@dataclass(frozen=True)
class ItemMap:
    """Item vectors in two dimensions. `about` says how, such as "t-SNE of the 1,500 most clicked items"."""

    coloured_by: str
    groups: tuple[str, ...]
    """Seven at most, the last perhaps "other"."""
    points: tuple[MapPoint, ...]
    about: str


@dataclass(frozen=True)
class CalibrationBin:
    """Recommendations of about one predicted probability: how often they were what was clicked next."""

    predicted: float
    observed: float
    count: int


@dataclass(frozen=True)
class Calibration:
    bins: tuple[CalibrationBin, ...]
    """By rising prediction."""
    error: float
    """Expected calibration error: the mean of |predicted - observed|, weighted by count."""


@dataclass(frozen=True)
class Bar:
    label: str
    count: int


@dataclass(frozen=True)
class PopularityShares:
    """Items in tenths of the catalogue by training clicks, the most clicked first; shares sum to 1."""

    clicked: tuple[float, ...]
    """Where the test targets lie."""
    recommended: dict[str, tuple[float, ...]]
    """System -> where the first 10 of its lists lie."""


@dataclass(frozen=True)
class EpochPoint:
    epoch: int
    loss: float
    validation: float | None


@dataclass(frozen=True)
class Training:
    """What the evaluation was told of the training."""

    epochs: tuple[EpochPoint, ...]
    best_epoch: int
    minutes: float


@dataclass(frozen=True)
class RankerStory:
    """What the second stage is worth as a predictor of clicks, and what its word weighs beside the retriever's."""

    kind: str
    metrics: tuple[tuple[str, Estimate], ...]
    """Of the test examples."""
    about: tuple[str, ...]
    """Of how many examples, of whom."""
    training: Training
    validated_by: str
    """A metric's name."""
    calibration: Calibration | None
    """None where its logits are none of probabilities."""
    weights: tuple[tuple[float, float], ...]
    """NDCG@10 of the validation clicks by the ranker's weight; empty where it was set by hand."""
    weight: float
    covisitation: float
    """What the logarithm of how often an item followed counts beside it; 0: nothing."""
    retriever_alone: float | None
    """NDCG@10 of the validation clicks."""


@dataclass(frozen=True)
class Best:
    """The best that any ranking could reach, known for simulated logs only."""

    hit_rate: float
    ndcg: float


@dataclass(frozen=True)
class ReportContents:
    title: str
    """The run's name."""
    evaluation: Evaluation
    best: Best | None
    training: Training
    ranker: RankerStory | None
    """None where there is no second stage."""
    calibration: Calibration | None
    """None where nobody's score is a probability."""
    history_lengths: tuple[Bar, ...]
    popularity: PopularityShares
    item_map: ItemMap | None
    """None where there are too few items to draw."""
    examples: tuple[Example, ...]
    neighbourhoods: tuple[Neighbourhood, ...]
    data_report: tuple[tuple[str, str], ...]
    configuration: str
    """The resolved configuration, as text."""
    command: str
    """What reproduces it, such as `recsys run configs/ml-1m.yaml seed=1`."""
    facts: tuple[tuple[str, str], ...]
    """Versions, fingerprints, hardware: what else there is to know to reproduce it."""
