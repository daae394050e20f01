from roadworthy.components.serving_check.warm_up import write_warm_up
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.server.warm_up import WARM_UP_PATH, warm_up


def test_a_server_sends_each_example_to_both_signatures(version_dir, examples):
    write_warm_up(version_dir, "digits", examples[:2])
    servable = open_servable(version_dir)
    assert warm_up(servable, version_dir) == 4
    servable.close()


def test_no_example_writes_no_file(tmp_path):
    write_warm_up(tmp_path, "digits", [])
    assert not (tmp_path / WARM_UP_PATH).exists()
