"""`recsys index CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session


def index(config: Config, overrides: Overrides = None) -> None:
    """Builds the index of item vectors, and publishes the bundle."""
    from pipelines.results import show_published
    from recsys.stages.index import index as stage

    with session(config, overrides) as held:
        show_published(stage(held))


if __name__ == "__main__":
    run_alone(index)
