"""What an intervention proves, and what it does not hold against a system."""

import numpy as np
import pytest

from recsys.evaluation.audit.clicks import Clicks
from recsys.evaluation.audit.counterfactual import with_later_times, with_other_items
from recsys.evaluation.audit.findings import AuditReport
from recsys.evaluation.audit.intervention import TEST, VALIDATION, audit_systems
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.outcome import RETRIEVER
from recsys.evaluation.systems import Contenders, RetrieverScores, systems_of
from recsys.model.retriever import Retriever, RetrieverConfig
from tests.evaluation.audit import systems
from tests.evaluation.audit.conftest import KINDS
from tests.evaluation.audit.garden import asked


def verdicts(dataset, system, *, told_time=()):
    """Of the two checks of one system, with what was found."""
    findings = audit_systems(asked(dataset), {"it": system}, told_time=told_time, seed=0)
    found = {finding.check: finding for finding in findings}
    return found[TEST.format("it")], found[VALIDATION.format("it")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("system", [systems.popular, systems.following], ids=["popular", "following"])
def test_honest_systems_stay_to_the_bit(kind, system, prepared):
    for finding in verdicts(prepared(kind), system):
        assert finding.verdict == "passed"
        assert "to the bit" in finding.found


@pytest.mark.parametrize("kind", KINDS)
def test_the_retriever_stays_as_it_is(kind, prepared, retriever_of):
    retriever = retriever_of(prepared(kind)).eval()
    findings = verdicts(prepared(kind), lambda questions: RetrieverScores(questions, retriever))
    assert [finding.verdict for finding in findings] == ["passed", "passed"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_may_be_chosen_by_validation(kind, prepared):
    test, validation = verdicts(prepared(kind), systems.choosing)
    assert test.verdict == "passed"
    assert validation.verdict in ("passed", "noted")


def test_a_choice_that_validation_turns_is_noted(prepared):
    """Validation clicks are on popular items, and those that take their place on any."""
    _, validation = verdicts(prepared("leave_last_out"), systems.choosing)
    assert validation.verdict == "noted"
    assert "they choose a setting" in validation.found


def test_what_draws_proves_nothing(prepared):
    for finding in verdicts(prepared("by_time"), systems.drawing):
        assert finding.verdict == "noted"
        assert "made twice of the same clicks, its scores differ" in finding.found


def test_what_a_system_knows_is_named(prepared):
    items, _ = verdicts(prepared("leave_last_out"), systems.all_knowing)
    times, _ = verdicts(prepared("leave_last_out"), systems.knowing_the_time)
    assert items.found.endswith("it knows which items were clicked")
    assert times.found.endswith("it knows when")


def test_who_is_told_the_time_of_the_target_may_know_it_and_nothing_else_of_it(prepared):
    dataset = prepared("leave_last_out")
    config = RetrieverConfig.model_validate({"dim": 8, "num_blocks": 1, "query_time": {"kind": "log"}})
    retriever = Retriever.for_catalogue(config, len(dataset.items), dataset.features.inputs).eval()
    found = systems_of(dataset, Contenders({RETRIEVER: retriever}), EvaluationConfig())
    assert found.told_time == {RETRIEVER}
    assert found.present[RETRIEVER](asked(dataset)).detail.endswith(", query time floored to 60 s")
    verdict = {}
    for told_time in (found.told_time, ()):
        first = audit_systems(asked(dataset), {RETRIEVER: found.present[RETRIEVER]}, told_time=told_time, seed=0)[1]
        verdict[bool(told_time)] = first.verdict
    assert verdict == {True: "passed", False: "leak"}
    items, _ = verdicts(dataset, systems.all_knowing, told_time={"it"})
    assert items.verdict == "leak"


def test_what_is_found_depends_on_the_seed_alone(prepared):
    def lines():
        planted = {"popular": systems.popular, "planted": systems.popular_with_test}
        return AuditReport(findings=audit_systems(asked(prepared("by_time")), planted, seed=1)).lines()

    assert lines() == lines()


def test_other_items_are_others_and_known(prepared, random):
    dataset = prepared("by_time")
    chosen = ~Clicks.of(dataset).trains
    other = with_other_items(dataset, chosen, random)
    assert (other.histories.items[chosen] != dataset.histories.items[chosen]).all()
    assert (other.histories.items[~chosen] == dataset.histories.items[~chosen]).all()
    assert dataset.trained_items[other.histories.items[chosen]].all()
    assert len(np.unique(other.histories.items[chosen])) > 100


def test_later_times_keep_the_order(prepared, random):
    dataset = prepared("by_column")
    positions = asked(dataset).held_out.positions
    times = with_later_times(dataset, positions, random).histories.times
    users = Clicks.of(dataset).users
    assert (times[positions] > dataset.histories.times[positions]).all()
    assert (np.diff(times)[users[1:] == users[:-1]] >= 0).all()
