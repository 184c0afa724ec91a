"""Everything that can go wrong in a way a user should read about.

* RecsysError            exit 1
  + UserError            exit 2: the user can mend it; one message, no traceback
    - ConfigError        a key, a value, a combination of them
    - DataError          the log, the item table, a file of users or histories
    - LeakError          an evaluation in which what is predicted was known
    - StaleError         a stage's input has changed since the stage ran
    - BusyError          another process works in the same directory
    - DiskError          a full disk, a directory that may not be written
    - UnknownItem        an id that is not in the catalogue
  + BundleError          exit 3: a damaged artefact was refused
  + Interrupted          exit 128 + signal: SIGINT, SIGTERM

A message names the rule, what was found, and what to do.
"""

import signal


class RecsysError(Exception):
    """Root of the project's errors."""

    exit_code = 1


class UserError(RecsysError):
    """The user's mistake, in the user's words."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration that cannot be used."""


class DataError(UserError):
    """Data that breaks a rule it must keep."""


class LeakError(UserError):
    """What is to be predicted could be read: the figures are worth nothing."""


class StaleError(UserError):
    """A stage would read something older than what it was made from."""


class BusyError(UserError):
    """Another process holds the directory."""


class DiskError(UserError):
    """The operating system refused to write a file."""


class UnknownItem(UserError):  # noqa: N818 - a noun of the domain
    """An item id that the catalogue does not hold."""


class BundleError(RecsysError):
    """An artefact that is not what was written."""

    exit_code = 3


class Interrupted(RecsysError):  # noqa: N818 - a state, not a fault
    """A signal asked the process to stop; what was done so far is safe, unless `left` says otherwise."""

    def __init__(
        self, signal_number: int, left: str = "what was done is kept, and the same command goes on from there"
    ) -> None:
        super().__init__(f"stopped ({signal.Signals(signal_number).name}); {left}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
