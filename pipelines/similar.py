"""`recsys similar BUNDLE ITEM... [--k 10]`"""

from typing import Annotated

import typer

from pipelines.console import run_alone, show_table


def similar(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, such as runs/mine/bundle.")],
    items: Annotated[list[str], typer.Argument(metavar="ITEM...", help="Ids of items.")],
    k: Annotated[int, typer.Option(help="How many neighbours of each.")] = 10,
) -> None:
    """Prints each item's nearest items by cosine."""
    from pipelines.results import neighbour_table
    from recsys import load

    recommender = load(bundle)
    for title, columns, rows in [neighbour_table(recommender, item, k) for item in items]:
        show_table(title, columns, rows)


if __name__ == "__main__":
    run_alone(similar)
