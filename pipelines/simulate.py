"""`recsys simulate --out FILE`"""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.console import out, run_alone


def simulate(
    destination: Annotated[Path, typer.Option("--out", help="Where the clicks go; a .parquet file.")],
    users: Annotated[int | None, typer.Option(help="How many users; 6,000 by default.")] = None,
    items: Annotated[int | None, typer.Option(help="How many items; 2,200 by default.")] = None,
    clicks: Annotated[int | None, typer.Option(help="How many clicks; 240,000 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed is another world.")] = None,
) -> None:
    """Writes a click log whose best possible score is known, its item table and its ideal ranks."""
    from recsys.stages.simulate import simulate as stage

    given = {"num_users": users, "num_items": items, "num_clicks": clicks, "seed": seed}
    log = stage(destination, {name: value for name, value in given.items() if value is not None})
    out.print(f"clicks  {log.clicks}\nitems   {log.items}\nideal   {log.ideal}", markup=False)


if __name__ == "__main__":
    run_alone(simulate)
