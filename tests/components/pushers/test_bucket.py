"""A model root on TensorFlow's file system in memory, which, like a bucket, is none of this machine's folders."""

import pytest
import tensorflow as tf
from tfx.dsl.io import fileio

from contracts.mean_colour import write_mean_colour
from roadworthy.components.pushers.bucket import latest_version, publish_remote
from roadworthy.serving.errors import DeployError


@pytest.fixture
def root(request) -> str:
    return f"ram://{request.node.name}/served"


@pytest.fixture
def version(tmp_path):
    return write_mean_colour(tmp_path / "model")


def test_versions_count_up_and_the_same_files_are_not_pushed_again(root, version):
    first = publish_remote(version, model_root=root, name="colours")
    again = publish_remote(version, model_root=root, name="colours")
    (version / "more").write_text("x")
    second = publish_remote(version, model_root=root, name="colours")

    assert (first.version, first.already, first.path) == (1, False, f"{root}/colours/1")
    assert (again.version, again.already) == (1, True)
    assert (second.version, second.already) == (2, False)
    assert latest_version(root, "colours") == f"{root}/colours/2"


def test_the_graph_comes_after_what_it_refers_to_and_the_manifest_last(root, version, monkeypatch):
    written = []
    copy = fileio.copy
    monkeypatch.setattr(fileio, "copy", lambda src, dst, **more: (written.append(dst), copy(src, dst, **more)))

    publish_remote(version, model_root=root, name="colours")

    assert written[-1].endswith("model.tflite")
    assert fileio.exists(f"{root}/colours/1/manifest.json")


def test_a_push_that_was_cut_off_is_no_version_and_its_number_is_not_used_again(root, version, monkeypatch):
    copy = fileio.copy

    def cut_off(src, dst, **more):
        if dst.endswith("model.tflite"):
            raise tf.errors.UnavailableError(None, None, "the network is gone")
        copy(src, dst, **more)

    with monkeypatch.context() as patch:
        patch.setattr(fileio, "copy", cut_off)
        with pytest.raises(DeployError, match=r"the network is gone.*Nothing was published"):
            publish_remote(version, model_root=root, name="colours")
    assert latest_version(root, "colours") is None

    assert publish_remote(version, model_root=root, name="colours").version == 2


def test_before_the_first_push_there_is_no_version(root):
    assert latest_version(root, "colours") is None


def test_what_is_no_model_is_refused(root, tmp_path):
    with pytest.raises(DeployError, match="exported model"):
        publish_remote(tmp_path, model_root=root, name="colours")
