"""Files that only a late stage reads are looked for before the first stage runs."""

import pytest

from recsys.config import make_config
from recsys.errors import ConfigError
from recsys.stages.run import run
from recsys.stages.session import opened


@pytest.mark.parametrize("key", ["evaluation.ideal", "recommend.users", "recommend.histories"])
def test_a_missing_file_is_told_at_once(key, small_log_file, tmp_path):
    values = {"workdir": str(tmp_path / "run"), "data": {"events": {"path": str(small_log_file)}}}
    config = make_config(values, {key: str(tmp_path / "nowhere.csv"), "tracking.kind": "none"}, source="test")
    with (
        opened(config, source="test", tell=lambda _: None) as session,
        pytest.raises(ConfigError, match=rf"{key}: there is no file .*nowhere\.csv"),
    ):
        run(session)
    assert not (tmp_path / "run" / "dataset").exists()
