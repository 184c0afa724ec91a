"""Writes a simulated click log."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from recsys.data.simulate import SimulatedLog, simulate_log
from recsys.data.simulation_config import SimulationConfig
from recsys.errors import ConfigError


def simulate(destination: Path, values: Mapping[str, int]) -> SimulatedLog:
    """ConfigError where the numbers do not fit each other."""
    try:
        config = SimulationConfig.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(map(str, found["loc"]))
        raise ConfigError(f"{where}: {found['msg']}".removeprefix(": ").removeprefix("Value error, ")) from None
    return simulate_log(config, destination)
