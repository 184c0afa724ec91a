"""`recsys similar BUNDLE ITEM... [--k 10] [--together] [--json]`, or `recsys similar BUNDLE --all FILE`"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.console import run_alone, show, show_json, show_table
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.data.vocabulary import ItemId
    from recsys.recommender import Recommender
    from recsys.similar import Neighbour


def similar(  # noqa: PLR0913 - what a user may say
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="A bundle's directory, such as runs/mine/bundle; with --url, an item."),
    ],
    items: Annotated[list[str] | None, typer.Argument(metavar="ITEM", help="Ids of items.", show_default=False)] = None,
    k: Annotated[int, typer.Option(help="How many neighbours of each.")] = 10,
    together: Annotated[bool, typer.Option("--together", help="One list: nearest to the mean of all.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for a program to read.")] = False,
    every: Annotated[
        Path | None, typer.Option("--all", metavar="FILE", help="Write every item's neighbours to a Parquet file.")
    ] = None,
    index: Annotated[
        Literal["bundle", "exact"], typer.Option(help="The bundle's index, or a comparison with every item.")
    ] = "bundle",
    url: Annotated[
        str | None, typer.Option(help="Of a server: `recsys similar --url http://localhost:8000 ITEM...`")
    ] = None,
) -> None:
    """Prints each item's nearest items by cosine, with titles and features."""
    if url is not None:
        _check_server(has_more=together or every is not None or index != "bundle")
        _ask_server(url, [bundle, *(items or ())], k, as_json=as_json)
        return
    from recsys import load
    from recsys.offline.neighbours import write_neighbours

    _check(every, has_items=bool(items), has_more=together or as_json)
    opened, is_exact = load(bundle), index == "exact"
    if every is not None:
        show(write_neighbours(opened, every, k=k, exact=is_exact))
        return
    answers = _answers(opened, items or (), k, together=together, is_exact=is_exact)
    if as_json:
        show_json(_as_json(opened, answers, is_exact=is_exact))
    else:
        _show(opened, answers)


def _check(every: Path | None, *, has_items: bool, has_more: bool) -> None:
    if every is not None and (has_items or has_more):
        raise ConfigError(
            "--all writes every item's own list: leave items, --together and --json out, or leave --all out"
        )
    if every is None and not has_items:
        raise ConfigError("name items to look up, or write every item's neighbours with --all FILE")


def _check_server(*, has_more: bool) -> None:
    if has_more:
        raise ConfigError(
            "a server gives each item's own list from its bundle's index: leave --together, --all and --index out, "
            "or name a bundle instead of --url"
        )


def _show(opened: "Recommender", answers: "list[tuple[list[ItemId], list[Neighbour]]]") -> None:
    for asked, neighbours in answers:
        show_table(f"Nearest to {', '.join(map(opened.name_of, asked))}", *_table(opened, neighbours))


def _answers(
    opened: "Recommender", items: Sequence[str], k: int, *, together: bool, is_exact: bool
) -> "list[tuple[list[ItemId], list[Neighbour]]]":
    wanted = [opened.parse_item(text) for text in items]
    if together:
        return [(wanted, opened.similar_to_all(wanted, k=k, exact=is_exact))]
    lists = opened.similar_many(wanted, k=k, exact=is_exact)
    return [([item], own) for item, own in zip(wanted, lists, strict=True)]


def _ask_server(url: str, items: Sequence[str], k: int, *, as_json: bool) -> None:
    from recsys.serving.client import Client

    client = Client(url, token=os.environ.get("RECSYS_TOKEN"))
    answers = [(item, client.similar(item, k=k)) for item in items]
    if as_json:
        served = client.bundle()
        told = [
            {"items": [item], "neighbours": [found.model_dump(include={"item", "title", "score"}) for found in own]}
            for item, own in answers
        ]
        show_json({"bundle": served.bundle, "metric": served.similar_metric, "index": served.index, "answers": told})
        return
    for item, own in answers:
        rows = [
            [str(rank), str(found.item), found.title or "", f"{found.score:.3f}"]
            for rank, found in enumerate(own, start=1)
        ]
        show_table(f"Nearest to {item}", ["rank", "item", "title", "cosine"], rows)


def _table(opened: "Recommender", neighbours: "list[Neighbour]") -> tuple[list[str], list[list[str]]]:
    told = [opened.features_of(found.item) for found in neighbours]
    names = list(dict.fromkeys(name for features in told for name in features))
    rows = [
        [
            str(rank),
            str(found.item),
            found.title or "",
            *(", ".join(features.get(name, [])) for name in names),
            f"{found.score:.3f}",
        ]
        for rank, (found, features) in enumerate(zip(neighbours, told, strict=True), start=1)
    ]
    return ["rank", "item", "title", *names, "cosine"], rows


def _as_json(
    opened: "Recommender", answers: "list[tuple[list[ItemId], list[Neighbour]]]", *, is_exact: bool
) -> dict[str, object]:
    return {
        "bundle": opened.bundle.content_id,
        "metric": opened.bundle.manifest.similar_metric,
        "index": "exact" if is_exact else opened.bundle.index.statement.model_dump(mode="json"),
        "answers": [
            {
                "items": asked,
                "neighbours": [
                    {
                        "item": found.item,
                        "title": found.title,
                        "features": opened.features_of(found.item),
                        "score": found.score,
                    }
                    for found in neighbours
                ],
            }
            for asked, neighbours in answers
        ],
    }


if __name__ == "__main__":
    run_alone(similar)
