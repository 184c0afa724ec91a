"""`recsys train CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides, Restart
from pipelines.console import run_alone, session, show


def train(config: Config, overrides: Overrides = None, restart: Restart = False) -> None:
    """Trains the retriever; goes on by itself where it was stopped."""
    from recsys.stages.train import train as stage

    with session(config, overrides) as held:
        show(stage(held, restart=restart))


if __name__ == "__main__":
    run_alone(train)
