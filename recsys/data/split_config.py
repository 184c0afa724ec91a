"""How the log is parted into training, validation and test: the `data.split` section."""

from typing import Annotated, Literal

from pydantic import Field

from recsys.section import Section

OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]


class LeaveLastOutConfig(Section):
    """Each user's last click tests, the last but one validates."""

    kind: Literal["leave_last_out"] = "leave_last_out"


class ByTimeConfig(Section):
    """One moment parts all clicks: those before it train, each user's last one after it tests. Needs a calendar."""

    kind: Literal["by_time"] = "by_time"
    test_share: OpenShare = 0.1
    """Share of all clicks behind the cut, before `data.events.min_clicks` leaves any out."""
    validation_share: OpenShare = 0.1
    """Share of the clicks before the cut, their last, that validates."""


class ByColumnConfig(Section):
    """A column puts whole users into train or test; test users have no training clicks."""

    kind: Literal["by_column"] = "by_column"
    column: str
    test_values: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1)]
    """The column's values that mean test; all others mean training."""
    validation_share: OpenShare = 0.1
    """Share of the training users who validate instead."""


SplitConfig = Annotated[LeaveLastOutConfig | ByTimeConfig | ByColumnConfig, Field(discriminator="kind")]
