"""`recsys compare RUN RUN...`"""

from typing import Annotated

import typer

from pipelines.console import run_alone, show


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Work directories with an evaluation or a ranker, and Parquet files of another system's lists "
            "(user_id, item_id, rank) or of another ranker's predictions (user, item, label, logit).",
        ),
    ],
    k: Annotated[int, typer.Option(min=1, max=100, help="Metrics are taken over the first k places.")] = 10,
) -> None:
    """Which run ranks, or predicts clicks, better, on the same test users: paired differences, and disagreements.

    Runs that differ in nothing but their seed are taken together.
    """
    from recsys.stages.compare import compare as stage

    show(stage(runs, k=k))


if __name__ == "__main__":
    run_alone(compare)
