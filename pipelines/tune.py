"""`recsys tune CONFIG [key=value ...]`"""

from typing import Annotated

import typer

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show

Restart = Annotated[bool, typer.Option("--restart", help="Forget the search that is there, and begin anew.")]


def tune(config: Config, overrides: Overrides = None, restart: Restart = False) -> None:
    """Searches the keys of tuning.space on the validation clicks; writes the best configuration as YAML."""
    from recsys.stages.tune import tune as stage

    with session(config, overrides) as held:
        show(stage(held, restart=restart))


if __name__ == "__main__":
    run_alone(tune)
