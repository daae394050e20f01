import pytest

from roadworthy.pipeline.runners.only_run import only_run
from roadworthy.serving.errors import ConfigError


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path):
    with only_run(tmp_path / "out"), pytest.raises(ConfigError, match="one run at a time"), only_run(tmp_path / "out"):
        pass

    with only_run(tmp_path / "out"):
        assert (tmp_path / "out").is_dir()
