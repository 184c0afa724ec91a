"""Writes click logs whose best possible score is known.

    clicks.parquet  user_id "u000123", item_id "i00042", timestamp (seconds since 1970)
    items.parquet   item_id, title, category, department, tags ("quiet|vintage")
    ideal.parquet   user_id, rank, rank_with_seen: of the user's last click, when all items that had arrived are
                    ranked by the true probability of being the next click, what the user had seen excluded
                    or not. The last click itself is never excluded; ties rank it last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recsys.data.simulation_calendar import BEGIN, draw_lengths
from recsys.data.simulation_catalogue import CATEGORIES, DEPARTMENTS, Catalogue
from recsys.data.simulation_config import SimulationConfig
from recsys.data.simulation_process import World, draw_world, ideal_ranks
from recsys.data.simulation_walk import Walk, walks


@dataclass(frozen=True)
class SimulatedLog:
    """Where a simulated log lies."""

    clicks: Path
    items: Path
    ideal: Path


def simulate(config: SimulationConfig, directory: Path) -> SimulatedLog:
    """Writes clicks.parquet, items.parquet and ideal.parquet into `directory`, making it if needed."""
    return _write(config, SimulatedLog(*(directory / f"{n}.parquet" for n in ("clicks", "items", "ideal"))))


def simulate_log(config: SimulationConfig, out_file: Path) -> SimulatedLog:
    """Writes the clicks to NAME.parquet, beside it NAME.items.parquet and NAME.ideal.parquet."""
    beside = (out_file.with_name(f"{out_file.stem}.{name}.parquet") for name in ("items", "ideal"))
    return _write(config, SimulatedLog(out_file, *beside))
