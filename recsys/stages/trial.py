"""One trial of a search: a configuration trained on the search's dataset, in a workdir within the search's."""

from contextlib import nullcontext, suppress
from pathlib import Path

from recsys.config import RunConfig, overridden
from recsys.errors import BusyError, DiskError, UserError
from recsys.section import flatten
from recsys.stages.searched import Searched
from recsys.stages.session import Session
from recsys.stages.train import log_to
from recsys.training.engine import fit, forget
from recsys.training.reporting import EpochRecord
from recsys.training.tuning import Finished, Pruned, Search, Values

MODEL = "model"


class TrialRun:
    """Its MLflow run lies within the search's. A training that was interrupted goes on where it was."""

    def __init__(self, search_session: Session, searched: Searched, search: Search, directory: Path) -> None:
        self.search_session = search_session
        self.searched = searched
        self.search = search
        self.directory = directory
        self.minutes = 0.0
        # before the trial opens the store as well: two processes must not make a database at once
        self.parent = search_session.tracker.awaited_run_id()

    def run(self, values: Values) -> Finished:
        """Trained to its end, pruned, or given up because its configuration cannot be trained."""
        try:
            finished = self._train(self._config(values))
        except (BusyError, DiskError):
            raise  # no fault of the configuration: the trial is tried again
        except (UserError, RuntimeError, MemoryError) as error:  # torch's own, such as no memory for so wide a model
            finished = self.search.fail(str(error).splitlines()[0], minutes=self.minutes)
        forget(self.directory / MODEL)
        return finished

    def _config(self, values: Values) -> RunConfig:
        """The search's, with the trial's values."""
        config = self.search_session.config
        place = {"workdir": str(self.directory), "tracking.uri": self.search_session.tracking_store}
        return overridden(config, {**values, **place}, overrider=self.directory.name)

    def _train(self, config: RunConfig) -> Finished:
        self.directory.mkdir(exist_ok=True)
        with Session(config, self.search_session.source, self.search_session.tell) as session:
            config = self.searched.complete(config)
            session.tracker.log_params(flatten(config))
            if self.parent is not None:
                session.tracker.log_tags({"mlflow.parentRunId": self.parent})
            log = log_to(session, self.searched.metric, self.searched.prefix)

            def on_epoch(record: EpochRecord) -> None:
                log(record)
                self.minutes = record.minutes
                if record.validation is not None:
                    # several ranks are heard of when they have finished: too late to prune
                    with suppress(Pruned) if self.searched.training(config).devices > 1 else nullcontext():
                        self.search.report(record.epoch, record.validation)

            job = self.searched.job(config, self.directory / MODEL)
            try:
                outcome = fit(job, tell=session.tell, on_epoch=on_epoch)
            except Pruned:
                session.close("KILLED")
                return self.search.prune(minutes=self.minutes)
            return self.search.complete(outcome.validation or 0.0, minutes=outcome.minutes)
