"""`recsys run CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides, Restart
from pipelines.console import run_alone, session


def run(config: Config, overrides: Overrides = None, restart: Restart = False) -> None:
    """Every stage: prepare, train, evaluate, index, recommend. What is done and unchanged is not done again."""
    from pipelines.results import show, show_where_everything_is
    from recsys.stages.run import run as stages

    with session(config, overrides) as held:
        everything = stages(held, restart=restart, show=show)
    show_where_everything_is(held, everything)


if __name__ == "__main__":
    run_alone(run)
