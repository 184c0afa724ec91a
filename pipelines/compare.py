"""`recsys compare RUN RUN...`"""

from typing import Annotated

import typer

from pipelines.console import run_alone, show


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Evaluated work directories, and Parquet files of another system's lists (user_id, item_id, rank).",
        ),
    ],
    k: Annotated[int, typer.Option(min=1, max=100, help="Metrics are taken over the first k places.")] = 10,
) -> None:
    """Which run ranks better, on the same test users: paired differences, and where they disagree.

    Runs that differ in nothing but their seed are taken together.
    """
    from recsys.stages.compare import compare as stage

    show(stage(runs, k=k))


if __name__ == "__main__":
    run_alone(compare)
