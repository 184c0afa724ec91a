"""What each stage's result looks like on a terminal."""

from functools import singledispatch

from pipelines.console import out, show_table
from recsys.recommender import Recommender
from recsys.stages.evaluate import Evaluated
from recsys.stages.index import Published
from recsys.stages.prepare import Prepared
from recsys.stages.recommend import Recommended
from recsys.stages.run import Everything
from recsys.stages.session import Session
from recsys.stages.train import Trained


@singledispatch
def show(result: object) -> None:
    raise TypeError(f"no stage results in a {type(result).__name__}")


@show.register
def show_prepared(result: Prepared) -> None:
    show_table(f"Data: {result.directory}", ("", ""), result.report.rows())


@show.register
def show_trained(result: Trained) -> None:
    outcome = result.outcome
    score = "" if outcome.validation_ndcg is None else f", validation NDCG@10 {outcome.validation_ndcg:.4f}"
    out.print(
        f"Trained {len(outcome.history)} epochs, {outcome.clicks:,} clicks in {outcome.minutes:.1f} minutes; "
        f"kept epoch {outcome.best_epoch}{score}"
    )


@show.register
def show_evaluated(result: Evaluated) -> None:
    out.print("\n".join(result.lines()), markup=False)


@show.register
def show_published(result: Published) -> None:
    out.print(f"Published {result.bundle}")


@show.register
def show_recommended(result: Recommended) -> None:
    job = result.result
    speed = f", {job.users_per_second:,.0f} users/s" if job.num_users_now else ""
    out.print(
        f"Recommended to {job.num_users:,} users{speed}; the popular items to {job.num_popular:,} of them; "
        f"{job.num_short:,} short lists; {job.num_unknown_clicks:,} clicks on unknown items passed over"
    )


def show_where_everything_is(session: Session, everything: Everything) -> None:
    """The last words of `recsys run`."""
    workdir, tracking = session.config.workdir, session.config.tracking
    bundle = everything.published.pointer
    item = everything.published.example_item
    out.print("\n[bold]Where everything is[/bold]")
    places = {
        "recommendations": everything.recommended.result.directory,
        "bundle": bundle,
        "data report": everything.prepared.directory / "data_report.json",
        "evaluation": workdir / "evaluation.json",
        "MLflow": "off" if tracking.kind == "none" else tracking.uri or f"sqlite:///{workdir}/mlflow.db",
    }
    for name, place in places.items():
        out.print(f"  {name:<16} {place}", markup=False)
    out.print(f"\nNext: recsys similar {bundle} {item}", markup=False)


def neighbour_table(recommender: Recommender, text: str, k: int) -> tuple[str, tuple[str, ...], list[list[str]]]:
    """Title, columns and rows for an id as it was typed."""
    item = recommender.parse_item(text)
    neighbours = recommender.similar(item, k=k)
    rows = [
        [str(rank), str(found.item), found.title or "", f"{found.score:.3f}"]
        for rank, found in enumerate(neighbours, start=1)
    ]
    return f"Nearest to {recommender.name_of(item)}", ("", "item", "title", "cosine"), rows
