"""What a server takes on, and what it refuses."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

from recsys.errors import ConfigError
from recsys.section import Section


class ServeConfig(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """0: one that is free."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes, which share the mapped bundle."""
    body_bytes: PositiveInt = 1_000_000
    body_seconds: PositiveFloat = 5.0
    """Within which a request's body must have come; of some, up to a fifth later."""
    unread_seconds: PositiveFloat = 20.0
    """After which a client that takes nothing of its answer is cut off."""
    header_seconds: PositiveFloat = 10.0
    """Within which the headers of a request must have come."""
    connections: PositiveInt = 1_000
    """Open at a time, in each process; beyond, new ones are closed at once."""
    in_flight: PositiveInt = 64
    """Requests that are answered at a time; beyond, 503 with Retry-After."""
    batch_delay_ms: NonNegativeFloat = 2.0
    """How long a single recommendation waits for others, to be encoded together."""
    batch_size: PositiveInt = 64
    drain_seconds: PositiveInt = 10
    """How long accepted requests may take once the server is told to stop."""
    watch_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How often the bundle's pointer is looked at; 0: never."""

    @classmethod
    def told(cls, **values: object) -> "ServeConfig":
        """ConfigError where one of them cannot be."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            raise ConfigError(f"{found['loc'][0]} cannot be {found['input']!r}: {found['msg']}") from None
