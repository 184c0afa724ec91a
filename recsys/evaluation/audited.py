"""The audit of everything at once: the dataset, then every system and its ranking."""

from collections.abc import Mapping
from dataclasses import dataclass

from tqdm import tqdm

from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.findings import AuditReport, Finding
from recsys.evaluation.audit.intervention import audit_systems
from recsys.evaluation.audit.rankings import audit_rankings
from recsys.evaluation.config import EvaluationConfig, K
from recsys.evaluation.outcome import APPROXIMATE, RETRIEVER
from recsys.evaluation.questions import Questions
from recsys.evaluation.ranking import Ranking, rank
from recsys.evaluation.systems import Contenders, DetailedScorer, Systems, systems_of

SEED = 0
"""Of the counterfactuals: equal systems get equal findings."""


@dataclass(frozen=True)
class Ranked:
    """What was asked of which systems, and every system's scorer and ranking, by key."""

    questions: Questions
    systems: Systems
    config: EvaluationConfig
    scorers: Mapping[str, DetailedScorer]
    rankings: Mapping[str, Ranking]

    @classmethod
    def of(cls, questions: Questions, systems: Systems, config: EvaluationConfig) -> "Ranked":
        scorers: dict[str, DetailedScorer] = {}
        rankings: dict[str, Ranking] = {}
        total = len(systems.present) * len(questions)
        with tqdm(total=total, desc="evaluate", unit=" users", disable=None, leave=False) as bar:
            for key, system in systems.present.items():
                scorers[key] = system(questions)
                length = config.list_length if key in (RETRIEVER, APPROXIMATE) else K
                rankings[key] = rank(questions, scorers[key], k=max(K, length), advance=bar.update)
        return cls(questions, systems, config, scorers, rankings)


def audit_ranked(ranked: Ranked) -> tuple[Finding, ...]:
    """What can be found out about the systems and their rankings."""
    of_systems = audit_systems(ranked.questions, ranked.systems.present, told_time=ranked.systems.told_time, seed=SEED)
    return (*of_systems, *audit_rankings(ranked.questions, ranked.rankings))


def audit_alone(questions: Questions, contenders: Contenders, config: EvaluationConfig) -> tuple[Finding, ...]:
    """Of the dataset and of every system; of a leaking dataset no more than that."""
    of_data = audit_data(questions, trusted=config.known_in_advance)
    if AuditReport(findings=of_data).leaks:
        return of_data
    systems = systems_of(questions.dataset, contenders, config)
    return (*of_data, *audit_ranked(Ranked.of(questions, systems, config)))
