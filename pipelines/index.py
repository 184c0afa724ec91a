"""`recsys index CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def index(config: Config, overrides: Overrides = None) -> None:
    """Builds the index of item vectors, and publishes the bundle."""
    from recsys.stages.index import index as stage

    with session(config, overrides) as held:
        show(stage(held))


if __name__ == "__main__":
    run_alone(index)
