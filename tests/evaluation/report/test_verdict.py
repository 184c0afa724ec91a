"""The headline follows the figures, and never claims more than was tested."""

import math

import pytest

from recsys.evaluation.outcome import Comparison, Estimate
from recsys.evaluation.report.contents import Best
from recsys.evaluation.report.verdict import verdict
from tests.evaluation.report import made_evaluation
from tests.evaluation.report.made_evaluation import evaluation, system_result


def told(evaluation, best=None):
    found = verdict(evaluation, best)
    return found.headline, " ".join(found.sentences).replace("\u00a0", " ")


def compared(first, second, difference, p_adjusted):
    estimate = Estimate(value=difference, low=difference - 0.01, high=difference + 0.01)
    return Comparison(systems=(first, second), metric="NDCG@10", difference=estimate, p=0.001, p_adjusted=p_adjusted)


def of(values, *comparisons):
    systems = {system: system_result(value) for system, value in values.items()}
    return evaluation(systems=systems, comparisons=comparisons)


def test_a_significant_winner_is_named_with_its_lead():
    headline, rest = told(evaluation())
    assert headline == "The retriever ranks best, 51% above Co-visitation"
    assert "NDCG@10 is 0.1868, against 0.1234 for Co-visitation, the next best" in rest
    assert "significant at 5% (p = 0.003" in rest
    assert "significantly better than all 4 baselines" in rest


@pytest.mark.parametrize("pair", [("retriever", "popular"), ("popular", "retriever")])
def test_chance_wins_nothing_whichever_way_the_two_are_compared(pair):
    difference = 0.01 if pair[0] == "retriever" else -0.01
    headline, rest = told(of({"retriever": 0.11, "popular": 0.10}, compared(*pair, difference, 0.2)))
    assert headline == "No clear winner: the retriever and Popular cannot be told apart"
    assert "a difference of 0.0100, not significant" in rest
    assert "0 of 1 baseline, not clearly different from 1" in rest


def test_the_retriever_may_lose():
    headline, rest = told(of({"retriever": 0.10, "popular": 0.15}, compared("retriever", "popular", -0.05, 0.001)))
    assert headline == "Popular ranks best, 50% above the retriever"
    assert "better than 0 of 1 baseline, worse than 1" in rest


def test_what_was_not_tested_is_not_called_significant():
    headline, rest = told(of({"retriever": 0.2, "popular": 0.1}))
    assert headline == "The retriever ranks best"
    assert "the difference was not tested" in rest
    assert "significant" not in rest


def test_a_lead_over_nothing_has_no_percentage():
    headline, _ = told(of({"retriever": 0.2, "popular": 0.0}, compared("retriever", "popular", 0.2, 0.001)))
    assert headline == "The retriever ranks best, 0.2000 above Popular"


def test_equals_have_no_winner():
    assert told(of({"retriever": 0.0, "popular": 0.0}))[0] == "No winner: the best two are level"


def test_nothing_and_nobody_to_compare_with():
    assert told(of({}))[0] == "Nothing was measured"
    assert told(of({"retriever": 0.2})) == ("The retriever reaches NDCG@10 0.2000", "It was compared with nothing.")


def test_what_is_no_number_has_no_verdict():
    lost = Estimate(value=math.nan, low=math.nan, high=math.nan)
    systems = {"retriever": system_result(0.2).model_copy(update={"metrics": {"NDCG@10": lost}})}
    assert told(evaluation(systems=systems, comparisons=()))[0] == "Nothing was measured"


def test_a_leak_outdoes_every_figure():
    headline, rest = told(evaluation(audit=made_evaluation.leaking_audit()))
    assert headline == "The audit found a leak: these figures prove nothing"
    assert rest.startswith("The retriever ranks best")


def test_the_share_of_the_best_possible():
    result = of({"retriever": 0.2})
    hit_rate = result.retriever.metrics["HR@10"].value
    _, rest = told(result, Best(hit_rate=2 * hit_rate, ndcg=0.25))
    assert rest.endswith("NDCG@10 0.2500: the retriever reaches 50% and 80% of it.")
    assert "best that any ranking" not in told(result, Best(hit_rate=0.0, ndcg=0.0))[1]
