"""Rules that two sections of a configuration keep together. A ValueError says which is broken, and what to do."""

from collections.abc import Mapping
from typing import Any

from recsys.data.config import DataConfig
from recsys.model.ranking.positions import ByTimeConfig
from recsys.model.retriever import RetrieverConfig
from recsys.recommend_config import RecommendConfig
from recsys.training.config import TrainingConfig
from recsys.training.ranker_section import RankerSection
from recsys.training.ranking_config import LabelledConfig, SampledConfig


def require_times(model: RetrieverConfig, data: DataConfig) -> None:
    """For a model that reads them."""
    kind = data.events.time_kind
    if model.calendar.num_stretches and kind != "calendar":
        raise ValueError(
            f"model.calendar of kind stretches reads when clicks happened, and with data.events.time_kind {kind} "
            "nobody knows: use none"
        )
    if model.reads_times and kind == "order":
        raise ValueError(
            "model.gaps and model.query_time of kind log and model.mixer of kind time_gaps read the time between "
            "clicks, and with data.events.time_kind order there is none: use none, or another time_kind"
        )


def require_whole_steps(model: RetrieverConfig, training: TrainingConfig) -> None:
    """Of several devices, each of which would leave out layers of its own."""
    if model.layer_drop and training.devices > 1:
        raise ValueError(
            f"model.layer_drop leaves layers out of a training step, and training.devices {training.devices} wait for "
            "the gradients of all of them: use layer_drop 0, or one device"
        )


def require_causality(model: RetrieverConfig, training: TrainingConfig, ranker: RankerSection | None) -> None:
    """For what reads histories causally."""
    if model.target.is_causal:
        return
    if training.layout == "packed":
        raise ValueError(
            f"training.layout packed reads what is earlier alone, and model.target {model.target.kind} reads what is "
            "later too: use padded"
        )
    if ranker is not None and isinstance(ranker.examples, SampledConfig) and ranker.examples.source == "retriever":
        raise ValueError(
            "ranker.examples.source retriever asks at every click of a history at once, and model.target "
            f"{model.target.kind} asks behind the last one alone: use popularity or uniform, or model.target next_click"
        )


def require_what_ranks(ranker: RankerSection | None, data: DataConfig) -> None:
    """Labels for a ranker of labels, and times for one that reads them."""
    if ranker is None:
        return
    if isinstance(ranker.examples, LabelledConfig) and data.events.columns.label is None:
        raise ValueError("ranker.examples.kind labelled needs data.events.columns.label, the column of labels")
    if isinstance(ranker.examples, LabelledConfig) and ranker.training.objective.kind == "softmax":
        raise ValueError(
            "ranker.training.objective.kind softmax tells a click from the negatives beside it, and labelled examples "
            "have none: use bce"
        )
    if isinstance(ranker.model.interest.positions, ByTimeConfig) and data.events.time_kind == "order":
        raise ValueError(
            "ranker.model.interest.positions.kind time reads the time between clicks, and with "
            "data.events.time_kind order there is none: use index"
        )


def require_enough_candidates(ranker: RankerSection | None, recommend: RecommendConfig) -> None:
    """At least as many as are recommended."""
    if ranker is not None and recommend.k > recommend.candidates:
        raise ValueError(
            f"recommend.k is {recommend.k}, and the ranker is handed {recommend.candidates} items of each user: "
            "raise recommend.candidates"
        )


def with_examples(values: Any) -> Any:
    """A configuration's values: labelled examples where the log has labels and nobody has named a kind."""
    ranker = _at(values, "ranker")
    if not isinstance(ranker, Mapping) or "examples" in ranker:
        return values
    if _at(values, "data", "events", "columns", "label") is None:
        return values
    return {**values, "ranker": {**ranker, "examples": {"kind": "labelled"}}}


def _at(values: Any, *keys: str) -> Any:
    """What lies at a path of keys; None where there is nothing."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
