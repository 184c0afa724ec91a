"""What every stage's command takes."""

from typing import Annotated

import typer

Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A YAML file, from configs/ or your own.", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Keys to override, as in model.dim=128.", show_default=False),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Forget what was trained before, and train from the beginning.")
]
