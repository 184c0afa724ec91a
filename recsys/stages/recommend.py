"""Writes every user's recommendations with the published bundle."""

from dataclasses import dataclass

import torch

from recsys.bundle.opened import open_bundle
from recsys.data.dataset import open_dataset
from recsys.offline.recommend import OfflineResult, recommend_users
from recsys.offline.requests import Requests, requests_of
from recsys.recommender import Recommender
from recsys.stages.record import Stage
from recsys.stages.session import Session


@dataclass(frozen=True)
class Recommended:
    result: OfflineResult

    def lines(self) -> list[str]:
        job = self.result
        speed = f", {job.users_per_second:,.0f} users/s" if job.num_users_now else ""
        return [
            f"Recommendations: {job.directory}",
            f"  {job.num_users:,} users{speed}; {job.num_popular:,} of whom nothing is known got the popular items",
            f"  {job.num_short:,} short lists; {job.num_unknown_clicks:,} clicks on items unknown to the model",
        ]


def recommend(session: Session) -> Recommended:
    """Goes on with the parts that are missing; a finished job is not done again."""
    session.demand_earlier(Stage.RECOMMEND)
    recommender, config = published_recommender(session), session.config.recommend
    requests = wanted(session, recommender)
    directory = session.layout.product(Stage.RECOMMEND)
    with session.recording(Stage.RECOMMEND):
        result = recommend_users(recommender, requests, directory, config, tell=session.tell)
    if result.num_users_now:
        session.tracker.log_metrics(
            {"recommend.users": result.num_users, "recommend.users_per_second": result.users_per_second}
        )
    return Recommended(result)


def published_recommender(session: Session) -> Recommender:
    """Of the current bundle, on a GPU where there is one and the configuration allows it."""
    # not the hardware of training: another machine, with fewer devices or none, can recommend as well
    device = "cuda" if session.config.training.device != "cpu" and torch.cuda.is_available() else "cpu"
    return Recommender(open_bundle(session.layout.product(Stage.INDEX)), device=device)


def wanted(session: Session, recommender: Recommender) -> Requests:
    """Whose lists the configuration asks for."""
    dataset = open_dataset(session.layout.product(Stage.PREPARE))
    return requests_of(session.config.recommend, dataset, recommender.bundle.items)
