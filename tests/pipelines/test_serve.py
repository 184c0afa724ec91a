"""The command names its defaults itself, so that its help needs nothing of the server: they are the server's own."""

import inspect

from pipelines.serve import serve
from recsys.serving.config import ServeConfig


def test_the_defaults_are_those_of_the_configuration():
    told = {name: parameter.default for name, parameter in inspect.signature(serve).parameters.items()}
    renamed = {"watch": "watch_seconds", "drain": "drain_seconds"}
    shown = {renamed.get(name, name): value for name, value in told.items() if name != "bundle"}
    assert ServeConfig(**shown) == ServeConfig()
