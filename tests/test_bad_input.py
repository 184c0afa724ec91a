"""The user's mistakes, end to end: one clear message, exit 2, and nothing written but the report."""

import signal
from pathlib import Path

import polars as pl
import pytest

from pipelines.command import main
from recsys.durable import locked
from tests.conftest import small_log
from tests.pipelines.commands import SMALL

REPORT = {"run/dataset.refused/data_report.json", "run/dataset.refused/rejected.parquet"}


class Home:
    """A directory with a log and a configuration, and the command line in it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def write(self, log: pl.DataFrame) -> None:
        log.write_parquet(self.directory / "clicks.parquet")

    def type(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and all but the news on stderr."""
        self.monkeypatch.setattr("sys.argv", ["recsys", *arguments])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = self.capsys.readouterr().err
        return ended.value.code or 0, told[told.find("error: ") :] if "error: " in told else ""

    def refused(self, *arguments: str, code: int = 2, writes: frozenset[str] | set[str] = frozenset()) -> str:
        """The one message, once it is certain that nothing was written but what is expected."""
        before = self.files()
        found, told = self.type(*arguments)
        assert found == code, told
        assert told.count("\n") == 1, "one message, on one line"
        assert told.startswith("error: ")
        assert self.files().keys() - before.keys() == writes
        assert {name: self.files()[name] for name in before} == before
        return told.removeprefix("error: ").rstrip()

    def files(self) -> dict[str, bytes]:
        """The lock is no trace: it is empty of meaning once its process is gone."""
        paths = [path for path in self.directory.rglob("*") if path.is_file() and path.name != ".lock"]
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in paths}


@pytest.fixture
def home(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "my.yaml").write_text(SMALL)
    home = Home(tmp_path, monkeypatch, capsys)
    home.write(small_log())
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield home
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_missing_file_has_its_nearest_names(home):
    told = home.refused("run", "my.yaml", "data.events.path=clikcs.parquet")
    assert told == "data.events.path: there is no file clikcs.parquet; did you mean clicks.parquet?"


def test_a_missing_column_has_its_nearest_name(home):
    told = home.refused("prepare", "my.yaml", "data.events.columns.item=itemid")
    assert told.startswith("clicks.parquet has no column 'itemid'; did you mean 'item_id'? its columns are 'user_id',")


