"""Our metrics against trec_eval's, which many have checked, from scores to the last digit."""

import ir_measures
import numpy as np
import pytest
import torch

from recsys.evaluation.metrics import METRICS
from recsys.topk import UNRANKED, Exclusions, target_ranks

MEASURES = {"HR": ir_measures.Success, "NDCG": ir_measures.nDCG, "MRR": ir_measures.RR, "MAP": ir_measures.AP}
KS = (1, 3, 5, 10, 20, 100)
NUM_CASES = 1000


class Case:
    """One user: scores of a small catalogue, often tied, some of it no candidate and some of it seen."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        num_items = int(random.integers(3, 60))
        self.scores = random.integers(0, random.choice([5, 1000]), num_items + 1).astype(np.float32)
        self.candidates = random.random(num_items + 1) < 0.9
        self.candidates[:2] = False, True
        self.seen = np.unique(random.integers(2, num_items + 1, int(random.integers(0, 8))))
        self.target = int(random.integers(1, num_items + 1))

    def rank(self):
        exclusions = Exclusions.of_stretches(self.seen, np.array([0]), np.array([len(self.seen)]))
        ranks = target_ranks(
            torch.from_numpy(self.scores.copy())[None],
            torch.tensor([self.target]),
            candidates_V=torch.from_numpy(self.candidates),
            exclusions=exclusions,
        )
        return int(ranks[0])

    def run(self, user):
        """What may be returned; that ties rank the target last is said as a score that is a little lower."""
        may_return = self.candidates.copy()
        may_return[self.seen] = False
        for item in np.flatnonzero(may_return).tolist():
            score = float(self.scores[item]) - 0.5 * (item == self.target)
            yield ir_measures.ScoredDoc(user, str(item), score)


@pytest.fixture(scope="module")
def cases():
    return {f"user{seed}": Case(seed) for seed in range(NUM_CASES)}


@pytest.fixture(scope="module")
def ranks(cases):
    return np.array([case.rank() for case in cases.values()])


@pytest.fixture(scope="module")
def oracle(cases):
    truth = [ir_measures.Qrel(user, str(case.target), 1) for user, case in cases.items()]
    run = [scored for user, case in cases.items() for scored in case.run(user)]
    measures = [measure @ k for measure in MEASURES.values() for k in KS]
    found = ir_measures.iter_calc(measures, truth, run)
    return {(metric.query_id, str(metric.measure)): metric.value for metric in found}


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("name", METRICS)
def test_every_user_has_the_value_that_trec_eval_finds(name, k, cases, ranks, oracle):
    expected = [oracle[user, str(MEASURES[name] @ k)] for user in cases]
    np.testing.assert_allclose(METRICS[name](ranks, k), expected, rtol=0, atol=1e-12)


def test_the_cases_are_not_all_alike(ranks):
    assert (ranks == UNRANKED).sum() > 100
    assert all((ranks == rank).sum() > 5 for rank in range(1, 11))
