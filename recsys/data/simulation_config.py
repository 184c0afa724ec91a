"""How large a simulated log is; the process itself is fixed and lives in simulation_process."""

from typing import Self

from pydantic import Field, model_validator

from recsys.section import Section

MIN_CLICKS_PER_USER = 4
MAX_CLICKS_PER_USER = 400


class SimulationConfig(Section):
    """The size of a simulated log. The same config gives the same log, click for click."""

    num_users: int = Field(default=6_000, ge=1)
    """Users; every one of them clicks at least four times."""
    num_items: int = Field(default=2_200, ge=20)
    """Items; a quarter of them arrive while the log runs."""
    num_clicks: int = Field(default=240_000, ge=1)
    """Clicks, exactly; between 4 and 400 a user on average."""
    seed: int = Field(default=0, ge=0)
    """Another seed is another world: other items, other users, other habits."""

    @model_validator(mode="after")
    def clicks_fit_users(self) -> Self:
        fewest, most = (n * self.num_users for n in (MIN_CLICKS_PER_USER, MAX_CLICKS_PER_USER))
        if not fewest <= self.num_clicks <= most:
            raise ValueError(
                f"num_clicks must lie between {fewest:,} and {most:,} for {self.num_users:,} users "
                f"({MIN_CLICKS_PER_USER} to {MAX_CLICKS_PER_USER} clicks a user); found {self.num_clicks:,}: "
                f"change num_clicks or num_users"
            )
        return self
