"""`recsys recommend CONFIG [key=value ...]`"""

from pipelines.arguments import Config, Overrides
from pipelines.console import run_alone, session


def recommend(config: Config, overrides: Overrides = None) -> None:
    """Writes every user's recommendations to Parquet."""
    from pipelines.results import show_recommended
    from recsys.stages.recommend import recommend as stage

    with session(config, overrides) as held:
        show_recommended(stage(held))


if __name__ == "__main__":
    run_alone(recommend)
