"""An evaluation as lines to print."""

from recsys.evaluation.config import K
from recsys.evaluation.outcome import (
    APPROXIMATE,
    REFIT,
    RERANKED,
    RETRIEVER,
    TITLES,
    Comparison,
    Evaluation,
    Protocol,
    SystemResult,
)

SHOWN = (f"HR@{K}", f"NDCG@{K}", f"MRR@{K}")


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """A table of the systems with 95 % intervals, what tells them apart, the audit's verdict, and the protocol."""
    header = f"{'':<18}" + "".join(f"{name:>19}" for name in (*SHOWN, f"coverage@{K}"))
    rows = [
        f"{title:<18}{_figures(evaluation.systems[key])}" for key, title in TITLES.items() if key in evaluation.systems
    ]
    missing = [f"{TITLES[key]:<18}{'n/a ' + reason:>19}" for key, reason in evaluation.missing.items()]
    return [
        header,
        *rows,
        *missing,
        "",
        *_verdict(evaluation),
        *_audit_lines(evaluation),
        *_protocol_lines(evaluation.protocol, has_refit=REFIT in evaluation.systems),
    ]


def _figures(result: SystemResult) -> str:
    estimates = [result.metrics[name] for name in SHOWN]
    cells = [f"{found.value:.4f} ±{(found.high - found.low) / 2:.4f}" for found in estimates]
    return "".join(f"{cell:>19}" for cell in (*cells, f"{result.exposure.coverage:.4f}"))


def _verdict(evaluation: Evaluation) -> list[str]:
    """The retriever against the best of the others."""
    metric = f"NDCG@{K}"
    others = [key for key in evaluation.systems if key not in {RETRIEVER, APPROXIMATE, REFIT, RERANKED}]
    best = max(others, key=lambda key: evaluation.systems[key].metrics[metric].value)
    found = evaluation.comparison(RETRIEVER, best, metric)
    assert found is not None
    lines = [f"against    {TITLES[best]}, the best of the others: {_difference(found)}"]
    for key in (RERANKED, APPROXIMATE):
        other = evaluation.comparison(RETRIEVER, key, metric)
        lines += [] if other is None else [f"           less {TITLES[key]}: {_difference(other)}"]
    return [*lines, *_index_lines(evaluation)]


def _index_lines(evaluation: Evaluation) -> list[str]:
    cost = evaluation.index_cost
    if cost is None:
        return []
    found = f"recall@10 {cost.recall_10:.4f}, recall@100 {cost.recall_100:.4f} of the retriever's exact lists"
    return [f"index      {found}", f"           {evaluation.systems[APPROXIMATE].detail}"]


def _difference(found: Comparison) -> str:
    p = "< .001" if found.p_adjusted < 0.001 else f"= {found.p_adjusted:.3f}"
    return f"{found.told}, p {p} (paired bootstrap, Holm)"


def _audit_lines(evaluation: Evaluation) -> list[str]:
    findings = evaluation.audit.findings
    noted = [finding for finding in findings if finding.verdict == "noted"]
    passed = sum(finding.verdict == "passed" for finding in findings)
    return [
        f"audit      {passed} checks passed, no leak; {len(noted)} things to know (evaluation.json, report.html)",
    ]


def _protocol_lines(protocol: Protocol, *, has_refit: bool) -> list[str]:
    floor, stretches = protocol.gaps_floored_to_seconds, protocol.calendar_stretches
    return [
        f"split      {protocol.split}: the last test click of each of {protocol.users:,} users",
        f"items      {protocol.item_universe}: {protocol.num_candidates:,}, all ranked, ties rank the target last",
        f"filter     {protocol.filter}",
        f"intervals  95 %, {protocol.resamples:,} bootstrap resamples of the users",
        f"training   without the validation clicks; the time of the predicted click is {protocol.told_time}",
        *(["           the refit has learnt the validation clicks as well"] if has_refit else []),
        "history    everything before the target, validation clicks included; "
        f"the retriever reads the last {protocol.max_length}",
        *([] if floor is None else [f"           it reads the time between them too, floored to {floor:g} s"]),
        *(
            [f"           and in which of {stretches} equal stretches of the training log each fell"]
            if stretches
            else []
        ),
        f"           {protocol.users_without_history:,} users have nothing to read and get the popular items",
        f"targets    {protocol.targets_not_candidates:,} are no candidates and count as misses; "
        f"{protocol.targets_never_trained:,} were never clicked in training",
        f"           {protocol.targets_clicked_before:,} repeat an earlier click of their user"
        + (", and count as misses" if protocol.filter != "none" else ""),
    ]
