"""`recsys recommend CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session, show


def recommend(config: Config, overrides: Overrides = None) -> None:
    """Writes every user's recommendations to Parquet."""
    from recsys.stages.recommend import recommend as stage

    with session(config, overrides) as held:
        show(stage(held))


if __name__ == "__main__":
    run_alone(recommend)
