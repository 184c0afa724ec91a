"""What an evaluation found and under which protocol: evaluation.json, and lines to print."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from recsys.data.dataset import SplitKind
from recsys.section import Section

K = 10
NAME = "evaluation"
LISTS, TRUTH = "lists.parquet", "truth.parquet"


class Protocol(Section):
    """A number without this is noise."""

    split: SplitKind
    item_universe: str
    num_candidates: int
    ranking: Literal["full"] = "full"
    filter: str
    """What is taken out of each user's ranking."""
    max_length: int
    """L: how many clicks of a history the retriever reads."""
    users: int
    """All of them count, those whose target cannot be returned as misses."""
    users_without_history: int
    """They have no readable click, and get the popular items."""
    targets_never_trained: int
    """Targets that nobody clicked in training, be they candidates or not."""
    targets_not_candidates: int
    """Misses for every system."""
    targets_clicked_before: int
    """Repeats: misses for every system if the filter takes them out."""
    ties: Literal["the target last"] = "the target last"
    uses_time_of_predicted_click: Literal[False] = False
    trains_on_validation_clicks: Literal[False] = False
    validation_clicks_in_test_history: Literal[True] = True


class Metrics(Section):
    """Means over all test users, of the first 10."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    hit_rate: float = Field(alias="HR@10")
    ndcg: float = Field(alias="NDCG@10")
    mrr: float = Field(alias="MRR@10")
    coverage: float = Field(alias="coverage@10")


class Evaluation(Section):
    protocol: Protocol
    retriever: Metrics
    popular: Metrics
    covisitation: Metrics


def read_evaluation(directory: Path) -> Evaluation:
    """What `evaluate` wrote into a run's directory."""
    return Evaluation.read(directory / f"{NAME}.json", remedy="run `recsys evaluate` again")


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """A table of the three systems, and the protocol below it."""
    systems = {
        "retriever": evaluation.retriever,
        "Co-visitation": evaluation.covisitation,
        "Popular": evaluation.popular,
    }
    names = list(evaluation.retriever.model_dump())
    rows = [
        f"{name:<14}" + "".join(f"{value:>13.4f}" for value in metrics.model_dump().values())
        for name, metrics in systems.items()
    ]
    header = " " * 14 + "".join(f"{name:>13}" for name in names)
    return [header, *rows, "", *_protocol_lines(evaluation.protocol)]


def _protocol_lines(protocol: Protocol) -> list[str]:
    return [
        f"split      {protocol.split}: the last test click of each of {protocol.users:,} users",
        f"items      {protocol.item_universe}: {protocol.num_candidates:,}, all ranked, ties rank the target last",
        f"filter     {protocol.filter}",
        "training   without the validation clicks; the time of the predicted click is not used",
        "history    everything before the target, validation clicks included; "
        f"the retriever reads the last {protocol.max_length}",
        f"           {protocol.users_without_history:,} users have nothing to read and get the popular items",
        f"targets    {protocol.targets_not_candidates:,} are no candidates and count as misses; "
        f"{protocol.targets_never_trained:,} were never clicked in training",
        f"           {protocol.targets_clicked_before:,} repeat an earlier click of their user"
        + (", and count as misses" if protocol.filter != "none" else ""),
    ]
