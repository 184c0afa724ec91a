"""What of a workdir is evaluated, and audited, beside the baselines."""

from recsys.evaluation.approximate import ThroughIndex
from recsys.evaluation.config import K
from recsys.evaluation.outcome import APPROXIMATE, REFIT, RERANKED, RETRIEVER
from recsys.evaluation.systems import Contenders, System
from recsys.evaluation.two_stage import SecondStage, TwoStageScores
from recsys.model.ranking.store import load_ranker
from recsys.model.retriever import Retriever
from recsys.stages.blend import read_blend
from recsys.stages.record import Stage
from recsys.stages.session import Session
from recsys.stages.train import load_refit
from recsys.training.outcome import BEST, load_best


def contenders(session: Session) -> Contenders:
    """The retriever, its refit where there is one, and both stages where there is a ranker."""
    retriever = load_best(session.layout.product(Stage.TRAIN))
    refit = {REFIT: load_refit(session)} if session.config.training.refit else {}
    retrievers = {RETRIEVER: retriever, **refit}
    both = Contenders(retrievers) if session.config.ranker is None else _with_ranker(session, retrievers)
    return _by_index(session, both) if session.config.recommend.approximate else both


def contenders_without(session: Session, missing: set[Stage]) -> Contenders:
    """The retriever and both stages, as far as what they are made of is there."""
    if Stage.TRAIN in missing:
        return Contenders({})
    retrievers = {RETRIEVER: load_best(session.layout.product(Stage.TRAIN))}
    has_ranker = session.config.ranker is not None and not missing & {Stage.RANK, Stage.BLEND}
    return _with_ranker(session, retrievers) if has_ranker else Contenders(retrievers)


def _by_index(session: Session, exact: Contenders) -> Contenders:
    retriever = exact.retrievers[RETRIEVER]
    system = ThroughIndex(retriever, session.config.index, num_found=max(K, session.config.evaluation.list_length))
    told_time = {APPROXIMATE} if retriever.config.reads_query_time else set()
    return Contenders(exact.retrievers, {APPROXIMATE: system, **exact.others}, exact.others_told_time | told_time)


def _with_ranker(session: Session, retrievers: dict[str, Retriever]) -> Contenders:
    retriever = retrievers[RETRIEVER]
    ranker = load_ranker(session.layout.product(Stage.RANK) / BEST)
    chosen = read_blend(session.layout.product(Stage.BLEND)).blend
    second = SecondStage(ranker, session.config.recommend.candidates, chosen)
    told_time = frozenset({RERANKED} if second.reads_query_time or retriever.config.reads_query_time else ())
    both: dict[str, System] = {RERANKED: lambda questions: TwoStageScores(questions, retriever, second)}
    return Contenders(retrievers, both, told_time)
