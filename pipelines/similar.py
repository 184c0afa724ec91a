"""`recsys similar BUNDLE ITEM... [--k 10]`"""

from typing import Annotated

import typer

from pipelines.console import run_alone, show_table


def similar(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A bundle's directory, such as runs/mine/bundle.")],
    items: Annotated[list[str], typer.Argument(metavar="ITEM", help="Ids of items.")],
    k: Annotated[int, typer.Option(help="How many neighbours of each.")] = 10,
) -> None:
    """Prints each item's nearest items by cosine."""
    from recsys import load

    recommender = load(bundle)
    wanted = [recommender.parse_item(text) for text in items]
    answers = [(recommender.name_of(item), recommender.similar(item, k=k)) for item in wanted]
    for name, neighbours in answers:
        rows = [
            [str(rank), str(found.item), found.title or "", f"{found.score:.3f}"]
            for rank, found in enumerate(neighbours, start=1)
        ]
        show_table(f"Nearest to {name}", ("rank", "item", "title", "cosine"), rows)


if __name__ == "__main__":
    run_alone(similar)