def test_a_format_that_cannot_be_read(home):
    (home.directory / "clicks.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    assert home.refused("prepare", "my.yaml").startswith("clicks.parquet cannot be read as Parquet: ")
    (home.directory / "clicks.parquet").rename(home.directory / "clicks.xyz")
    told = home.refused("prepare", "my.yaml", "data.events.path=clicks.xyz")
    assert told.startswith("clicks.xyz: the format cannot be told from the name (known endings are .csv, ")
    assert told.endswith("set format to csv, parquet or ndjson")


def test_a_wrong_time_unit_has_the_right_one(home):
    told = home.refused("prepare", "my.yaml", "data.events.time_unit=ms", writes=REPORT)
    assert "rows (100.0%) of clicks.parquet break a rule, more than data.events.max_rejected_share allows" in told
    assert "timestamp is outside 1990-2100: 788" in told
    assert "data.events.time_unit is ms, and with s most times would lie in 1990-2100" in told
    assert "the report is in run/dataset.refused" in told
    assert pl.read_parquet(home.directory / "run/dataset.refused/rejected.parquet").height == 788


def test_a_split_by_time_without_a_calendar(home):
    told = home.refused("prepare", "my.yaml", "data.split.kind=by_time", "data.events.time_kind=relative")
    assert told == (
        "my.yaml and the command line: data.split.kind by_time needs times of a calendar, and data.events.time_kind "
        "is relative; use leave_last_out"
    )


@pytest.mark.parametrize("name", ["clicks.parquet", "clicks.csv"])
def test_an_empty_log(name, home):
    empty = small_log().clear()
    empty.write_parquet(name) if name.endswith("parquet") else empty.write_csv(name)
    told = home.refused("prepare", "my.yaml", f"data.events.path={name}", writes=REPORT)
    assert told.startswith(f"{name} has no click to learn from: 0 rows")


def test_a_file_without_a_byte(home):
    (home.directory / "clicks.csv").write_bytes(b"")
    told = home.refused("prepare", "my.yaml", "data.events.path=clicks.csv", writes=REPORT)
    assert told.startswith("clicks.csv has no click to learn from: 0 rows")


def test_every_user_is_too_short(home):
    home.write(small_log().unique("user_id", keep="first", maintain_order=True))
    told = home.refused("prepare", "my.yaml", writes=REPORT)
    assert told.startswith(
        "every user is too short: the longest of 60 histories has 1 click, and learning what follows"
    )


def test_an_unknown_key_has_its_nearest_one(home):
    told = home.refused("run", "my.yaml", "training.max_epoch=3")
    assert told == "the command line: training.max_epoch is not a key; did you mean training.max_epochs?"


def test_heads_that_do_not_divide_dim(home):
    told = home.refused("train", "my.yaml", "model.mixer.num_heads=3")
    assert told == (
        "my.yaml and the command line: model: dim (8) must be divisible by mixer.num_heads (3); change one of the two"
    )


def test_k_below_one(home):
    told = home.refused("recommend", "my.yaml", "recommend.k=0")
    assert told == "the command line: recommend.k must be greater than 0; found 0"


def test_an_item_table_whose_ids_have_another_type(home):
    pl.DataFrame({"item_id": [1, 2, 3], "title": ["a", "b", "c"]}).write_parquet(home.directory / "items.parquet")
    told = home.refused("prepare", "my.yaml", "data.items={path: items.parquet, title: title}", writes=REPORT)
    assert told.startswith(
        "data.items: the ids in 'item_id' of items.parquet are Int64, and the log's item ids are String"
    )


def test_a_stale_stage_names_what_to_run(home):
    assert home.refused("train", "my.yaml") == "run/dataset is missing: run `recsys prepare my.yaml` first"
    assert home.type("prepare", "my.yaml") == (0, "")
    told = home.refused("train", "my.yaml", "seed=5")
    assert told == "run/dataset is stale (seed was 0, is 5): run `recsys prepare my.yaml seed=5` first"


def test_a_workdir_in_use(home):
    with locked(home.directory / "run", "the workdir"):
        told = home.refused("prepare", "my.yaml")
    assert told.startswith("the workdir run is in use by process ")
    assert told.endswith(": wait until it has ended, or stop it")


def test_resuming_with_another_configuration_names_the_key_and_offers_restart(home):
    assert home.type("run", "my.yaml") == (0, "")
    (home.directory / "run/model/training.json").unlink()
    told = home.refused("train", "my.yaml", "model.dropout=0.1")
    assert "run/model holds an unfinished training of another configuration: model.dropout was 0.5, is 0.1" in told
    assert "--restart" in told
    assert home.type("run", "my.yaml", "model.dropout=0.1", "--restart") == (0, "")


def test_a_damaged_bundle_is_refused_with_exit_3_by_every_command_that_opens_it(home):
    assert home.type("run", "my.yaml") == (0, "")
    file = home.directory / "run/bundle/similar.vectors.npy"
    file.write_bytes(file.read_bytes()[:-1])
    for arguments in (["similar", "run/bundle", "i001"], ["recommend", "my.yaml", "recommend.k=3"]):
        assert "is refused: similar.vectors.npy has " in home.refused(*arguments, code=3)
    dataset = home.directory / "run/dataset/items.npy"
    dataset.write_bytes(dataset.read_bytes()[:-1])
    told = home.refused("evaluate", "my.yaml", "evaluation.list_length=5", code=3)
    assert told.startswith("run/dataset/items.npy is damaged: it does not match its checksum; run `recsys prepare`")
