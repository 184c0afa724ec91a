"""Everything that a report shows, gathered from a dataset, a retriever and an evaluation of it. Draws nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from recsys.evaluation.outcome import RETRIEVER, Evaluation
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking
from recsys.evaluation.report.contents import Best, Calibration, RankerStory, ReportContents, Training
from recsys.evaluation.report.examples import examples
from recsys.evaluation.report.history_lengths import history_lengths
from recsys.evaluation.report.item_map import item_map
from recsys.evaluation.report.neighbourhoods import neighbourhoods
from recsys.evaluation.report.popularity_shares import popularity_shares
from recsys.model.retriever import Retriever


@dataclass(frozen=True)
class Background:
    """What nobody can find out from dataset, retriever and evaluation; the fields are those of ReportContents."""

    title: str
    best: Best | None
    training: Training
    ranker: RankerStory | None
    data_report: tuple[tuple[str, str], ...]
    configuration: str
    command: str
    facts: tuple[tuple[str, str], ...]


def gather(
    questions: Questions,
    retriever: Retriever,
    evaluation: Evaluation,
    rankings: Mapping[str, Ranking],
    calibration: Calibration | None,
    background: Background,
) -> ReportContents:
    """The retriever is in evaluation mode; `rankings` are by system, the retriever's among them."""
    dataset, directions = questions.dataset, _directions(retriever)
    return ReportContents(
        title=background.title,
        evaluation=evaluation,
        best=background.best,
        training=background.training,
        ranker=background.ranker,
        calibration=calibration,
        history_lengths=history_lengths(dataset),
        popularity=popularity_shares(questions, rankings),
        item_map=item_map(dataset, directions),
        examples=examples(questions, rankings[RETRIEVER]),
        neighbourhoods=neighbourhoods(dataset, directions),
        data_report=background.data_report,
        configuration=background.configuration,
        command=background.command,
        facts=background.facts,
    )


@torch.inference_mode()
def _directions(retriever: Retriever) -> NDArray[np.float32]:
    """[items + 1, D] item vectors at length 1, so that inner products are cosines."""
    directions: NDArray[np.float32] = normalize(retriever.item_vectors().float(), dim=-1).cpu().numpy()
    return directions
