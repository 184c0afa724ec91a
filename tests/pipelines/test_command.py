"""The commands as a user types them: what is printed, and the exit codes."""

import shutil

import pytest

import recsys
from tests.pipelines.commands import assert_one_message, command


def test_run_ends_with_where_everything_is_and_the_next_command(finished_home):
    lines = (finished_home / "printed.txt").read_text().splitlines()
    where = lines.index("Where everything is")
    places = dict(line.split(maxsplit=1) for line in lines[where + 1 : where + 4])
    expected = {"report": "run/report.html", "recommendations": "run/recommendations", "bundle": "run/bundle"}
    assert places == expected
    assert (finished_home / "run/dataset/data_report.json").is_file()
    assert "run/dataset/data_report.json" in lines[where + 4]
    assert "off (tracking.kind is none)" in lines[where + 5]
    assert lines[-1].startswith("Next: recsys similar run/bundle i0")
    following = command(finished_home, *lines[-1].split()[2:])
    assert following.returncode == 0, following.stderr


def test_similar_prints_titles_as_they_are_written(finished_home):
    done = command(finished_home, "similar", "run/bundle", "i001", "i007", "--k", "39")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("Nearest to ")[1:]
    assert first.startswith("'i001' (Heat [1995] :fire:)")
    assert second.startswith("'i007' (Film i007)")
    rows = [line.split("│")[1:-1] for line in second.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == [str(rank) for rank in range(1, 40)]
    assert ["i001", "Heat [1995] :fire:"] in [[cell.strip() for cell in row[1:3]] for row in rows]
    cosines = [float(row[3]) for row in rows]
    assert cosines == sorted(cosines, reverse=True)
    assert min(cosines) < 0, "a negative number is to be aligned as others are"
    assert all(row[3].endswith(f"{cosine:.3f} ") for row, cosine in zip(rows, cosines, strict=True))


def test_simulate_prints_paths_as_they_are(home):
    done = command(home, "simulate", "--out", "[bold]/a.parquet", "--users=5", "--items=20", "--clicks=40")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        f"[bold]/a{name}.parquet" for name in ("", ".items", ".ideal")
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["i099"], "item 'i099' is not in this bundle's catalogue (40 items): did you mean 'i009' (Film i009)"),
        (["i001", "Heat"], "did you mean 'i001' (Heat [1995] :fire:)"),
        (["i001", "--k", "0"], "k must be at least 1, got 0"),
    ],
)
def test_similar_refuses_what_it_does_not_know(arguments, told, finished_home):
    done = command(finished_home, "similar", "run/bundle", *arguments)
    assert done.returncode == 2
    assert_one_message(done, told)


def test_the_users_mistake_is_exit_2_and_one_message(home):
    for arguments, told in [
        (["prepare", "my.yaml", "model.dimm=8"], "the command line: model.dimm is not a key; did you mean model.dim?"),
        (["similar", "run/bundle", "i001"], "run/bundle: give the directory that `recsys index` published"),
    ]:
        done = command(home, *arguments)
        assert done.returncode == 2
        assert_one_message(done, told)
    assert not (home / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train"], "Missing argument 'CONFIG'"),
        (["similar", "run/bundle"], "name items to look up"),
        (["trian", "my.yaml"], "No such command 'trian'"),
        (["train", "my.yaml", "--restrat"], "No such option"),
        (["similar", "run/bundle", "i1", "--k", "many"], "Invalid value for '--k'"),
        ([], "Usage: "),
    ],
)
def test_a_line_that_cannot_be_understood_is_exit_2(arguments, told, home):
    done = command(home, *arguments)
    assert done.returncode == 2
    assert told in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (home / "run").exists()


def test_a_damaged_bundle_is_exit_3_and_the_file_is_named(finished_home, tmp_path):
    shutil.copytree(finished_home / "run", tmp_path / "run", symlinks=True)
    file = tmp_path / "run" / "bundle" / "item_vectors.npy"
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)
    done = command(tmp_path, "similar", "run/bundle", "i001")
    assert done.returncode == 3
    assert_one_message(done, "is refused: item_vectors.npy does not match its checksum in the manifest")


def test_a_stage_is_a_module_too(home):
    done = command(home, "my.yaml", "data.split.kind=by_time", "seed=3", module="prepare")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Data: run/dataset\n  rows in ")
    assert done.stderr.startswith("reading clicks.parquet\n")
    assert '"split": "by_time"' in (home / "run/dataset/dataset.json").read_text()


@pytest.mark.parametrize(
    "name", ["run", "prepare", "train", "evaluate", "index", "recommend", "similar", "simulate", ""]
)
def test_every_command_has_help(name, home):
    done = command(home, *name.split(), "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""
    if name not in ("similar", "simulate", ""):
        assert "[KEY=VALUE]..." in done.stdout


def test_the_version_is_that_of_the_package(home):
    assert command(home, "--version").stdout == f"{recsys.__version__}\n"
