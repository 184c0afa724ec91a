"""The retriever, Popular and Co-visitation on the test clicks, under full ranking.

Writes, in this order: evaluation/truth.parquet, evaluation/lists.parquet, evaluation.json.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from recsys.data.dataset import Dataset
from recsys.durable import sweep, write_json
from recsys.evaluation.baselines import CoVisitation, Popular
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.lists import write_lists, write_truth
from recsys.evaluation.metrics import coverage, hit_rate, mrr, ndcg
from recsys.evaluation.outcome import NAME, Evaluation, K, Metrics, Protocol
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking, Scorer, rank
from recsys.model.encoding import encode_pasts
from recsys.model.retriever import Retriever

Bools = NDArray[np.bool_]


def evaluate(
    dataset: Dataset, retriever: Retriever, *, config: EvaluationConfig, exclude_seen: bool, directory: Path
) -> Evaluation:
    """Puts the retriever in evaluation mode, ranks, and writes into `directory`."""
    sweep(directory / NAME)
    questions = Questions.of_test(dataset, exclude_seen=exclude_seen)
    popular = Popular(dataset)
    is_unknown = questions.pasts(1).lengths == 0
    with tqdm(total=3 * len(questions), desc="evaluate", unit=" users", disable=None, leave=False) as bar:

        def ranked(scorer: Scorer, k: int = K) -> Ranking:
            return rank(questions, _popular_for(is_unknown, scorer, popular), k=k, advance=bar.update)

        lists = ranked(RetrieverScores(questions, retriever.eval()), max(K, config.list_length))
        evaluation = Evaluation(
            protocol=_protocol(questions, retriever.config.max_length, int(is_unknown.sum())),
            retriever=_metrics(questions, lists),
            popular=_metrics(questions, ranked(popular)),
            covisitation=_metrics(questions, ranked(CoVisitation(questions, decay=config.covisitation_decay))),
        )
    write_truth(directory / NAME, questions)
    write_lists(directory / NAME, questions, lists, length=config.list_length, is_popular=is_unknown)
    write_json(directory / f"{NAME}.json", evaluation.model_dump(mode="json"))
    return evaluation


class RetrieverScores:
    """Inner products of user vectors, encoded once, and item vectors."""

    @torch.inference_mode()
    def __init__(self, questions: Questions, retriever: Retriever) -> None:
        self.users = encode_pasts(retriever, questions.pasts(retriever.config.max_length))
        self.items = retriever.item_vectors().float()

    def __call__(self, rows: slice) -> Tensor:
        return self.users[rows] @ self.items.T


def _popular_for(is_unknown: Bools, scorer: Scorer, popular: Popular) -> Scorer:
    """The popular ranking for users of whom nothing can be read, the scorer's own for the others."""

    def scores(rows: slice) -> Tensor:
        own = scorer(rows)
        own[torch.from_numpy(is_unknown[rows]).to(own.device)] = popular.counts.to(own.device)
        return own

    return scores


def _metrics(questions: Questions, ranking: Ranking) -> Metrics:
    return Metrics(
        hit_rate=float(np.mean(hit_rate(ranking.ranks, K))),
        ndcg=float(np.mean(ndcg(ranking.ranks, K))),
        mrr=float(np.mean(mrr(ranking.ranks, K))),
        coverage=coverage(ranking.items[:, :K], int(questions.dataset.candidates.sum())),
    )


def _protocol(questions: Questions, max_length: int, num_unknown: int) -> Protocol:
    dataset = questions.dataset
    return Protocol(
        split=dataset.manifest.split,
        item_universe="items clicked in training" if dataset.skips_untrained else "the whole catalogue",
        num_candidates=int(dataset.candidates.sum()),
        filter="items clicked before the target" if questions.filters_seen else "none",
        max_length=max_length,
        users=len(questions),
        users_without_history=num_unknown,
        targets_never_trained=int((~dataset.trained_items[questions.targets]).sum()),
        targets_not_candidates=int((~dataset.candidates[questions.targets]).sum()),
        targets_clicked_before=questions.num_repeated,
    )
