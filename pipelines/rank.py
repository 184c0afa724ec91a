"""`recsys rank CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides, Restart
from pipelines.console import run_alone, session, show


def rank(config: Config, overrides: Overrides = None, restart: Restart = False) -> None:
    """Trains the ranker, which predicts clicks, and tests it; goes on by itself where it was stopped."""
    from recsys.stages.rank import rank as stage

    with session(config, overrides) as held:
        show(stage(held, restart=restart))


if __name__ == "__main__":
    run_alone(rank)
