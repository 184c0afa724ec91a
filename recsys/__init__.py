"""A click log in, recommendations out.

    recommender = recsys.fit("clicks.parquet", workdir="runs/mine")    # what `recsys run` does, and its defaults
    recommender.recommend(history=["i12", "i7"], k=10)                 # -> [Recommendation(item, score, ...), ...]
    recommender.similar("i12", k=10)                                   # -> [Neighbour(item, score, ...), ...]
    recommender = recsys.load("runs/mine/bundle")                      # verified before anything in it is parsed

Importing this is cheap: torch and the rest are imported by the functions that need them.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

    from recsys.recommender import Recommender
    from recsys.serving.client import Client as Client

__all__ = ["Client", "__version__", "fit", "load"]
__version__ = version("recsys")


def __getattr__(name: str) -> object:
    """`recsys.Client`, imported when somebody wants it."""
    if name == "Client":
        from recsys.serving.client import Client

        return Client
    raise AttributeError(f"module 'recsys' has no attribute {name!r}")


def fit(
    events: str | Path,
    workdir: str | Path,
    overrides: Mapping[str, object] | None = None,
    *,
    restart: bool = False,
) -> "Recommender":
    """Runs every stage on a click log and opens the bundle; what is done and unchanged is not done again.

    `overrides` are dotted keys: {"data.events.columns.item": "sku", "training.max_minutes": 10}.
    `restart` forgets what was trained before, and trains from the beginning.
    """
    from recsys.config import make_config
    from recsys.stages.run import run
    from recsys.stages.session import opened

    values: dict[str, JsonValue] = {"workdir": str(workdir), "data": {"events": {"path": str(events)}}}
    config = make_config(values, overrides or {}, source="recsys.fit", overrider="overrides")
    with opened(config, source="CONFIG", tell=logging.getLogger(__name__).info) as session:
        published = run(session, restart=restart).published
    return load(published.pointer)


def load(bundle: str | Path) -> "Recommender":
    """Opens a bundle; BundleError, naming the file, where it is not what was published."""
    from recsys.bundle.opened import open_bundle
    from recsys.recommender import Recommender

    return Recommender(open_bundle(Path(bundle)))
