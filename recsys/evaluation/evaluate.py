"""The retriever and the baselines on the test clicks, under full ranking, once an audit has found no leak.

Writes, in this order: evaluation/{truth,lists,ranks}.parquet, report.html, evaluation.json.
"""

from pathlib import Path

import numpy as np

from recsys.durable import sweep, write_bytes, write_json
from recsys.evaluation.approximate import index_cost
from recsys.evaluation.audit.data import audit_data
from recsys.evaluation.audit.files import audit_files
from recsys.evaluation.audit.findings import AuditReport, Finding, require_clean
from recsys.evaluation.audited import Ranked, audit_ranked
from recsys.evaluation.calibration import calibrate
from recsys.evaluation.config import EvaluationConfig
from recsys.evaluation.lists import write_lists, write_ranks, write_truth
from recsys.evaluation.outcome import NAME, REPORT, RERANKED, RETRIEVER, Evaluation, Protocol
from recsys.evaluation.questions import Questions
from recsys.evaluation.report.contents import Calibration
from recsys.evaluation.report.gather import Background, gather
from recsys.evaluation.report.page import render
from recsys.evaluation.results import Resampled, system_result
from recsys.evaluation.segments import segment_results, segmentations
from recsys.evaluation.systems import Contenders, systems_of
from recsys.model.retriever import RetrieverConfig


def evaluate(
    questions: Questions,
    contenders: Contenders,
    *,
    config: EvaluationConfig,
    directory: Path,
    background: Background,
    of_log: tuple[Finding, ...] = (),
) -> Evaluation:
    """Puts the retriever in evaluation mode, audits, ranks, and writes into `directory`.

    LeakError where something leaks. Then there is no new evaluation.json, and the report, if any could be
    drawn, says so. `of_log` is what was found before. A REFIT beside the RETRIEVER has learnt the validation clicks
    too: it has a row of its own, and nothing else is said of it.
    """
    sweep(directory / NAME)
    of_data = (*of_log, *audit_data(questions, trusted=config.known_in_advance))
    require_clean(AuditReport(findings=of_data))
    retriever = contenders.retrievers[RETRIEVER].eval()
    ranked = Ranked.of(questions, systems_of(questions.dataset, contenders, config), config)
    _write_tables(directory / NAME, ranked)
    audit = AuditReport(findings=(*of_data, *audit_ranked(ranked), *audit_files(directory / NAME, questions)))
    calibration = calibrate(questions, ranked.scorers[RETRIEVER])
    evaluation = _evaluation(ranked, _protocol(ranked, retriever.config), calibration, audit)
    contents = gather(questions, retriever, evaluation, ranked.rankings, calibration, background)
    write_bytes(directory / REPORT, render(contents).encode())
    require_clean(audit)
    write_json(directory / f"{NAME}.json", evaluation.model_dump(mode="json"))
    return evaluation


def _write_tables(directory: Path, ranked: Ranked) -> None:
    write_truth(directory, ranked.questions)
    write_lists(directory, ranked.questions, ranked.rankings[RETRIEVER], length=ranked.config.list_length)
    write_ranks(directory, ranked.questions, ranked.rankings)


def _evaluation(ranked: Ranked, protocol: Protocol, calibration: Calibration | None, audit: AuditReport) -> Evaluation:
    questions, dataset = ranked.questions, ranked.questions.dataset
    ranks = {key: ranking.ranks for key, ranking in ranked.rankings.items()}
    resampled = Resampled(ranks, ranked.config)
    return Evaluation(
        protocol=protocol,
        systems={
            key: system_result(dataset, ranking, detail=ranked.scorers[key].detail, metrics=resampled.estimates(key))
            for key, ranking in ranked.rankings.items()
        },
        missing=dict(ranked.systems.missing),
        comparisons=resampled.comparisons(),
        segmentations=segment_results(segmentations(questions), ranks),
        target_popularity=float(np.mean(dataset.training_counts()[questions.targets])),
        index_cost=index_cost(ranked.rankings),
        calibration_error=None if calibration is None else calibration.error,
        audit=audit,
    )


def _protocol(ranked: Ranked, model: RetrieverConfig) -> Protocol:
    questions, dataset = ranked.questions, ranked.questions.dataset
    return Protocol(
        split=dataset.manifest.split,
        item_universe="items clicked in training" if dataset.skips_untrained else "the whole catalogue",
        num_candidates=int(dataset.candidates.sum()),
        filter="items clicked before the target" if questions.filters_seen else "none",
        max_length=model.max_length,
        gaps_floored_to_seconds=model.gaps.floor_seconds,
        calendar_stretches=model.calendar.num_stretches,
        uses_time_of_predicted_click=model.reads_query_time,
        both_stages_use_it=RERANKED in ranked.systems.told_time,
        users=len(questions),
        users_without_history=int((questions.pasts(1).lengths == 0).sum()),
        targets_never_trained=int((~dataset.trained_items[questions.targets]).sum()),
        targets_not_candidates=int((~dataset.candidates[questions.targets]).sum()),
        targets_clicked_before=int(questions.are_repeated.sum()),
        resamples=ranked.config.resamples,
    )
